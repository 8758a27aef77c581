"""The reference: our `classify` is fastai's `learn.predict` on an upright picture."""

import datetime
import importlib
import io
import opcode
import pickle
import re
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import EXPORTS, draw, encode

torch = pytest.importorskip("torch")

from fastai.data.all import (  # noqa: E402
    CategoryBlock,
    DataBlock,
    MultiCategoryBlock,
    Normalize,
    RandomSplitter,
    TfmdDL,
    TransformBlock,
)
from fastai.layers import Lambda  # noqa: E402
from fastai.learner import Learner  # noqa: E402
from fastai.learner import load_learner as fastai_load_learner  # noqa: E402
from fastai.losses import BCEWithLogitsLossFlat, CrossEntropyLossFlat  # noqa: E402
from fastai.vision.augment import (  # noqa: E402
    Brightness,
    CropPad,
    RandomCrop,
    RandomResizedCrop,
    Resize,
)
from fastai.vision.core import PILImage, PILImageBW, imagenet_stats  # noqa: E402
from fastai.vision.data import ImageBlock  # noqa: E402
from fastai.vision.models.xresnet import xresnet18  # noqa: E402
from PIL import Image  # noqa: E402
from torch import nn  # noqa: E402

from voilearn.describe import describe  # noqa: E402
from voilearn.errors import DamagedPhoto, UnusableModel  # noqa: E402
from voilearn.export.file import read_export_file  # noqa: E402
from voilearn.image import decode_photo  # noqa: E402
from voilearn.learner.load import (  # noqa: E402
    load_classify,
    load_learner,
    picture_kind,
    picture_size,
)
from voilearn.prediction import Classify  # noqa: E402

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def learn(export: Path) -> Learner:
    return load_learner(export)


@pytest.fixture(scope="module")
def classify(export: Path) -> Classify:
    return load_classify(export, scope=False)


def network(classes: int) -> Any:
    torch.manual_seed(0)
    layers = torch.nn
    return layers.Sequential(
        layers.AdaptiveAvgPool2d(8), layers.Flatten(), layers.Linear(192, classes)
    )


def make_export(folder: Path, block: Any, loss: Any, labels: Any, **changed: Any) -> Path:
    """Write an export.pkl of a tiny network, the way a student would."""
    for i in range(4):
        draw((40, 30)).save(folder / f"{i}.png")
    data = DataBlock(
        (changed.get("images", ImageBlock), block),
        dl_type=changed.get("dl_type"),
        get_items=lambda path: sorted(path.glob("*.png")),
        splitter=RandomSplitter(0.5, seed=0),
        get_y=labels,
        item_tfms=changed.get("item_tfms"),
        batch_tfms=changed.get("batch_tfms"),
    )
    loaders = data.dataloaders(folder, bs=2, num_workers=0, **changed.get("loader", {}))
    net = changed.get("net", network(2))
    learn = Learner(loaders, net, loss_func=loss, path=folder)
    learn.export("tiny.pkl", pickle_module=pytest.importorskip("cloudpickle"))
    return folder / "tiny.pkl"


def test_classify_is_learn_predict_on_the_same_bytes(learn: Learner, classify: Classify) -> None:
    data = encode(draw((400, 300)), "PNG")
    with learn.no_bar():
        label, _, probabilities = learn.predict(PILImage.create(decode_photo(data)))
    prediction = classify(data)
    assert prediction.label == label
    assert [prediction.probabilities[c] for c in learn.dls.vocab] == probabilities.tolist()


def test_classify_names_the_model_it_asked(classify: Classify, export: Path) -> None:
    import hashlib

    model = classify(encode(draw(), "PNG")).model
    assert model.sha256 == hashlib.sha256(export.read_bytes()).hexdigest()
    assert (model.name, model.task) == ("export", "single-label")
    assert model.classes == ("black", "grizzly", "teddy")


def test_classify_prints_nothing(classify: Classify, capfd: pytest.CaptureFixture[str]) -> None:
    classify(encode(draw(), "JPEG"))
    assert capfd.readouterr() == ("", "")


