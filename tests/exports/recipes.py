# mypy: ignore-errors
"""Train small learners the way students do, one function each; `build.py` exports what they return.

In comes a folder `pictures` with a folder a label, drawn by `pictures.py`; out goes a trained
Learner. This file runs as `__main__`, under the name train.py, beside the fastai of each release:
what is defined here is in an export what a student's notebook is.
"""

import functools
import sys
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import cloudpickle
import networks
import pandas as pd
import torch
import torchvision
from fastai.vision.all import *
from fastai.vision.learner import default_split, model_meta

PICTURES = Path("pictures")
LABELS = ["ant", "bee", "cat"]
EACH = 12
RECIPES = {}


@dataclass
class Recipe:
    """What there is to know of a learner besides itself: `make` trains it.

    `names` is what a refusal has to name, `kind` what the learner is when it is no classifier of
    pictures, `after` the rewriting that the file gets, `export` what `learn.export` is told.
    """

    make: object
    about: str
    architecture: str
    expect: str = "opens"
    names: list = field(default_factory=list)
    kind: str = "image classifier"
    raw_scores: bool = False
    spread: float = 0.03  # how much the answers have to differ between the pictures
    after: tuple = ()
    export: dict = field(default_factory=dict)


def recipe(about, architecture, **facts):
    """Put a function among the recipes."""

    def keep(make):
        RECIPES[make.__name__] = Recipe(make, about, architecture, **facts)
        return make

    return keep


PLAIN = "torch.nn.Sequential"
RESNET = "torchvision.models.resnet"


# The parts that most recipes share


def loaders(block=None, **changed):
    """The usual DataBlock, of which each recipe changes what it is about."""
    settings = {
        "get_items": get_image_files,
        "splitter": RandomSplitter(0.25, seed=1),
        "get_y": parent_label,
        "item_tfms": Resize(64),
        "batch_tfms": [*aug_transforms(), Normalize.from_stats(*imagenet_stats)],
        **changed,
    }
    source = settings.pop("source", PICTURES)
    images = settings.pop("images", ImageBlock)
    data = DataBlock(blocks=(images, block or CategoryBlock), **settings)
    return data.dataloaders(source, bs=8, num_workers=0)


def train(learn, epochs=2, rate=5e-3):
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(epochs, rate)
    settle(learn)
    return learn


def settle(learn, rounds=10):
    """Let batch norm see some batches: after so few steps it would answer the same to any."""
    learn.model.train()
    with torch.no_grad():
        for _ in range(rounds):
            for batch in learn.dls.train:
                learn.model(batch[0])
    learn.model.eval()


def cnn(dls, net, arch, cut=None, **settings):
    """cnn_learner (vision_learner since 2.7) with a small head on a small network.

    `arch` is the library's function that the learner names as its own, though `net` is what it is
    made of, for the sake of the file's size.
    """
    learner = globals().get("vision_learner") or cnn_learner
    narrow = networks.stand_in(arch, net)
    model_meta[narrow] = {**model_meta.get(arch, {"split": default_split}), "cut": cut}
    head = {"lin_ftrs": [16]}
    settings.update({"config": head} if RELEASE < (2, 1) else head)
    return learner(dls, narrow, pretrained=False, **settings)


def frame():
    """The pictures as a table: a label, its number, and tags that several have in common."""
    rows = []
    for path in sorted(get_image_files(PICTURES)):
        label = path.parent.name
        tags = {"ant": "red small", "bee": "small", "cat": "red"}[label]
        rows.append((f"{label}/{path.name}", label, LABELS.index(label) + 1, tags))
    table = pd.DataFrame(rows, columns=["name", "label", "number", "tags"])
    for column in ("red", "small"):
        table[column] = [int(column in tags) for tags in table["tags"]]
    return table


def from_frame(block=None, **changed):
    reader = ColReader("name", pref=f"{PICTURES}/")
    return loaders(block, source=frame(), get_items=None, get_x=reader, **changed)


# What a student writes beside fastai


def label_of(path):
    return path.name.split("_")[0]


def is_cat(name):
    return name.startswith("cat")


def picture_of(row):
    return PICTURES / row["name"]


