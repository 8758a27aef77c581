"""Find the photo in a form, multipart/form-data, that is in memory.

In come the bytes of a form and its Content-Type; out go those of its field `photo`, whether or not
they have a file's name, or a sentence that says which fields there are.
"""

import asyncio
import binascii
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from voilearn.errors import BadRequest, printable

FIELD = "photo"
SEND = f"With curl: -F {FIELD}=@photo.jpg, or --data-binary @photo.jpg without a form."
LEAVE = (
    "Do not set the header Content-Type yourself: your HTTP library writes one that fits. Or send "
    "the photo's bytes as the whole body."
)
MOST = 100  # parts
PIECE = 1 << 18  # bytes, between which others have their turn


@dataclass(slots=True)
class _Part:
    """One part of a form; of others than the photo, `data` stays empty."""

    headers: dict[bytes, bytes] = field(default_factory=dict)
    name: str = ""
    data: bytearray = field(default_factory=bytearray)

    def content(self) -> bytes:
        coding = self.headers.get(b"content-transfer-encoding", b"").strip().lower()
        return binascii.a2b_base64(self.data) if coding == b"base64" else bytes(self.data)


class _Form:
    """The parts of a form, as the parser finds them."""

    def __init__(self, boundary: bytes) -> None:
        self.parts: list[_Part] = []
        self.whole = False
        self._name, self._value = b"", b""
        self.parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data,
                "on_end": self._end,
            },
        )

    def _begin(self) -> None:
        if len(self.parts) == MOST:
            raise BadRequest(f"This form has over {MOST} fields. {SEND}")
        self.parts.append(_Part())

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self.parts[-1].headers[self._name.lower()] = self._value
        self._name, self._value = b"", b""

    def _headers_end(self) -> None:
        part = self.parts[-1]
        _, options = parse_options_header(part.headers.get(b"content-disposition"))
        part.name = options.get(b"name", b"").decode(errors="replace")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self.parts[-1].name == FIELD:
            self.parts[-1].data += memoryview(data)[start:end]

    def _end(self) -> None:
        self.whole = True


async def photo_in(body: bytes, content_type: str) -> bytes:
    """Return the field `photo` of a form; raise BadRequest if there is not exactly one."""
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not boundary:
        raise BadRequest(f"The Content-Type of this form has no boundary. {LEAVE}")
    start = body.find(b"--" + boundary)
    if start < 0:
        raise BadRequest(f"The boundary of this form is nowhere in the body. {LEAVE}")
    try:
        form = _Form(boundary)
        for at in range(start, len(body), PIECE):  # what stands before the first part is nothing
            form.parser.write(body[at : at + PIECE])
            await asyncio.sleep(0)
        photos = [part for part in form.parts if part.name == FIELD]
        if len(photos) == 1 and form.whole:
            return photos[0].content()
    except (FormParserError, ValueError) as error:
        raise BadRequest(f"This form can't be read. {SEND}") from error
    if not form.whole:
        raise BadRequest("This form ends before its last boundary: some of it is missing.")
    if photos:
        raise BadRequest(f"This form has {len(photos)} photos. Send a request for each.")
    raise BadRequest(f"This form has no field named {FIELD}: {_names(form)}. {SEND}")


def _names(form: _Form) -> str:
    names = [f'"{printable(part.name, 40)}"' for part in form.parts if part.name]
    if not names:
        return "it has no fields that have a name"
    return f"it has {', '.join(names[:5])}{', …' if len(names) > 5 else ''}"