def test_classify_raises_the_photos_own_error_and_goes_on(classify: Classify) -> None:
    before = classify(encode(draw(), "PNG"))
    with pytest.raises(DamagedPhoto):
        classify(encode(draw(), "PNG")[:80])
    assert classify(encode(draw(), "PNG")) == before


def test_several_threads_get_each_their_own_answer(classify: Classify) -> None:
    photos = [encode(Image.new("RGB", (90, 60), c), "PNG") for c in ("white", "brown", "black")]
    alone = [classify(photo) for photo in photos]
    wrong = []

    def ask(at: int) -> None:
        wrong.extend([at for _ in range(5) if classify(photos[at]) != alone[at]])

    threads = [threading.Thread(target=ask, args=(at,)) for at in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_draft_decoding_changes_no_label_and_no_probability_by_a_hundredth(
    photos: Path, learn: Learner, classify: Classify
) -> None:
    """Over every bear and every large odd file; the small ones are decoded whole either way."""
    size = picture_size(learn)
    assert size
    drafted = 0
    for photo in [*(photos / "bears").rglob("*.jpg"), *(photos / "odd" / "bears").iterdir()]:
        data = photo.read_bytes()
        whole = decode_photo(data)
        if decode_photo(data, at_least=2 * size).size == whole.size:
            continue
        with learn.no_bar():
            label, _, probabilities = learn.predict(PILImage.create(whole))
        answer = classify(data)
        drafted += 1
        assert answer.label == label, photo.name
        for name, p in zip(learn.dls.vocab, probabilities.tolist(), strict=True):
            assert abs(answer.probabilities[name] - p) <= 0.01, photo.name
    assert drafted >= 6


def test_the_export_knows_the_real_bears(photos: Path, classify: Classify) -> None:
    """The odd files' class is the start of their name; none of them was trained on as such."""
    for photo in sorted((photos / "odd" / "bears").iterdir()):
        assert classify(photo.read_bytes()).label == photo.name.split("_")[0], photo.name


def test_a_learner_of_two_classes_opens(tmp_path: Path) -> None:
    export = make_export(tmp_path, CategoryBlock, CrossEntropyLossFlat(), parity)
    prediction = load_classify(export)(encode(draw(), "PNG"))
    assert prediction.model.classes == ("even", "odd")
    assert sum(prediction.probabilities.values()) == pytest.approx(1)


def test_a_multi_label_learner_uses_its_own_threshold(tmp_path: Path) -> None:
    loss = BCEWithLogitsLossFlat(thresh=0.0)
    labels = {"0": ["a", "b"], "1": ["a"], "2": ["a", "b"], "3": ["a"]}
    export = make_export(tmp_path, MultiCategoryBlock, loss, lambda path: labels[path.stem])
    prediction = load_classify(export)(encode(draw(), "PNG"))
    assert prediction.model.task == "multi-label"
    assert set(prediction.labels) == {"a", "b"}


def test_classes_of_two_types_are_answered_unless_they_are_written_alike(tmp_path: Path) -> None:
    """With trust too: an answer has a number for each name."""

    def export_of(*vocab: Any) -> Path:
        block = CategoryBlock(vocab=list(vocab), sort=False)
        return make_export(tmp_path, block, LOSS(), lambda path: vocab[int(path.stem) % 2])

    for trust in (False, True):
        answer = load_classify(export_of(None, datetime.date(2020, 1, 2)), trust)
        assert answer.info.classes == ("None", "2020-01-02")
        with pytest.raises(UnusableModel, match="two classes that are both written '1'"):
            load_classify(export_of(1, "1"), trust)


def test_a_class_gets_another_name_as_the_refusal_says(tmp_path: Path) -> None:
    block = CategoryBlock(vocab=[1, "1"], sort=False)
    path = make_export(tmp_path, block, LOSS(), lambda path: 1)
    learn = load_learner(path, trust=True)
    learn.dls.vocab.items[1] = "a name"
    learn.path = tmp_path
    learn.export(path.name)
    assert load_classify(path).info.classes == ("1", "a name")


def parity(path: Path) -> str:
    return "even" if int(path.stem) % 2 == 0 else "odd"


def test_a_learner_of_encoded_multi_labels_is_multi_label(tmp_path: Path) -> None:
    block = MultiCategoryBlock(encoded=True, vocab=["a", "b"])
    export = make_export(tmp_path, block, BCEWithLogitsLossFlat(thresh=0.0), lambda path: [1, 0])
    prediction = load_classify(export)(encode(draw(), "PNG"))
    assert (prediction.model.task, set(prediction.labels)) == ("multi-label", {"a", "b"})


def test_a_learner_of_grey_pictures_gets_grey_pictures(tmp_path: Path) -> None:
    grey = torch.nn.Sequential(
        torch.nn.AdaptiveAvgPool2d(8), torch.nn.Flatten(), torch.nn.Linear(64, 2)
    )
    images = ImageBlock(PILImageBW)
    loss = CrossEntropyLossFlat()
    export = make_export(tmp_path, CategoryBlock, loss, parity, images=images, net=grey)
    learn = load_learner(export, trust=True)
    with learn.no_bar():
        expected = learn.predict(tmp_path / "0.png")[2].tolist()
    found = load_classify(export)((tmp_path / "0.png").read_bytes()).probabilities
    assert [found["even"], found["odd"]] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("cut", [CropPad, RandomCrop])
def test_a_learner_that_cuts_out_by_the_pixel_gets_the_whole_photo(
    tmp_path: Path, cut: Any
) -> None:
    """At a reduced scale, the same number of pixels would show another part of it."""
    loss = CrossEntropyLossFlat()
    export = make_export(tmp_path, CategoryBlock, loss, parity, item_tfms=cut(32))
    assert picture_size(load_learner(export)) is None


def agrees_with_load_learner(export: Path) -> None:
    """Hold the rebuilt learner's answers to those of fastai's own load_learner."""
    ours, theirs = load_learner(export), load_learner(export, trust=True)
    kind = picture_kind(ours, export)
    for size in ((40, 30), (300, 200)):
        item = kind.create(draw(size).convert(kind._open_args["mode"]))
        with ours.no_bar(), theirs.no_bar():
            found, expected = (learn.predict(item)[2].tolist() for learn in (ours, theirs))
        assert found == pytest.approx(expected, abs=1e-6)


def shared_layer() -> Any:
    twice = torch.nn.Conv2d(3, 3, 3, padding=1)
    return torch.nn.Sequential(twice, torch.nn.ReLU(), twice, *network(2))


LOSS = CrossEntropyLossFlat
AGREE: dict[str, dict[str, Any]] = {
    "a layer that is used twice": {"net": shared_layer},
    "a transform of training alone": {
        "item_tfms": lambda: [
            RandomResizedCrop(32, split_idx=0),
            Resize(32, method="squish", split_idx=1),
        ]
    },
    "a transform with an order of its own": {
        "item_tfms": lambda: [Resize(40, order=5), CropPad(60)]
    },
    "grey pictures and three statistics": {
        "images": lambda: ImageBlock(PILImageBW),
        "batch_tfms": lambda: [Normalize.from_stats(*imagenet_stats, cuda=False)],
    },
    "pictures of one size, and no Resize": {
        "net": lambda: torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(8), *network(2))
    },
    "a network in parallel": {"net": lambda: torch.nn.DataParallel(network(2))},
    "functions in layers": {"net": lambda: torch.nn.Sequential(Lambda(torch.relu), *network(2))},
}


