"""Say what was sent in the place of a photo's bytes, and how to send those.

In come a body that no picture can be made of, and the error that says so; out goes an error with a
sentence for whoever wrote the program, or the same error. Only the first bytes are looked at, and
none of them are told.
"""

import codecs
import re

from voilearn.errors import DamagedPhoto, EmptyPhoto, PhotoError, printable
from voilearn.wire import CHOSEN

SEND = (
    "Send the photo's bytes as the whole body, or a form with its file as the field photo: "
    "curl --data-binary @photo.jpg, or curl -F photo=@photo.jpg."
)
INFER = "The Open Inference Protocol has an address of its own: /v2/models/NAME/infer."
LOOKED_AT = 4096  # bytes
READ_AS_TEXT = "a file that was read as text, which spoils its bytes"
PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"BM", b"II*", b"MM\0*")
BINARY = {
    b"\x1f\x8b": "packed in gzip",
    b"\x28\xb5\x2f\xfd": "packed in zstd",
    b"\x93NUMPY": "a numpy array",
    b"\x80\x04\x95": "a pickle of Python",
    b"\x80\x05\x95": "a pickle of Python",
}
TEXTS = {
    r"data:": "a data URI",
    r"[\w+.-]+://|(blob|file|content):\S": "an address, from which nothing is fetched",
    r"[0-9a-f]{6,8}:? +([0-9a-f]{2,4} +){4}": "the hexadecimal digits of a file",
    r"@?([\w ~.:-]*[/\\])*[^/\\\n<>{}\[\]=&]{1,200}\.\w{2,5}\s*$": "the name of a file",
    r"\[object ": "a JavaScript object written as text",
    r"b['\"]|<_io\.|<[\w. ]+ at 0x|<PIL\.|<FileStorage|\{\s*'": "a Python object written as text",
    r"--\S+\r?\nContent-": "a form whose Content-Type is not multipart/form-data with its boundary",
    r"[\[{]\s*([\"\[{\]}\d-]|true|false|null)|\"": "JSON",
    r"<": "XML or HTML",
    r"(\d{1,3}\s*,\s*){8}": "the bytes of a file written as numbers",
    r"[0-9a-f\s:,]{64,}$|(0x[0-9a-f]{2}[\s,]*){8}": "the hexadecimal digits of a file",
    r"[a-z0-9_+/\r\n-]{64,}=*\s*$": "base64",
    r"[\w.%\[\]+*-]{1,100}=": "a form of texts (application/x-www-form-urlencoded)",
}


def told(error: PhotoError, body: bytes, kind: str) -> PhotoError:
    """Return the error of a body as it is to be told; `kind` is its Content-Type.

    A photo that a person chose is their matter, not that of a program: it keeps its sentence.
    """
    if kind == CHOSEN:
        return error
    in_form = kind.lower().startswith("multipart/")
    where = "The field photo" if in_form else "The body"
    if isinstance(error, EmptyPhoto):
        return EmptyPhoto(f"{where} is empty. {SEND}")
    seen = what_is(body)
    if seen is None:
        return error
    more = f" {INFER}" if seen == "JSON" and b'"inputs"' in body[:LOOKED_AT] else ""
    labelled = f" ({printable(kind, 60)})" if seen == "text" and kind and not in_form else ""
    return type(error)(f"{where} is {seen}{labelled}, not a picture. {SEND}{more}")


def what_is(body: bytes) -> str | None:
    """Return what a body is that is no picture, or None where that can't be told."""
    for beginning, name in BINARY.items():
        if body.startswith(beginning):
            return name
    text = _text(body[:LOOKED_AT])
    if text is None:
        return READ_AS_TEXT if _was_read_as_text(body[:LOOKED_AT]) else None
    if re.search(r"<svg\b", text, re.IGNORECASE):
        return None
    for pattern, name in TEXTS.items():
        if re.match(pattern, text, re.IGNORECASE):
            return name
    from voilearn.kinds import is_named  # with Pillow, which has had the body by now

    return None if is_named(body) else "text"


def check_unstripped(body: bytes) -> None:
    """Raise DamagedPhoto for a photo whose line ends were taken out, as `curl -d` does.

    The head of every picture has a zero byte; without one in all of it, some were taken out.
    """
    if body.startswith(PICTURES) and not any(byte in body for byte in (b"\0", b"\r", b"\n")):
        raise DamagedPhoto(
            "This photo came without its line ends and zero bytes, which curl -d takes out of a "
            "file. Use --data-binary in its place: curl --data-binary @photo.jpg."
        )


def _was_read_as_text(head: bytes) -> bool:
    """Say whether bytes are UTF-8 as no photo is: of its bytes as Latin-1, or without them."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return len(re.findall(r"[\x80-\xff\ufffd]", text)) > len(text) // 50


def _text(head: bytes) -> str | None:
    """Return bytes as text, if they are any."""
    coding = "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        coding = "utf-16"
    elif head[1::2].count(0) > len(head) // 3:
        coding = "utf-16-le"
    elif head[::2].count(0) > len(head) // 3:
        coding = "utf-16-be"
    try:
        text = codecs.getincrementaldecoder(coding)().decode(head)  # the last sign may be cut
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    text = text.lstrip("\ufeff").strip()
    return None if re.search(r"[\0-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f\ufffd]", text) else text
