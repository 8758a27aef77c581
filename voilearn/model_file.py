"""Look at a model's file before anybody reads it: is it there, what is it, which one is it.

In come a path or a file's first bytes; out go UnusableModel with a sentence that says what stands
in the model's place and what to do, or the SHA-256 that is in every answer, 64 hex digits. What
people have most often is in the first lines of `HEADS`: of 126 files named export.pkl on GitHub, 88
were Git LFS pointers.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from voilearn.errors import UnusableModel, printable, shown
from voilearn.no_file import no_file


def sha256_of(file: BinaryIO) -> str:
    """Return the SHA-256 of an open file, from its beginning to its end."""
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(1_000_000):
        digest.update(block)
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of the file at a path."""
    with path.open("rb") as file:
        return sha256_of(file)


def scope_beside(path: Path) -> Path:
    """Return where the scope of an export.pkl would be: export.scope.json."""
    return path.with_suffix(".scope.json")


def model_files(path: Path) -> list[Path]:
    """Return the files that make a model: an export.onnx and its export.json, or an export.pkl.

    The export.scope.json beside an export.pkl is one of them only while it is there.
    """
    if path.suffix.lower() == ".onnx":
        return [path, path.with_suffix(".json")]
    scope = scope_beside(path)
    return [path, scope] if scope.is_file() else [path]


def model_sha256(path: Path) -> str:
    """Return the SHA-256 of a model's file, and of those beside it that are of its answers."""
    return files_sha256([path, *(file for file in model_files(path)[1:] if file.is_file())])


def files_sha256(files: Sequence[Path]) -> str:
    """Return one SHA-256 for some files in their order; of one alone, its own."""
    each = [file_sha256(file) for file in files]
    return each[0] if len(each) == 1 else hashlib.sha256(" ".join(each).encode()).hexdigest()


EXPORT = "Run learn.export() where the model was trained, and use the export.pkl that it writes."


def check_is_a_file(path: Path) -> None:
    """Raise UnusableModel unless `path` is a regular file that is not empty."""
    if found := no_file(str(path), "Name the model's file in it."):
        what, instead = found
        name = shown(path) if path.is_absolute() else printable(str(path), 80)
        raise UnusableModel(f"{name} is {what}. {instead}")
    try:
        size = path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        raise UnusableModel(
            f"There is no file {shown(path)} here. Put the export.pkl that learn.export() wrote "
            "beside app.ipynb, or give its path in place of this one."
        ) from None
    except OSError as error:
        raise UnusableModel(f"{shown(path)} can't be read: {error.strerror}.") from error
    if not size:
        raise UnusableModel(f"{shown(path)} is empty: it has 0 bytes. Export or download it again.")


def is_onnx(head: bytes) -> bool:
    """Say whether a file's first kilobyte is an ONNX model's."""
    return bool(re.match(ONNX, head, re.DOTALL))


def check_head(name: str, head: bytes) -> None:
    """Raise UnusableModel where a file's first kilobyte tells that it is something else."""
    head = _without_mark(head)
    for pattern, sentence in HEADS:
        if re.match(pattern, head, re.DOTALL | re.IGNORECASE):
            raise UnusableModel(f"{name} is {sentence}")
    text = head[:60].decode("utf-8", "replace").strip()
    if len(text) > 8 and text.isprintable() and not text.startswith("("):
        raise _of_text(name, text)


def check_was_begun(name: str, head: bytes) -> None:
    """Raise UnusableModel for a file that could not be read, and never was what torch.save writes.

    Not before reading it: a pickle of protocol 0 is text.
    """
    text = _without_mark(head[:60]).decode("utf-8", "replace").strip()
    if all(c.isprintable() or c.isspace() for c in text) and "\ufffd" not in text[:-1]:
        raise _of_text(name, text)
    if not head.startswith((b"PK", b"\x80")):
        begun = head[:8].hex(" ")
        raise UnusableModel(f"{name} is no export.pkl: it begins with the bytes {begun}. {EXPORT}")


def _of_text(name: str, text: str) -> UnusableModel:
    line = printable(next(iter(text.splitlines()), ""), 60)
    return UnusableModel(f"{name} is a text file that begins with {line!r}. {EXPORT}")