@pytest.mark.parametrize("changed", AGREE.values(), ids=AGREE)
def test_a_learner_answers_as_load_learner_does(tmp_path: Path, changed: dict[str, Any]) -> None:
    made = {name: make() for name, make in changed.items()}
    agrees_with_load_learner(make_export(tmp_path, CategoryBlock, LOSS(), parity, **made))


def test_a_threshold_for_each_class_is_used(tmp_path: Path) -> None:
    loss = BCEWithLogitsLossFlat(thresh=torch.tensor([0.0, 1.0]))
    labels = {"0": ["a", "b"], "1": ["a"], "2": ["a", "b"], "3": ["a"]}
    export = make_export(tmp_path, MultiCategoryBlock, loss, lambda path: labels[path.stem])
    agrees_with_load_learner(export)
    assert load_classify(export)(encode(draw(), "PNG")).labels == ("a",)


def darker(batch: Any) -> Any:
    return batch


class MyLoader(TfmdDL):  # type: ignore[misc, unused-ignore]
    """An author's own loader."""


class MyLoss(CrossEntropyLossFlat):  # type: ignore[misc, unused-ignore]
    """An author's own loss."""


def set_activation() -> Any:
    loss = CrossEntropyLossFlat()
    loss.activation = torch.sigmoid
    return loss


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a lighting that never ends": (
        {"batch_tfms": lambda: always(Brightness())}, "Brightness"
    ),
    "a way to make batches": ({"loader": {"create_batch": darker}}, "create_batch"),
    "something before each batch": ({"loader": {"before_batch": darker}}, "before_batch"),
    "a loader": ({"dl_type": MyLoader}, "MyLoader"),
    "an activation": ({"loss": set_activation}, "activation"),
    "a hook": ({"net": lambda: with_hook(network(2)[2])}, "hooks"),
}  # fmt: skip