def share_of_ants(predicted, targets):
    return (predicted.argmax(dim=1) == 0).float().mean()


def squared_loss(predicted, targets):
    wanted = torch.nn.functional.one_hot(targets.long(), 3).float()
    return ((predicted - wanted) ** 2).mean()


def slow_sgd(params, lr=0.01, **settings):
    return SGD(params, lr=lr, mom=0.8)


def small_arch(pretrained=False):
    return networks.narrow_resnet()


# Where the labels come from


@recipe(
    "cnn_learner, labels by RegexLabeller, all of aug_transforms, Normalize",
    "torchvision.models.mobilenetv2.MobileNetV2",
)
def regex_labeller():
    get_y = using_attr(RegexLabeller(r"^(.*)_\d+\.png$"), "name")
    net, arch = networks.narrow_mobilenet_v2, torchvision.models.mobilenet_v2
    return train(cnn(loaders(get_y=get_y), net, arch, cut=-1, metrics=error_rate), 4)


@recipe("ImageDataLoaders.from_name_func with a function of the notebook, 2 classes", PLAIN)
def name_func():
    dls = ImageDataLoaders.from_name_func(
        Path(),
        get_image_files(PICTURES),
        is_cat,
        valid_pct=0.25,
        seed=1,
        item_tfms=Resize(48),
        bs=8,
        num_workers=0,
    )
    return train(Learner(dls, networks.plain(2), metrics=[error_rate, accuracy]))


@recipe("get_y is a function of the notebook; squished; a whole ResNet of torchvision", RESNET)
def author_get_y():
    dls = loaders(get_y=label_of, item_tfms=Resize(64, method=ResizeMethod.Squish))
    return train(Learner(dls, networks.narrow_resnet(classes=3)))


@recipe(
    "get_y is a lambda, pickled by cloudpickle",
    PLAIN,
    export={"pickle_module": cloudpickle},
)
def lambda_get_y():
    return train(Learner(loaders(get_y=lambda path: path.parent.name), networks.plain(3)))


@recipe("ImageDataLoaders.from_folder, RandomResizedCrop, a timm-free xresnet", "fastai XResNet")
def from_folder():
    dls = ImageDataLoaders.from_folder(
        PICTURES,
        valid_pct=0.25,
        seed=1,
        item_tfms=RandomResizedCrop(64, min_scale=0.5),
        batch_tfms=aug_transforms(),
        bs=8,
        num_workers=0,
    )
    net = XResNet(ResBlock, 1, [1] * 4, n_out=3, stem_szs=(8, 8, 64), widen=0.125)
    return train(Learner(dls, net, metrics=accuracy))


@recipe("ImageDataLoaders.from_df: labels are numpy's or pandas' strings", PLAIN)
def from_df():
    dls = ImageDataLoaders.from_df(
        frame(),
        path=Path(),
        folder=PICTURES,
        fn_col="name",
        label_col="label",
        valid_pct=0.25,
        seed=1,
        item_tfms=Resize(56),
        bs=8,
        num_workers=0,
    )
    return train(Learner(dls, networks.plain(3)))


@recipe("labels are whole numbers of a table, get_x a function of the notebook", PLAIN)
def number_labels():
    dls = loaders(source=frame(), get_items=None, get_x=picture_of, get_y=ColReader("number"))
    return train(Learner(dls, networks.plain(3)))


@recipe("CategoryBlock(add_na=True): a class #na# before the others", PLAIN)
def add_na():
    return train(Learner(loaders(CategoryBlock(add_na=True)), networks.plain(4)))


@recipe("CategoryBlock with a vocab of its own, in an order of its own", PLAIN)
def own_vocab():
    return train(Learner(loaders(CategoryBlock(vocab=["cat", "ant", "bee"])), networks.plain(3)))


# More than one label a picture


@recipe(
    "MultiCategoryBlock, tags by ColReader(label_delim=' '), a threshold of 0.3",
    "torchvision.models.densenet.DenseNet",
)
def multi_label():
    dls = from_frame(MultiCategoryBlock, get_y=ColReader("tags", label_delim=" "))
    metric = functools.partial(accuracy_multi, thresh=0.3)
    loss = BCEWithLogitsLossFlat(thresh=0.3)
    known = torchvision.models.densenet121
    return train(cnn(dls, networks.narrow_densenet, known, cut=-1, loss_func=loss, metrics=metric))


