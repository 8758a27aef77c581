"""Tell files apart by what is in them: the SHA-256 that stands in every answer.

In comes a file; out go 64 hex digits.
"""

import hashlib
from pathlib import Path
from typing import BinaryIO


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


def model_sha256(path: Path) -> str:
    """Return the SHA-256 of a model's file; of an export.onnx, with the export.json beside it."""
    sha256 = file_sha256(path)
    beside = path.with_suffix(".json")
    if path.suffix.lower() != ".onnx" or not beside.is_file():
        return sha256
    return hashlib.sha256(f"{sha256} {file_sha256(beside)}".encode()).hexdigest()