def with_hook(layer: Any) -> Any:
    layer.register_forward_hook(lambda layer, given, found: -found)
    return layer


# fastai's, torch's and timm's own ways to put a network together
RECIPES: dict[str, Any] = {
    "torch.compile": lambda: torch.compile(network(2), backend="eager"),
    "torch.compile of a part": lambda: nn.Sequential(torch.compile(network(2), backend="eager")),
    "DataParallel of a part": lambda: nn.Sequential(nn.DataParallel(network(2)[:2]), network(2)[2]),
    "AveragedModel": lambda: torch.optim.swa_utils.AveragedModel(network(2)),
    "weight_norm": lambda: nn.Sequential(nn.utils.weight_norm(nn.Conv2d(3, 3, 3)), *network(2)),
    "spectral_norm": lambda: nn.Sequential(nn.utils.spectral_norm(nn.Conv2d(3, 3, 3)), *network(2)),
    "xresnet18(sa=True)": lambda: xresnet18(sa=True, n_out=2),
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("make", RECIPES.values(), ids=RECIPES)
def test_a_network_of_the_libraries_own_recipes_answers_as_it_did(
    make: Any, tmp_path: Path
) -> None:
    tfms = {"item_tfms": Resize(32)}
    export = make_export(tmp_path, CategoryBlock, LOSS(), parity, net=make().eval(), **tfms)
    assert read_export_file(export).hindrance is None
    original, data = fastai_load_learner(export), encode(draw((60, 50)), "PNG")
    with original.no_bar():
        expected = original.predict(PILImage.create(io.BytesIO(data)))[2]
    prediction = load_classify(export)(data)
    found = [prediction.probabilities[str(label)] for label in original.dls.vocab]
    assert found == pytest.approx(expected.tolist(), abs=1e-5)


def always(transform: Any) -> list[Any]:
    transform.split_idx = None
    return [transform]


@pytest.mark.parametrize(("changed", "named"), REFUSED.values(), ids=REFUSED)
def test_what_would_change_the_answer_is_refused_by_name(
    tmp_path: Path, changed: dict[str, Any], named: str
) -> None:
    made = {n: make() if callable(make) and n not in ("dl_type",) else make for n, make in
            changed.items()}  # fmt: skip
    if "net" in made:
        made["net"] = torch.nn.Sequential(*network(2)[:2], made["net"])
    loss = made.pop("loss", LOSS())
    export = make_export(tmp_path, CategoryBlock, loss, parity, **made)
    with pytest.raises(UnusableModel, match=named):
        load_learner(export)


def test_a_network_that_takes_too_much_is_told_how_to_allow_it(
    export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voilearn.learner.cost.BYTES", 1_000_000)
    monkeypatch.setattr("voilearn.learner.cost.BYTES_A_WEIGHT", 0)
    with pytest.raises(UnusableModel, match="allowed are") as told:
        load_classify(export)
    assert "VOILEARN_COST=" in str(told.value)
    assert "--trust" not in str(told.value)


def test_a_first_photo_that_takes_too_long_is_told_how_to_allow_it(
    export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voilearn.learner.cost.OPENING_SECONDS", 0)
    with pytest.raises(UnusableModel, match=r"takes too long.*VOILEARN_COST=2"):
        load_classify(export)


def test_a_loss_of_the_author_s_is_told_to_be_assumed(tmp_path: Path) -> None:
    export = make_export(tmp_path, CategoryBlock, MyLoss(), parity)
    told = read_export_file(export).to_dict()
    assert (told["activation"], told["activation_assumed"]) == ("softmax", True)


def test_a_learner_that_gives_no_answer_is_told_when_it_is_opened(tmp_path: Path) -> None:
    broken = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(7, 2))
    sized = {"net": broken, "item_tfms": Resize(32)}
    export = make_export(tmp_path, CategoryBlock, CrossEntropyLossFlat(), parity, **sized)
    with pytest.raises(UnusableModel, match="does not run on a picture"):
        load_classify(export)
    with pytest.raises(UnusableModel, match="gives no answer"):
        load_classify(export, trust=True)


def test_a_learner_of_no_pictures_is_told(tmp_path: Path) -> None:
    numbers = TransformBlock(type_tfms=lambda path: torch.tensor([float(path.stem)]))
    net = torch.nn.Linear(1, 2)
    loss = CrossEntropyLossFlat()
    export = make_export(tmp_path, CategoryBlock, loss, parity, images=numbers, net=net)
    with pytest.raises(UnusableModel, match="not one that sorts pictures"):
        load_classify(export)


def rewritten(export: Path, target: Path, changed: dict[bytes, bytes]) -> Path:
    """Write an export anew with some of its pickle's bytes changed."""
    with zipfile.ZipFile(export) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.namelist():
            data = old.read(member)
            if member.endswith("data.pkl"):
                for before, after in changed.items():
                    assert before in data
                    data = data.replace(before, after)
            new.writestr(member, data)
    return target


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize("kind", [b"PosixPath", b"WindowsPath"])
@pytest.mark.parametrize("module", [b"pathlib", b"pathlib._local"])
def test_an_export_made_elsewhere_opens(
    export: Path, tmp_path: Path, module: bytes, kind: bytes, trust: bool
) -> None:
    """It holds the paths of Windows, or of Python 3.13."""
    changed = {b"cpathlib\nPosixPath\n": b"c" + module + b"\n" + kind + b"\n"}
    load_learner(rewritten(export, tmp_path / "elsewhere.pkl", changed), trust)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnusableModel, match=r"no file export\.pkl"):
        load_classify(tmp_path / "export.pkl")


@pytest.fixture
def of_an_author(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An export with a class of its notebook's, whole, which imports a module of its author's."""
    (tmp_path / "their_layers.py").write_text("def same(photos):\n    return photos\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    theirs = importlib.import_module("their_layers")

    class OfANotebook(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = network(2)

        def forward(self, photos: Any) -> Any:
            return theirs.same(self.layers(photos))

    yield make_export(
        tmp_path,
        CategoryBlock,
        CrossEntropyLossFlat(),
        parity,
        net=OfANotebook(),
        item_tfms=Resize(32),
    )
    sys.modules.pop("their_layers", None)


def test_a_module_that_an_author_s_class_imports_is_named(
    of_an_author: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fastai's load_learner loses the name of what could not be imported."""
    monkeypatch.delitem(sys.modules, "their_layers")
    (of_an_author.parent / "their_layers.py").unlink()
    importlib.invalidate_caches()
    with pytest.raises(UnusableModel, match="needs the Python package their_layers"):
        load_learner(of_an_author, trust=True)


@pytest.mark.parametrize("trust", [False, True])
def test_a_network_that_gives_no_row_of_numbers_is_told_what_to_end_in(
    tmp_path: Path, trust: bool
) -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1))
    path = make_export(
        tmp_path, CategoryBlock, CrossEntropyLossFlat(), parity, net=net, item_tfms=Resize(32)
    )
    with pytest.raises(UnusableModel, match=r"answers a photo with 2 x 1 x 1 numbers.*Flatten\(\)"):
        load_classify(path, trust)