@recipe("MultiCategoryBlock(encoded=True): two columns of noughts and ones", PLAIN)
def multi_encoded():
    columns = ["red", "small"]
    block = MultiCategoryBlock(encoded=True, vocab=columns)
    return train(Learner(from_frame(block, get_y=ColReader(columns)), networks.plain(2)))


# How a picture gets its size


@recipe("Resize pads with zeros, height and width differ", PLAIN)
def pad_zeros():
    resize = Resize((48, 80), method=ResizeMethod.Pad, pad_mode=PadMode.Zeros)
    return train(Learner(loaders(item_tfms=resize), networks.plain(3)))


@recipe("Resize pads with the border's colour", PLAIN)
def pad_border():
    resize = Resize(64, method="pad", pad_mode="border")
    return train(Learner(loaders(item_tfms=resize), networks.plain(3)))


@recipe("Resize pads with the reflection, which is its default", PLAIN)
def pad_reflection():
    resize = Resize(64, method=ResizeMethod.Pad)
    return train(Learner(loaders(item_tfms=resize), networks.plain(3)))


@recipe("Resize crops to a size that is no square, no normalisation", RESNET)
def not_square():
    dls = loaders(item_tfms=Resize((64, 96)), batch_tfms=None)
    return train(cnn(dls, networks.narrow_resnet, torchvision.models.resnet34, metrics=accuracy))


@recipe("presizing: Resize, then aug_transforms(size, min_scale) on the batch", RESNET)
def presizing():
    tfms = [*aug_transforms(size=64, min_scale=0.75), Normalize.from_stats(*imagenet_stats)]
    dls = loaders(item_tfms=Resize(100), batch_tfms=tfms)
    return train(cnn(dls, networks.narrow_resnet, torchvision.models.resnet18, metrics=error_rate))


@recipe("Resize, then aug_transforms(size): an affine transform makes the batch smaller", PLAIN)
def batch_size_change():
    dls = loaders(item_tfms=Resize(80), batch_tfms=aug_transforms(size=(48, 56), max_warp=0))
    return train(Learner(dls, networks.plain(3)))


@recipe("CropPad: cut out by the pixel, no resizing, small pictures get a border", PLAIN)
def crop_pad():
    return train(Learner(loaders(item_tfms=CropPad(64)), networks.plain(3)))


@recipe("CropPad that reflects, RandomCrop, FlipItem and DihedralItem on the item", PLAIN)
def random_crop():
    tfms = [CropPad(90, pad_mode=PadMode.Reflection), RandomCrop(64), FlipItem(), DihedralItem()]
    return train(Learner(loaders(item_tfms=tfms), networks.plain(3)))


@recipe("RandomResizedCrop on the item, no square, validated with a larger part", PLAIN)
def random_resized_crop():
    crop = RandomResizedCrop((56, 72), min_scale=0.3, ratio=(1, 1.5), val_xtra=0.2)
    return train(Learner(loaders(item_tfms=crop), networks.plain(3)))


@recipe("RandomResizedCropGPU on the batch by itself", PLAIN)
def random_resized_crop_gpu():
    tfms = [RandomResizedCropGPU(56, min_scale=0.5)]
    return train(Learner(loaders(item_tfms=Resize(90), batch_tfms=tfms), networks.plain(3)))


@recipe("each augmentation by itself, and RandomErasing", PLAIN)
def augmentations():
    tfms = [Flip(), Dihedral(), Rotate(), Zoom(), Warp(), Brightness(), Contrast()]
    return train(Learner(loaders(batch_tfms=[*tfms, RandomErasing()]), networks.plain(3)))


@recipe("Hue, Saturation and a Normalize that measured a batch", PLAIN)
def measured_normalize():
    tfms = [Hue(), Saturation(), Normalize()]
    return train(Learner(loaders(batch_tfms=tfms), networks.plain(3)))


