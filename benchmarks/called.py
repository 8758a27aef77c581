"""Find out which functions of the page's runtime models call, for `voilearn/device/lean.py`.

In come names of architectures (timm's, torchvision's, fastai's), export.pkl files and folders with
an export.onnx; each becomes a model and a page, whose photos a real Chromium answers with a runtime
that counts. What each model calls goes to a file, beside what is there from before; out go
voilearn/device/called.json, of all in that file, and a table: how many functions and which
operators each model shares with no other, which it would have lacked had it not been tried.

    python benchmarks/called.py found.json tests/exports/2.8.12-*.pkl export.pkl
"""

import argparse
import gzip
import hashlib
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from playwright.sync_api import Playwright, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.browser import UPLOAD, browser, classify, new_profile  # noqa: E402
from benchmarks.served import Host  # noqa: E402
from tests.conftest import draw, encode  # noqa: E402
from voilearn.compiled.onnx_file import check_onnx_file  # noqa: E402
from voilearn.device import build as building  # noqa: E402
from voilearn.device.large import pack  # noqa: E402
from voilearn.device.lean import Called, bodies, joined, leb128, number, sections  # noqa: E402
from voilearn.device.npm import RUNTIME, Brought, Package, get_package  # noqa: E402

LIST = """
    resnet18 resnet50 seresnet18 xresnet18 densenet121 vgg11_bn regnetx_002 regnety_002
    mobilenetv2_100 mobilenetv3_small_100 mobilenetv4_conv_small efficientnet_lite0 efficientnet_b0
    tf_efficientnetv2_b0 convnext_atto convnextv2_atto vit_tiny_patch16_224 ghostnet_100
    mobilevit_xxs mixer_s32_224 hrnet_w18_small inception_v3 edgenext_xx_small rexnet_100
    efficientformerv2_s0 poolformer_s12 levit_128s nf_resnet26 repvgg_a0 fastvit_t8 tinynet_e
    resnext50_32x4d squeezenet1_1 googlenet shufflenet_v2_x0_5 alexnet mnasnet0_5 vgg16
    resnet26d resnetv2_50 skresnet18 ecaresnet50t resnest14d cspresnet50 darknet53 dla34 dpn68
    ese_vovnet19b_dw gernet_s gmlp_s16_224 hardcorenas_a lcnet_050 mobileone_s0 pit_ti_224
    coat_tiny convit_tiny crossvit_tiny_240 deit_tiny_patch16_224 cait_xxs24_224 efficientvit_b0
    efficientvit_m0 fbnetv3_b inception_next_tiny mobilevitv2_050 pvt_v2_b0 res2net50_26w_4s
    resmlp_12_224 repghostnet_050 selecsls42 semnasnet_075 tf_mixnet_s tiny_vit_5m_224
    visformer_tiny xception41 xcit_nano_12_p16_224 hgnet_tiny hgnetv2_b0 convformer_s18
    focalnet_tiny_srf ghostnetv2_100 tresnet_m twins_svt_small starnet_s1 wide_resnet50_2
"""
ARCHITECTURES = LIST.split()
WHOLE_TOO = ("resnet18", "vit_tiny_patch16_224", "export")  # with weights of 32 bits
SIZES = ((64, 48), (301, 203), (400, 400), (1200, 1600), (2000, 90))
WAYS = ("squish", "crop", "pad")  # to resize
GLOBAL, EXPORT = 6, 7  # sections
# Sets a global of the function's own, before its first instruction: i32.const 1; global.set
NOTES = b"\x41\x01\x24"
A_GLOBAL = b"\x7f\x01\x41\x00\x0b"  # i32, which changes, and is 0 at first
HOOK = b"""
for (const name of ["instantiate", "instantiateStreaming"]) {
  const made = WebAssembly[name];
  WebAssembly[name] = async (...given) => {
    const result = await made.apply(WebAssembly, given);
    const { exports } = result.instance ?? result;
    if (exports.called_0) globalThis.counting = exports;
    return result;
  };
}
"""
TOLD = """() => {
  const called = []
  for (let at = 0; counting['called_' + at]; at++)
    if (counting['called_' + at].value) called.push(at)
  return called
}"""


class Found(NamedTuple):
    """What one model needs."""

    operators: set[str]
    functions: set[int]


def counting(runtime: Brought) -> Brought:
    """Return a runtime each of whose functions leaves a mark when it is called."""
    binary = gzip.decompress(runtime.binary.packed)
    parts = dict(sections(binary))
    functions = bodies(binary)
    globals_before, at_globals = number(parts[GLOBAL], 0)
    exports_before, at_exports = number(parts[EXPORT], 0)
    marked, names = [], []
    for at, body in enumerate(functions):
        groups, start = number(body, 0)  # of locals of one type
        for _ in range(groups):
            start = number(body, start)[1] + 1
        mark = leb128(globals_before + at)
        marked.append(body[:start] + NOTES + mark + body[start:])
        name = f"called_{at}".encode()
        names.append(leb128(len(name)) + name + b"\x03" + mark)
    count = len(functions)
    parts[GLOBAL] = leb128(globals_before + count) + parts[GLOBAL][at_globals:] + A_GLOBAL * count
    parts[EXPORT] = leb128(exports_before + count) + parts[EXPORT][at_exports:] + b"".join(names)
    parts[10] = leb128(count) + b"".join(leb128(len(body)) + body for body in marked)
    counted = joined(iter(parts.items()))
    return Brought(
        HOOK + runtime.script, pack(RUNTIME.what, "ort", "wasm", counted), runtime.licence
    )