def test_a_trusted_class_of_the_author_s_own_answers(of_an_author: Path) -> None:
    classify = load_classify(of_an_author, trust=True)
    assert set(classify(encode(draw(), "PNG")).probabilities) == {"even", "odd"}


def written_by_another(export: Path, target: Path) -> Path:
    """Write an export anew as if its functions were of another Python."""
    here = opcode.opmap["RESUME"]
    other = 149 if here == 151 else 151
    return rewritten(export, target, {f"{chr(here)}\0".encode(): f"{chr(other)}\0".encode()})


def test_code_that_another_python_wrote_is_not_run(of_an_author: Path, tmp_path: Path) -> None:
    other = "3.13" if opcode.opmap["RESUME"] == 151 else "3.11 or 3.12"
    foreign = written_by_another(of_an_author, tmp_path / "foreign.pkl")
    with pytest.raises(UnusableModel, match=f"the bytecode of Python {other}, and that runs in no"):
        load_learner(foreign, trust=True)


class Elsewhere:
    """Stands for what only the author's notebook has."""


@pytest.mark.parametrize(
    ("gone", "told"),
    [
        ("no_such_package", "pip install no_such_package"),
        ("fastcore.transform", r"fastai before 2\.8"),
        ("tests.conftest", r"class of its author's own, tests\.conftest\.Elsewhere, which is not"),
    ],
)
def test_an_export_that_needs_what_is_not_here_names_it(
    tmp_path: Path, gone: str, told: str
) -> None:
    """The pickle asks for a class that is nowhere."""
    with pytest.raises(UnusableModel, match=told):
        load_classify(by_hand(tmp_path, b"c" + gone.encode() + b"\nElsewhere\n"), trust=True)