@recipe("PILImageBW: one channel in", PLAIN)
def grey_pictures():
    dls = loaders(images=ImageBlock(cls=PILImageBW), batch_tfms=aug_transforms())
    return train(Learner(dls, networks.plain(3, channels=1)))


# How it was trained


@recipe(
    "MixUp, label smoothing, mixed precision at the end",
    "torchvision.models.shufflenetv2.ShuffleNetV2",
)
def mixup_fp16():
    loss = LabelSmoothingCrossEntropyFlat() if RELEASE > (2, 1) else LabelSmoothingCrossEntropy()
    net, known = networks.narrow_shufflenet, torchvision.models.shufflenet_v2_x0_5
    learn = train(cnn(loaders(), net, known, cut=-1, loss_func=loss, cbs=MixUp()))
    with mock.patch("torch.cuda.is_available", lambda: True):  # 2.1 looks for a graphics card
        return learn.to_fp16()


@recipe("CutMix, SaveModelCallback, EarlyStoppingCallback", "torchvision Fire modules")
def cutmix_save_model():
    cbs = [CutMix(), SaveModelCallback(fname="best"), EarlyStoppingCallback(patience=3)]
    net, known = networks.narrow_squeezenet_body, torchvision.models.squeezenet1_1
    return train(cnn(loaders(), net, known, cut=-1, cbs=cbs), epochs=12, rate=5e-2)


@recipe("LabelSmoothingCrossEntropy, not its Flat form", PLAIN)
def label_smoothing():
    return train(Learner(loaders(), networks.plain(3), loss_func=LabelSmoothingCrossEntropy()))


@recipe("FocalLossFlat", "torchvision.models.mnasnet.MNASNet")
def focal_loss():
    known = torchvision.models.mnasnet0_5
    dls = loaders(batch_tfms=Normalize.from_stats(*imagenet_stats))
    return train(cnn(dls, networks.narrow_mnasnet, known, cut=-1, loss_func=FocalLossFlat()), 6)


@recipe("CrossEntropyLossFlat with weights for the classes", PLAIN)
def weighted_loss():
    loss = CrossEntropyLossFlat(weight=torch.tensor([1.0, 2.0, 0.5]))
    return train(Learner(loaders(), networks.plain(3), loss_func=loss))


@recipe("torch's own CrossEntropyLoss: predict gives raw scores", PLAIN, raw_scores=True)
def torch_loss():
    return train(Learner(loaders(), networks.plain(3), loss_func=torch.nn.CrossEntropyLoss()))


@recipe("a loss function of the notebook: predict gives raw scores", PLAIN, raw_scores=True)
def author_loss():
    return train(Learner(loaders(), networks.plain(3), loss_func=squared_loss))


@recipe("a metric and an optimizer that are functions of the notebook", PLAIN)
def author_metric_optimizer():
    net = networks.plain(3)
    return train(Learner(loaders(), net, opt_func=slow_sgd, metrics=[share_of_ants, accuracy]))


@recipe("arch is a function of the notebook; frozen but for the head, fine-tuned", RESNET)
def author_arch():
    learner = globals().get("vision_learner") or cnn_learner
    head = {"config": {"lin_ftrs": [16]}} if RELEASE < (2, 1) else {"lin_ftrs": [16]}
    learn = learner(loaders(), small_arch, pretrained=False, metrics=error_rate, **head)
    learn.freeze()
    return train(learn)


@recipe("EfficientNet, exported without its progress bar and recorder", "torchvision EfficientNet")
def removed_callbacks():
    net, known = networks.narrow_efficientnet, torchvision.models.efficientnet_b0
    learn = train(cnn(loaders(), net, known, cut=-1))
    for callback in (ProgressCallback, Recorder):
        learn.remove_cb(callback)
    return learn


@recipe("ConvNeXt of torchvision, whole", "torchvision.models.convnext.ConvNeXt")
def convnext():
    net = networks.narrow_convnext()
    net.classifier[-1] = torch.nn.Linear(48, 3)
    return train(Learner(loaders(), net))