def _without_mark(head: bytes) -> bytes:
    """Return a text without its byte order mark, in UTF-8; anything else as it is."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head[: len(head) // 2 * 2].decode("utf-16", "replace").encode()
    return head.removeprefix(b"\xef\xbb\xbf")


UNPACK = "Unpack it, and use the export.pkl inside."
NAME_A_MODEL = (
    "Name a model in its place: an export.pkl, or an export.onnx (for classify: --model FILE, then "
    "the photos)."
)
CORE_ML = rb"\x08[\x01-\x0f]\x12.{1,2}?\x0a"
ONNX = (
    rb"(?!" + CORE_ML + rb")(\x08[\x01-\x0f].{0,64}(pytorch|onnx|tf2onnx)"
    rb"|\x08[\x01-\x0f][\x12\"(2:B])"
)
HEADS: tuple[tuple[bytes, str], ...] = (
    (
        rb"version https://git-lfs",
        "only a Git LFS pointer: the model itself was not downloaded. Run `git lfs install` and "
        "then `git lfs pull` in this folder.",
    ),
    (
        rb"(\.\./)*(\.git)?/annex/objects/",
        "only a git-annex pointer: the model itself was not downloaded. Run `git annex get` with "
        "its name.",
    ),
    (
        rb"(md5: |outs:|deps:|wdir:)",
        "only a DVC pointer: the model itself was not downloaded. Run `dvc pull` in this folder.",
    ),
    (
        rb"# xet version",
        "only a Xet pointer: the model itself was not downloaded. Run `git xet install` and then "
        "`git lfs pull` in this folder, or download it with huggingface_hub.",
    ),
    (
        rb"\s*+<[a-z!?]",
        "a web page, saved in the place of the model. On the page you downloaded it from, use the "
        "Download (or Raw) button.",
    ),
    (
        rb".{8}\{\s*\"",
        "a safetensors file: weights alone, without the learner. Build the learner as you did for "
        "training, learn.model.load_state_dict(safetensors.torch.load_file(…)), learn.export().",
    ),
    (
        CORE_ML,
        f"a Core ML model: no runtime of it is here, and it has no transforms. {EXPORT}",
    ),
    (
        ONNX,
        "an ONNX model. If `voilearn compile` wrote it, name it export.onnx, with its export.json "
        "beside it; otherwise use the export.pkl that it was made of.",
    ),
    (rb".{4}TFL3", f"a TensorFlow Lite model, not a fastai export. {EXPORT}"),
    (rb"GGUF|GGML|lmgg|fmgg|tjgg", f"a language model (GGUF), not a fastai export. {EXPORT}"),
    (rb"\x89HDF", f"an HDF5 file, as Keras writes it, not a fastai export. {EXPORT}"),
    (rb"\x93NUMPY", f"a numpy array, not a fastai export. {EXPORT}"),
    (
        rb"\x00\x05\x16\x07",
        "a side file of macOS (._export.pkl), not the model itself. Copy the file without the ._ "
        "in front of its name.",
    ),
    (rb"\x00{512}", "all zeros: a download that was not finished. Download it again."),
    (
        rb"(sys_info|pickle|storages|tensors)\x00.{200,}ustar",
        f"written by a torch of 2016, before any fastai that is read here. {EXPORT}",
    ),
    (rb".{257}ustar", f"a tar archive. {UNPACK}"),
    (
        rb"x[\x01^\x9c\xda]|\x5d\x00\x00",
        "compressed, as joblib.dump does it. If a learner is in it: learn = joblib.load(…), then "
        "learn.export(), and use the export.pkl that this writes.",
    ),
    (
        rb"\x1f\x8b|BZh|7z\xbc|Rar!|\xfd7zXZ|\x28\xb5\x2f\xfd|\x04\x22\x4d\x18",
        f"a compressed archive. {UNPACK}",
    ),
    (
        rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF.{4}WEBP|II\*\x00|MM\x00\*|BM.{4}\x00{4}|P[1-6]\s"
        rb"|.{4}ftyp(hei|hev|avi[fs]|mif|msf)",
        f"a picture. {NAME_A_MODEL}",
    ),
    (
        rb".{4}ftyp|RIFF.{4}(WAVE|AVI )|ID3|OggS|\x1aE\xdf\xa3",
        f"a video or a sound. {NAME_A_MODEL}",
    ),
    (rb"%PDF", f"a PDF document. {EXPORT}"),
    (
        rb'\s*\{\s*"model": \{\s*"name"',
        "what `voilearn compile` writes about a model. Name the export.onnx beside it.",
    ),
    (rb"\s*\{", f"a JSON or text file, not a fastai export. {EXPORT}"),
)
