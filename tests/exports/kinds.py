# mypy: ignore-errors
# ruff: noqa: F821  (the names of recipes.py)
"""Train what can't be opened: learners with code of their author's own, and of other kinds.

Runs in `__main__` behind recipes.py, whose names it uses, beside the fastai of each release.
"""

import numpy as np

# Code of the author's own, which predicting would have to run


class Sharpen(Transform):
    def encodes(self, image: PILImage):
        return image


class Darken(Transform):
    def encodes(self, batch: TensorImage):
        return batch * 0.5


class MyNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = networks.plain(3)

    def forward(self, batch):
        return self.layers(batch)


class Swish(torch.nn.Module):
    def forward(self, batch):
        return batch * torch.sigmoid(batch)


class MyLearner(Learner):
    pass


class Shout(Callback):
    def after_epoch(self):
        pass


def brighten(image: PILImage):
    return image


@recipe("an item transform of the author's own", PLAIN, expect="refused", names=["Sharpen"])
def author_item_transform():
    return train(Learner(loaders(item_tfms=[Resize(64), Sharpen()]), networks.plain(3)))


@recipe("a function as an item transform", PLAIN, expect="refused", names=["brighten"])
def author_item_function():
    return train(Learner(loaders(item_tfms=[brighten, Resize(64)]), networks.plain(3)))


@recipe("a batch transform of the author's own", PLAIN, expect="refused", names=["Darken"])
def author_batch_transform():
    return train(Learner(loaders(batch_tfms=[Darken()]), networks.plain(3)))


@recipe("a network of the author's own", "MyNet", expect="refused", names=["MyNet"])
def author_network():
    return train(Learner(loaders(), MyNet()))


@recipe("one layer of the author's own among torch's", PLAIN, expect="refused", names=["Swish"])
def author_layer():
    net = networks.plain(3)
    net[2] = Swish()
    return train(Learner(loaders(), net))


@recipe("a Learner of the author's own class", PLAIN)
def author_callback():
    return train(MyLearner(loaders(), networks.plain(3), cbs=Shout()))


# Other kinds of learners


def other(kind, **facts):
    return {"expect": "refused", "kind": kind, "names": [], **facts}


@recipe("tabular_learner: a table, not pictures", "fastai TabularModel", **other("tabular"))
def tabular():
    from fastai.tabular.all import (
        Categorify,
        FillMissing,
        Normalize,
        TabularDataLoaders,
        tabular_learner,
    )

    table = frame()
    table["weight"] = np.arange(len(table), dtype="float32") % 7
    table["colour"] = np.where(table["red"] == 1, "red", "green")
    dls = TabularDataLoaders.from_df(
        table,
        path=".",
        procs=[Categorify, FillMissing, Normalize],
        cat_names=["colour"],
        cont_names=["weight"],
        y_names="label",
        y_block=CategoryBlock(),
        bs=8,
        num_workers=0,
    )
    return fit(tabular_learner(dls, layers=[8]))


@recipe("collab_learner: ratings", "fastai EmbeddingDotBias", **other("collaborative filtering"))
def collab():
    from fastai.collab import CollabDataLoaders, collab_learner

    rows = [(user, item, float((user * item) % 5 + 1)) for user in range(6) for item in range(6)]
    ratings = pd.DataFrame(rows, columns=["user", "item", "rating"])
    dls = CollabDataLoaders.from_df(ratings, path=".", bs=8, num_workers=0)
    return fit(collab_learner(dls, n_factors=4, y_range=(0, 5.5)))


@recipe("text_classifier_learner: sentences", "fastai AWD_LSTM", **other("text"))
def text_classifier():
    from fastai.text.all import (
        AWD_LSTM,
        BaseTokenizer,
        TextBlock,
        awd_lstm_clas_config,
        text_classifier_learner,
    )

    words = {"ant": "it creeps and it bites", "bee": "it flies and hums", "cat": "it purrs a lot"}
    table = frame()
    table["text"] = [words[label] for label in table["label"]]
    block = TextBlock.from_df("text", tok=BaseTokenizer(), n_workers=1)
    data = DataBlock((block, CategoryBlock), get_x=ColReader("text"), get_y=ColReader("label"))
    dls = data.dataloaders(table, bs=8, num_workers=0, seq_len=16)
    config = {**awd_lstm_clas_config, "emb_sz": 8, "n_hid": 8, "n_layers": 1}
    return fit(text_classifier_learner(dls, AWD_LSTM, config=config, pretrained=False))


def mask_of(path):
    picture = np.array(Image.open(path).convert("L"))
    return PILMask.create((picture > 90).astype(np.uint8))


@recipe("unet_learner: which pixel is what", "fastai DynamicUnet", **other("segmentation"))
def segmentation():
    dls = loaders(MaskBlock(codes=["ground", "animal"]), get_y=mask_of, item_tfms=Resize(32))
    arch = networks.stand_in(torchvision.models.resnet18, networks.narrow_resnet)
    model_meta[arch] = {"cut": -2, "split": default_split}
    return fit(unet_learner(dls, arch, pretrained=False))


def middle_of(path):
    return torch.tensor([[20.0 + len(path.name), 30.0]])


@recipe("where something is in the picture", RESNET, **other("points"))
def points():
    dls = loaders(PointBlock, get_y=middle_of)
    return fit(cnn(dls, networks.narrow_resnet, torchvision.models.resnet18, y_range=(-1, 1)))


def age_of(path):
    return float(len(path.name))


@recipe("a number for a picture", RESNET, **other("regression"))
def regression():
    dls = loaders(RegressionBlock, get_y=age_of)
    return fit(cnn(dls, networks.narrow_resnet, torchvision.models.resnet34, y_range=(0, 20)))


def fit(learn):
    with learn.no_bar(), learn.no_logging():
        learn.fit(1, 1e-3)
    return learn
