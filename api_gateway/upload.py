"""The picture out of a multipart body, read as it arrives, in memory, within limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from api_gateway.errors import BadMultipart, EmptyFile, FileTooLarge, NoFile, UnsupportedMediaType

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

FIELD = "image_file"

_LONGEST_BOUNDARY = 256
_LONGEST_PART_HEAD = 8 * 1024


async def read_picture(request: Request, max_bytes: int, hold: Callable[[int], None]) -> bytes:
    """The bytes of the field `image_file`; `hold` is told of each piece before it is kept.

    Raises:
        UnsupportedMediaType, BadMultipart, NoFile, EmptyFile, FileTooLarge, and what `hold` raises.
    """
    form = _Form(_boundary(request), max_bytes)
    async for piece in request.stream():
        hold(len(piece))
        form.feed(piece)
    return form.picture()


def _boundary(request: Request) -> bytes:
    media_type, options = parse_options_header(request.headers.get("content-type"))
    if media_type != b"multipart/form-data":
        raise UnsupportedMediaType
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise BadMultipart("The Content-Type names no usable boundary.")
    return boundary


class _Form:
    """One part is expected. What else is in the form is refused rather than silently dropped."""

    def __init__(self, boundary: bytes, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._data = bytearray()
        self._found = False
        self._ended = False
        self._head_size = 0
        self._name = bytearray()
        self._value = bytearray()
        self._disposition = b""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_head,
                "on_part_data": self._part_data,
                "on_end": self._end,
            },
        )

    def feed(self, piece: bytes) -> None:
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise BadMultipart from error

    def picture(self) -> bytes:
        if not self._ended:
            raise BadMultipart("The form is cut short.") if self._found else NoFile()
        if not self._found:
            raise NoFile
        if not self._data:
            raise EmptyFile
        return bytes(self._data)

    def _begin_part(self) -> None:
        self._head_size = 0
        self._disposition = b""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._count_head(end - start)
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._count_head(end - start)
        self._value += data[start:end]

    def _count_head(self, size: int) -> None:
        self._head_size += size
        if self._head_size > _LONGEST_PART_HEAD:
            raise BadMultipart("A part's head is too long.")

    def _end_header(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _end_head(self) -> None:
        _, options = parse_options_header(self._disposition)
        if options.get(b"name", b"").decode("utf-8", "replace") != FIELD:
            raise BadMultipart(f"The form takes one field: {FIELD}. Parameters go into the query.")
        if self._found:
            raise BadMultipart(f"The form takes one {FIELD}.")
        self._found = True

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if len(self._data) + end - start > self._max_bytes:
            raise FileTooLarge(f"The picture is larger than {self._max_bytes} bytes.")
        self._data += data[start:end]

    def _end(self) -> None:
        self._ended = True
