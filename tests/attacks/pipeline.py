"""A good learner whose other parts carry something more: callbacks, transforms, loss and labels.

fastai keeps functions in nearly every part of a learner, and learn.predict calls most of them.
"""

from typing import Any

from tests.attacks.assemble import Name, New, Opcodes, call, name, text
from tests.attacks.state import SYSTEM, payload
from tests.attacks.workshop import Workshop, attack


def in_learner(shop: Workshop, **attributes: Any) -> bytes:
    return shop.planted(lambda learn: learn.__dict__.update(attributes))


def in_loss(shop: Workshop, **attributes: Any) -> bytes:
    return shop.planted(lambda learn: learn.loss_func.__dict__.update(attributes))


def in_resize(shop: Workshop, **attributes: Any) -> bytes:
    def change(learn: Any) -> None:
        for loader in learn.dls.loaders:
            resize = next(t for t in loader.after_item.fs if type(t).__name__ == "Resize")
            resize.__dict__.update(attributes)

    return shop.planted(change)


def in_pipeline(shop: Workshop, pipeline: str, transform: Any) -> bytes:
    """Add a transform to one of the pipelines of every loader."""

    def change(learn: Any) -> None:
        for loader in learn.dls.loaders:
            getattr(loader, pipeline).fs.append(transform)

    return shop.planted(change)


def transform(shop: Workshop) -> Any:
    """fastai's Transform, that does a lambda."""
    from fasttransform.transform import Transform

    made = Transform()
    made.__dict__["_call"] = payload(shop)
    return made


@attack(fires=True, opens=True)
def method_of_the_learner(shop: Workshop) -> bytes:
    """learn.predict, replaced by an attribute of that name."""
    return in_learner(shop, predict=payload(shop))


@attack(fires=True, opens=True)
def inner_method_of_the_learner(shop: Workshop) -> bytes:
    """learn.get_preds, which predict calls."""
    return in_learner(shop, get_preds=payload(shop))


@attack()
def network_is_a_function(shop: Workshop) -> bytes:
    """learn.model is a lambda, and no network at all."""
    return in_learner(shop, model=payload(shop))


@attack()
def network_is_the_learner(shop: Workshop) -> bytes:
    """learn.model is the learner itself."""
    return shop.planted(lambda learn: learn.__dict__.update(model=learn))


@attack(fires=True, opens=True)
def callback_of_its_own(shop: Workshop) -> bytes:
    """A callback that runs at each event of learn.predict."""

    def change(learn: Any) -> None:
        learn.cbs[0].__dict__["before_validate"] = payload(shop)

    return shop.planted(change)


@attack(fires=True, opens=True)
def callback_that_writes(shop: Workshop) -> bytes:
    """fastai's own GatherPredsCallback writes each prediction to a file, if told where."""

    def change(learn: Any) -> None:
        from fastai.callback.core import GatherPredsCallback

        learn.add_cb(GatherPredsCallback(save_preds=shop.folder))

    shop.marker.with_name("0").symlink_to(shop.marker)  # it names its files by number
    return shop.planted(change)


@attack(fires=True, opens=True)
def activation_of_the_loss(shop: Workshop) -> bytes:
    """learn.predict calls the loss's activation on what the network says."""
    return in_loss(shop, activation=payload(shop))


@attack(fires=True, opens=True)
def decodes_of_the_loss(shop: Workshop) -> bytes:
    """learn.predict calls the loss's decodes, too."""
    return in_loss(shop, decodes=payload(shop))


@attack(opens=True)
def loss_is_a_function(shop: Workshop) -> bytes:
    """A loss that is a reference to something else."""
    return in_learner(shop, loss_func=SYSTEM)


@attack(fires=True)
def transform_of_its_own(shop: Workshop) -> bytes:
    """A lambda among the transforms of each picture."""
    return in_pipeline(shop, "after_item", transform(shop))


@attack(fires=True)
def transform_of_the_path(shop: Workshop) -> bytes:
    """A lambda among the transforms that make a picture of an item."""
    return shop.planted(lambda learn: learn.dls.tls[0].tfms.fs.append(payload(shop)))


@attack(fires=True)
def transform_of_the_batch(shop: Workshop) -> bytes:
    """A lambda among the transforms of the whole batch."""
    return in_pipeline(shop, "after_batch", transform(shop))


@attack(fires=True, opens=True)
def encodes_of_a_transform(shop: Workshop) -> bytes:
    """Resize's own code, replaced by an attribute."""
    return in_resize(shop, _do_call=payload(shop))


@attack(fires=True)
def call_before_a_transform(shop: Workshop) -> bytes:
    """A transform's before_call, which each picture passes first."""
    return in_resize(shop, before_call=payload(shop))


@attack()
def resampling_is_a_function(shop: Workshop) -> bytes:
    """Resize(resamples=…) takes PIL's filters, and passes on whatever it has."""
    return in_resize(shop, resamples=(SYSTEM, SYSTEM), mode=SYSTEM, mode_mask=SYSTEM)


@attack()
def method_is_an_object(shop: Workshop) -> bytes:
    """Resize(method=…) takes one of three texts."""
    return in_resize(shop, method=SYSTEM)


@attack(opens=True)
def order_is_an_object(shop: Workshop) -> bytes:
    """fastai sorts transforms by `order`: comparing is a call."""
    return in_resize(shop, order=SYSTEM)


@attack(opens=True)
def split_is_an_object(shop: Workshop) -> bytes:
    """fastai compares `split_idx`; numbers are all there can be."""
    return in_resize(shop, split_idx=New(Name("subprocess", "Popen")))


@attack()
def labels_by_a_function(shop: Workshop) -> bytes:
    """The labels' transform is a call's outcome, and no object of the class."""

    def change(learn: Any) -> None:
        fs = learn.dls.tls[1].tfms.fs
        fs[-1] = Opcodes(call(name("fastai.data.transforms", "Categorize"), text("a")))

    return shop.planted(change)