def learner(name: str, folder: Path, at: int) -> Path:
    """Write the export.pkl of a learner that was not trained; every third has several labels."""
    import pandas
    import torchvision
    from fastai.vision.all import (
        ImageDataLoaders,
        Normalize,
        Resize,
        imagenet_stats,
        vision_learner,
        xresnet18,
    )

    for photo in range(8):
        (folder / f"{photo}.png").write_bytes(encode(draw((80, 60)), "PNG"))
    side = {"inception_v3": 299, "crossvit_tiny_240": 240}.get(name, 224)
    loaders = ImageDataLoaders.from_df(
        pandas.DataFrame(
            {"name": [f"{photo}.png" for photo in range(8)], "label": list("abcdabcd")}
        ),
        folder,
        label_delim=" " if at % 3 == 2 else None,
        item_tfms=Resize(side, method=WAYS[at % len(WAYS)]),
        batch_tfms=Normalize.from_stats(*imagenet_stats),
        bs=4,
        num_workers=0,
    )
    architecture = {"xresnet18": xresnet18}.get(name) or getattr(torchvision.models, name, name)
    learn = vision_learner(loaders, architecture, pretrained=False, normalize=False, path=folder)
    learn.export()
    return folder / "export.pkl"


def compiled(name: str, at: int, folder: Path) -> Iterator[Path]:
    """Yield the folders of a model that is compiled: of an architecture, or of an export."""
    from voilearn.compiled.compile import compile_learner

    file = Path(name)
    if (file / "export.onnx").exists():
        yield file
        return
    export = file if file.suffix == ".pkl" else learner(name, folder, at)
    for bits in (8, 32) if file.stem in WHOLE_TOO else (8,):
        compile_learner(export, folder / str(bits), weights=bits)
        yield folder / str(bits)


def called(playwright: Playwright, page_folder: Path, photos: list[Path]) -> set[int]:
    """Return the functions that a page's runtime calls for photos."""
    host = Host(page_folder, None)
    with new_profile() as profile, browser(playwright, profile) as context:
        page = context.new_page()
        page.goto(host.url, wait_until="domcontentloaded")
        for photo in photos:
            classify(page, UPLOAD, photo)
        (worker,) = (each for each in page.workers if each.url.endswith("/worker.js"))
        found: list[int] = worker.evaluate(TOLD)
    return set(found)


def find(names: Iterable[str], kept: Path) -> None:
    """Find out what each model needs that is not in the file yet, and write it there."""
    runtime = get_package(RUNTIME, None, print)
    with (
        tempfile.TemporaryDirectory() as scratch,
        sync_playwright() as playwright,
        mock.patch.object(building, "get_package", partial(_instead, counting(runtime))),
    ):
        photos = [Path(scratch, f"{width}x{height}.jpg") for width, height in SIZES]
        for photo, size in zip(photos, SIZES, strict=True):
            photo.write_bytes(encode(draw(size), "JPEG"))
        for at, name in enumerate(names):
            if Path(name).name in read(kept):
                continue
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                operators, functions = set[str](), set[int]()
                try:
                    for made in compiled(name, at, Path(folder)):
                        page = Path(folder, f"page-{made.name}")
                        building.build(made, page.with_name("app.ipynb"), page)
                        functions |= called(playwright, page, photos)
                        operators |= set(check_onnx_file(made / "export.onnx").operators)
                except Exception as error:  # noqa: BLE001  # whatever a library's may be
                    print(f"{name}: {error}", file=sys.stderr)  # so no page has it
                    continue
            found = {**read(kept), Path(name).name: Found(operators, functions)}
            told = {name: [sorted(each) for each in needs] for name, needs in found.items()}
            kept.write_text(json.dumps(told))
            print(f"{name}: {len(functions)} functions", file=sys.stderr)


def read(kept: Path) -> dict[str, Found]:
    """Return what was found out of models before, by name."""
    told = json.loads(kept.read_text()) if kept.exists() else {}
    return {name: Found(*map(set, needs)) for name, needs in told.items()}


def _instead(counted: Brought, package: Package, *given: Any) -> Brought:
    return counted if package is RUNTIME else get_package(package, *given)


def table(found: dict[str, Found]) -> Iterator[str]:
    """Return the lines of the table."""
    counts = Counter(function for each in found.values() for function in each.functions)
    operators = Counter(operator for each in found.values() for operator in each.operators)
    yield "| model | functions | of no other model | operators of no other model |"
    yield "|---|---|---|---|"
    for name, each in found.items():
        own = sum(counts[function] == 1 for function in each.functions)
        alone = sorted(operator for operator in each.operators if operators[operator] == 1)
        yield f"| {name} | {len(each.functions)} | {own} | {', '.join(alone)} |"


def main() -> None:
    """Find out, write, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kept", type=Path, help="the file with what was found out of each model")
    parser.add_argument(
        "names", nargs="*", help="export.pkl files, folders, and more architectures"
    )
    chosen = parser.parse_args()
    find([*ARCHITECTURES, *chosen.names], chosen.kept)
    found = read(chosen.kept)
    runtime = gzip.decompress(get_package(RUNTIME, None, print).binary.packed)
    operators = frozenset[str]().union(*(each.operators for each in found.values()))
    functions = frozenset[int]().union(*(each.functions for each in found.values()))
    Called(hashlib.sha256(runtime).hexdigest(), operators, functions).write()
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
