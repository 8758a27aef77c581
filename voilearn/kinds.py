"""Say what a file is that could not be opened: damaged, of a kind not read here, or no picture.

In come its bytes; out goes the PhotoError that is true of it. A name's ending tells nothing.
"""

import re
from collections.abc import Iterator

from voilearn import tiff
from voilearn.errors import DamagedPhoto, PhotoError, UnsupportedPhoto

# What a file of each kind that is read begins with: (offset, bytes).
SIGNATURES = (
    (0, b"\xff\xd8\xff"),
    (0, b"\x89PNG\r\n\x1a\n"),
    (0, b"GIF8"),
    (8, b"WEBP"),
    (0, b"BM"),
    (4, b"ftypavif"),
    (4, b"ftypavis"),
)
NETPBM = re.compile(rb"P[1-6f]\s+[#\d-]")
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}

# And of kinds that people send, and that are not: pictures, and others.
MODEL = re.compile(
    rb"PK\x03\x04.{26}[^/]{1,200}/data\.pkl|\x80[\x02-\x05]|\x08[\x01-\x0f](\x12|.{0,64}(pytorch|onnx))",
    re.DOTALL,
)
RAW = "a camera's raw file"
VIDEO = "a video"
PICTURES = (
    (0, b"8BPS", "a Photoshop file"),
    (4, b"jP  \r\n", "a JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL"),
    (0, b"\xff\x0a", "a JPEG XL"),
    (0, b"II\xbc\x01", "a JPEG XR"),
    (128, b"DICM", "a DICOM file"),
    (0, b"v/1\x01", "an OpenEXR file"),
    (0, b"#?RADIANCE", "a Radiance HDR file"),
    (0, b"PF\n", "a PFM in colour"),
    (0, b"P7\n", "a PAM"),
    (4, b"ftypcrx ", RAW),
    *((0, magic, RAW) for magic in (b"FUJIFILMCCD-RAW", b"IIRO", b"IIU\0", b"FOVb", b"\0MRM")),
)
OTHERS = (
    *PICTURES,
    (0, b"%PDF", "a PDF"),
    (0, b"<svg", "an SVG drawing"),
    (0, b"\0\0\1\0", "an icon"),
    (0, b"PK\3\4", "a ZIP archive"),
    (0, b"<!doctype", "a web page"),
    (0, b"<!DOCTYPE", "a web page"),
    (0, b"<html", "a web page"),
    (0, b"version https://git-lfs", "only a Git LFS pointer to the picture"),
    *((4, b"ftyp" + brand, VIDEO) for brand in (b"qt  ", b"isom", b"mp4", b"3gp", b"M4V")),
    (0, b"\x1aE\xdf\xa3", VIDEO),
    (8, b"AVI ", VIDEO),
)
HEAD = 160  # bytes of a file, by which `is_picture` tells it
# What a decoder says of a file that it knows, and knows no way to read: Pillow, and libheif.
UNREAD = (("Unsupported BMP", "BMP"), ("Support for this compression format", "HEIF"))

JPEG_LS, JPEG_SCAN, JPEG_END = 0xF7, 0xDA, b"\xff\xd9"
JPEG_FRAMES = {*range(0xC0, 0xD0), JPEG_LS} - {0xC4, 0xC8, 0xCC}
JPEG_HIERARCHICAL = {0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF}
MAX_HEADER = 1_000_000  # bytes of a JPEG before its frame
PADDING = 4096  # zeros: Windows puts 2,060 into EXIF, which may stand last
PIXELS_A_ZERO = 5_000  # a lossy WebP of one colour has a zero for each 10,000, all at its end


