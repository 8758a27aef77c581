"""A good learner with layers in layers, and values in values, without end.

A record may stand in many places, and in itself: a few bytes then say what no walk comes to the
end of, and no call.
"""

from typing import Any

from tests.attacks.assemble import OP, New, Opcodes, name, number, plain, text
from tests.attacks.misread import get, put
from tests.attacks.pipeline import in_resize
from tests.attacks.workshop import Workshop, attack

FIRST = 1_000_000  # of the memo: the numbers below are the good export's


def module(cls: tuple[str, str], children: dict[str, int], attributes: dict[str, int]) -> bytes:
    """The opcodes of a layer whose layers were put into the memo before."""
    state = OP.EMPTY_DICT + OP.MARK + text("training") + OP.NEWFALSE
    for part in ("_parameters", "_buffers"):
        state += text(part) + OP.EMPTY_DICT
    state += text("_non_persistent_buffers_set") + plain(set())
    inner = b"".join(text(key) + get(at) for key, at in children.items())
    state += text("_modules") + OP.EMPTY_DICT + OP.MARK + inner + OP.SETITEMS
    state += b"".join(text(key) + get(at) for key, at in attributes.items()) + OP.SETITEMS
    return bytes(name(*cls) + OP.EMPTY_TUPLE + OP.NEWOBJ + state + OP.BUILD)


def tower(
    shop: Workshop, levels: int, cls: tuple[str, str], uses: list[str], hidden: bool
) -> bytes:
    """Layers in layers, each with the one below under several names: a child, or an attribute."""
    pieces = [module(("torch.nn.modules.linear", "Identity"), {}, {}), put(FIRST)]
    for level in range(FIRST, FIRST + levels):
        parts = dict.fromkeys(uses, level)
        made = module(cls, {} if hidden else parts, parts if hidden else {})
        pieces += [OP.POP, made, put(level + 1)]
    opcodes = Opcodes(b"".join(pieces))
    return shop.planted(lambda learn: learn.model._modules.update({"2": opcodes}))


SEQUENTIAL = ("torch.nn.modules.container", "Sequential")
HEAD = ("timm.layers.classifier", "NormMlpClassifierHead")
HEADS_LAYERS = ["global_pool", "norm", "flatten", "pre_logits", "drop", "fc"]


@attack()
def doubled(shop: Workshop) -> bytes:
    """60 layers that hold the next one twice: a tiny file, and 2^60 calls."""
    return tower(shop, 60, SEQUENTIAL, ["0", "1"], hidden=False)


@attack()
def doubled_thrice(shop: Workshop) -> bytes:
    """The same in few levels, that no limit of depth sees: 100 children each, five levels."""
    return tower(shop, 5, SEQUENTIAL, [str(i) for i in range(100)], hidden=False)


@attack()
def doubled_by_attributes(shop: Workshop) -> bytes:
    """The same, where the layers are plain attributes and not children: 6^40 calls, no number."""
    return tower(shop, 40, HEAD, HEADS_LAYERS, hidden=True)


@attack()
def deep(shop: Workshop) -> bytes:
    """5,000 layers in one another: too deep to call, and to walk by recursion."""
    return tower(shop, 5_000, SEQUENTIAL, ["0"], hidden=False)


@attack()
def deep_by_attributes(shop: Workshop) -> bytes:
    """The same, where the layers are plain attributes."""
    return tower(shop, 5_000, HEAD, ["global_pool"], hidden=True)


@attack()
def holds_itself(shop: Workshop) -> bytes:
    """A network that is one of its own layers."""
    return shop.planted(lambda learn: learn.model._modules.update({"9": learn.model}))


@attack()
def holds_itself_by_attribute(shop: Workshop) -> bytes:
    """A network that is one of its own attributes, in a list."""
    return shop.planted(lambda learn: learn.model.__dict__.update(own=[learn.model]))


@attack()
def nested_values(shop: Workshop) -> bytes:
    """x = (x, x), sixty times: a layer's attribute of 2^60 values."""
    return shop.planted(lambda learn: learn.model[2].__dict__.update(billion=laughs()))


@attack()
def nested_in_a_transform(shop: Workshop) -> bytes:
    """The same as a size of Resize."""
    return in_resize(shop, size=laughs())


@attack(opens=True)
def nested_where_nobody_looks(shop: Workshop) -> bytes:
    """The same in a part of the learner that is not needed; a reader may still count it."""
    return shop.planted(lambda learn: learn.__dict__.update(other=laughs()))


def laughs() -> Any:
    value: Any = ("ha", "ha")
    for _ in range(60):
        value = (value, value)
    return value


@attack()
def number_for_training(shop: Workshop) -> bytes:
    """A number that can't be written down, where a message might quote it."""
    digits = Opcodes(number(7**9000))
    return shop.planted(lambda learn: learn.model[2].__dict__.update(training=digits))


def with_layers(shop: Workshop, count: int, state: dict[str, Any]) -> bytes:
    """Many layers in a row in the place of the third, of whose state a part is one object."""

    def change(learn: Any) -> None:
        from torch import nn

        row = nn.Sequential(*(nn.ReLU() for _ in range(count)))
        for layer in row:
            layer.__dict__.update(state)
        learn.model._modules["2"] = row

    return shop.planted(change)


@attack(large=True)
def one_list_in_many_layers(shop: Workshop) -> bytes:
    """A list of 100,000 numbers, which each of 2,000 layers has: 2 * 10^8, if each has its own."""
    return with_layers(shop, 2_000, {"table": list(range(100_000))})


@attack(opens=True)
def one_text_in_many_layers(shop: Workshop) -> bytes:
    """The same with a text of 10 MB, which is nothing if it stays one."""
    return with_layers(shop, 2_000, {"table": "a" * 10_000_000})


@attack(large=True)
def one_dict_of_children(shop: Workshop) -> bytes:
    """Layers whose buffers are one dict of 50,000 that is no tensor's."""
    return with_layers(shop, 1_000, {"_buffers": dict.fromkeys(map(str, range(50_000)))})


@attack()
def one_state_of_many_layers(shop: Workshop) -> bytes:
    """1,000 layers whose state is one and the same, of 100,000 attributes."""

    def change(learn: Any) -> None:
        from torch import nn

        state = {**nn.ReLU().__dict__, **dict.fromkeys((f"a{i}" for i in range(100_000)), 1)}
        layers: dict[str, Any] = {str(i): New(nn.ReLU, state=state) for i in range(1_000)}
        row = nn.Sequential()
        row._modules.update(layers)
        learn.model._modules["2"] = row

    return shop.planted(change)


@attack()
def one_list_in_a_list(shop: Workshop) -> bytes:
    """Labels, sizes and thresholds that are each a list of lists of one list of 1,000."""
    inner = list(range(1_000))
    return in_resize(shop, size=[[inner] * 1_000] * 1_000)