def by_hand(folder: Path, asked: bytes) -> Path:
    """A legacy export whose pickle asks for something beside the learner."""
    body = b"\x80\x02(cfastai.learner\nLearner\n" + asked + b"t."
    magic = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2)
    (folder / "export.pkl").write_bytes(magic + body + pickle.dumps([], 2))
    return folder / "export.pkl"


def test_code_that_fails_as_it_is_loaded_is_told_with_what_is_installed(tmp_path: Path) -> None:
    path = by_hand(tmp_path, b"coperator\ntruediv\nK\x01K\x00\x86R")
    told = r"by its own code \(ZeroDivisionError\)\. .*Python 3\.\d+, torch \d.*, fastai 2"
    with pytest.raises(UnusableModel, match=told):
        load_classify(path, trust=True)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("2.3.1-author_item_transform", r"--trust .*But --trust opens only .* 2\.8 or newer"),
        ("2.7.13-author_network", r"--trust .*But --trust opens only exports of fastai 2\.8"),
        ("2.8.12-author_network", "where the file is opened.$"),
    ],
)
def test_what_stands_in_the_way_of_trust_too_is_told(path: str, told: str) -> None:
    hindrance = read_export_file(EXPORTS / f"{path}.pkl").hindrance
    if opcode.opmap["RESUME"] == 151:  # the Python that wrote the last of them
        assert re.search(told, hindrance or "")


def test_that_another_python_wrote_it_is_told_before_it_is_trusted(
    of_an_author: Path, tmp_path: Path
) -> None:
    foreign = written_by_another(of_an_author, tmp_path / "foreign.pkl")
    export = read_export_file(foreign)
    assert export.other_python == export.to_dict()["other_python"] is not None
    told = f"--trust .*But its functions are the bytecode of Python {export.other_python}: --trust"
    assert re.search(told, export.hindrance or "")
    assert f"bytecode of Python {export.other_python}" in " ".join(describe(export).split())
    assert read_export_file(of_an_author).other_python is None