def refusal(data: bytes, formats: tuple[str, ...], error: Exception) -> PhotoError:
    """Return the true error of a file that Pillow, reading `formats`, gave up with `error`."""
    heic = "HEIF" in formats
    if data.startswith(b"\xff\xd8") and (jpeg := _odd_jpeg(data[:MAX_HEADER])):
        return UnsupportedPhoto(f"This is {jpeg}, which is not read here. {tiff.SAVE_AS}")
    for decoder_says, kind in UNREAD:
        if decoder_says in str(error):
            return UnsupportedPhoto(f"This is a {kind} of a kind that is not read. {tiff.SAVE_AS}")
    if _begins_as_read(data) or tiff.is_tiff(data) or (_is_heic(data) and heic):
        return DamagedPhoto(
            "This picture is damaged or incomplete, so it can't be opened. "
            "Please send the original file again, or another photo."
        )
    if _is_heic(data):
        return UnsupportedPhoto(
            "This is a HEIC photo, which can't be read here. Please send it as a JPEG (whoever "
            "runs this app can add HEIC with: pip install pi-heif)."
        )
    return UnsupportedPhoto(
        f"This file is {_named(data)}not a picture we can read. "
        f"Please choose a photo: JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF{', HEIC' * heic}."
    )


def is_named(data: bytes) -> bool:
    """Say whether a file that is not read has a name here, or begins as a text that is read."""
    return bool(_named(data) or NETPBM.match(data))


def is_picture(head: bytes) -> bool:
    """Say whether a file that begins so, with HEAD bytes, is a picture, of a kind read or not."""
    if head.startswith(b"BM"):  # as words do, too; of a BMP there follow its size and zeros
        return head[6:10] == bytes(4)
    if _begins_as_read(head) or tiff.is_tiff(head) or _is_heic(head):
        return True
    return any(head.startswith(magic, at) for at, magic, _ in PICTURES)


def _named(data: bytes) -> str:
    if MODEL.match(data[:400]):
        return "a model, "
    return next((f"{name}, " for at, magic, name in OTHERS if data.startswith(magic, at)), "")


def _begins_as_read(data: bytes) -> bool:
    known = any(data.startswith(magic, at) for at, magic in SIGNATURES)
    return known or bool(NETPBM.match(data))


def _is_heic(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12] in HEIC_BRANDS


def _odd_jpeg(head: bytes) -> str | None:
    """Name a JPEG that no decoder of photos reads, by its frame; None for any other."""
    marker, at = next(((m, at) for m, at in _segments(head) if m in JPEG_FRAMES), (0, 0))
    if marker == JPEG_LS:
        return "a JPEG-LS"
    if marker in JPEG_HIERARCHICAL:
        return "a hierarchical JPEG"
    if marker and (bits := head[at + 4]) != 8:
        return f"a JPEG of {bits} bits"
    if marker and (channels := head[at + 9]) not in (1, 3, 4):
        return f"a JPEG of {channels} channels"
    return None


def _segments(jpeg: bytes) -> Iterator[tuple[int, int]]:
    """Yield the marker of each segment of a JPEG, and where it is, up to the first scan."""
    at = 2
    while jpeg[at : at + 1] == b"\xff" and at + 10 <= len(jpeg):
        marker = jpeg[at + 1]
        yield marker, at
        if marker == JPEG_SCAN:
            return
        at += 1 if marker == 0xFF else 2 + int.from_bytes(jpeg[at + 2 : at + 4])


def is_padded(data: bytes, pixels: int) -> bool:
    """Say whether a picture of so many pixels ends in zeros, as a download that was not finished.

    For JPEG, WebP, AVIF and HEIC, whose decoders may make a picture of them all the same.
    """
    if data.startswith(b"\xff\xd8"):
        scan = next((at for marker, at in _segments(data) if marker == JPEG_SCAN), 0)
        return data.endswith(bytes(16)) and data.find(JPEG_END, scan) < 0
    end = _end_of_boxes(data) if data[4:8] == b"ftyp" else 8 + int.from_bytes(data[4:8], "little")
    return data[:end].endswith(bytes(PADDING + pixels // PIXELS_A_ZERO))


def _end_of_boxes(data: bytes) -> int:
    at = 0
    while data[at + 4 : at + 8].isalnum():
        size = int.from_bytes(data[at : at + 4])
        if size == 1:  # it follows, in 64 bits
            size = int.from_bytes(data[at + 8 : at + 16])
        at = at + size if size >= 8 else len(data)  # 0 is up to the end
    return at