@recipe("MobileNetV3 of torchvision", "torchvision.models.mobilenetv3.MobileNetV3")
def mobilenet_v3():
    net, known = networks.narrow_mobilenet_v3, torchvision.models.mobilenet_v3_small
    dls = loaders(batch_tfms=Normalize.from_stats(*imagenet_stats))
    return train(cnn(dls, net, known, cut=-2), 3)


@recipe("the features of a VGG", "torchvision.models.vgg")
def vgg():
    known = torchvision.models.vgg16_bn
    return train(cnn(loaders(), networks.narrow_vgg_body, known, cut=-1))


@recipe("bottleneck blocks, as in resnet50; a head without concat_pool", RESNET)
def bottlenecks():
    def net():
        return networks.narrow_resnet(torchvision.models.resnet.Bottleneck, width=2)

    return train(cnn(loaders(), net, torchvision.models.resnet50, metrics=[accuracy, error_rate]))


# How it was saved


@recipe("saved on a GPU: every storage says cuda:0", PLAIN, after=("gpu",))
def saved_on_gpu():
    return train(Learner(loaders(), networks.plain(3)))


@recipe("saved on Windows: its paths are WindowsPath", PLAIN, after=("windows",))
def saved_on_windows():
    return train(Learner(loaders(), networks.plain(3)))


@recipe("saved by Python 3.13: its paths are of pathlib._local", PLAIN, after=("pathlib_local",))
def saved_by_python_3_13():
    return train(Learner(loaders(), networks.plain(3)))


@recipe("torch's container before 1.6, which is no zip", PLAIN, after=("legacy",))
def legacy_container():
    return train(Learner(loaders(), networks.plain(3)))


@recipe("pickle protocol 4", PLAIN, export={"pickle_protocol": 4})
def protocol_4():
    return train(Learner(loaders(), networks.plain(3)))


@recipe("pickle protocol 5", RESNET, export={"pickle_protocol": 5})
def protocol_5():
    return train(cnn(loaders(), networks.narrow_resnet, torchvision.models.resnet18))


# Networks of timm, by name


def timm_by_name(dls, name, narrow):
    """A learner of a timm model by its name, with `narrow` in the place of timm's own function."""
    registry = sys.modules.get("timm.models._registry") or sys.modules["timm.models.registry"]
    with mock.patch.dict(registry._model_entrypoints, {name: narrow}):
        return vision_learner(dls, name, pretrained=False, lin_ftrs=[16])


@recipe("a ResNet of timm, by name", "timm.models.resnet.ResNet")
def timm_resnet():
    from timm.models.resnet import BasicBlock, _create_resnet

    sizes = {"block": BasicBlock, "layers": (1, 1, 1, 1), "channels": (8, 16, 24, 32)}
    narrow = functools.partial(_create_resnet, "test_resnet", stem_width=8, **sizes)
    return train(timm_by_name(loaders(), "test_resnet", narrow))


@recipe("an EfficientNet-Lite of timm, by name", "timm.models.efficientnet.EfficientNet")
def timm_efficientnet():
    from timm.models.efficientnet import _gen_efficientnet_lite

    name = "efficientnet_lite0"
    narrow = functools.partial(_gen_efficientnet_lite, name, 0.1, 0.3)
    return train(timm_by_name(loaders(), name, narrow), 6)


@recipe("a ConvNeXt of timm, by name; labels from a table", "timm.models.convnext.ConvNeXt")
def timm_convnext():
    from timm.models.convnext import _create_convnext

    name, sizes = "convnext_atto", {"depths": (1, 1, 1, 1), "dims": (8, 16, 24, 32)}
    narrow = functools.partial(_create_convnext, name, **sizes)
    return train(timm_by_name(from_frame(get_y=ColReader("label")), name, narrow))


@recipe("a vision transformer of timm, by name", "timm.models.vision_transformer")
def timm_vit():
    from timm.models.vision_transformer import _create_vision_transformer

    name = "vit_tiny_patch16_224"
    sizes = {"img_size": 64, "patch_size": 16, "embed_dim": 32, "depth": 2, "num_heads": 2}
    narrow = functools.partial(_create_vision_transformer, name, **sizes)
    return train(timm_by_name(loaders(), name, narrow))
