"""The multipart form of an upload: one file or several, and small fields of text, parsed while it arrives."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from api_gateway.errors import BadMultipart, NoFile
from service_kit.errors import UnsupportedMediaType

FIELD = "image_file"
PASSWORD_FIELD = "password"  # noqa: S105 - the field's name, not a password

_LONGEST_BOUNDARY = 256
_LONGEST_PREAMBLE = 64 * 1024  # with the line of the first boundary
_LONGEST_LINE = 2 * _LONGEST_BOUNDARY  # of a boundary, with blanks behind it
_LONGEST_PART_HEAD = 16 * 1024
_MOST_HEADERS = 64
_NO_BOUNDARY = "The form's first boundary is missing."
_LONGEST_TEXT = 1024
_MOST_TEXTS = 64


class Fields(NamedTuple):
    """Names of fields. `file`: None if the first field is the file. `texts`: None if there may be any others."""

    file: str | None = FIELD
    texts: tuple[str, ...] | None = (PASSWORD_FIELD,)

    @property
    def text(self) -> str:
        if self.texts is None or self.file is None:
            return f"The form takes one file{f', {self.file}' if self.file else ''}."
        return (
            f"The form takes the fields {' and '.join((self.file, *self.texts))}. Parameters belong in the query."
        )


_OWN_FIELDS = Fields()


class Form:
    """Parses the body piece by piece. Unknown fields are refused, not ignored, unless `fields` lets all pass."""

    def __init__(
        self,
        content_type: str | None,
        on_file: Callable[[memoryview], None],
        begin_file: Callable[[], None] | None = None,
        *,
        fields: Fields = _OWN_FIELDS,
    ) -> None:
        """`on_file` is called with each piece of a file, `begin_file` before its first one.

        Without `begin_file`, the form takes one file.

        Raises:
            UnsupportedMediaType, BadMultipart.
        """
        self._on_file = on_file
        self._begin_file = begin_file
        self._fields = fields
        self._texts: dict[str, bytearray] = {}
        self._found: set[str] = set()
        self._part = ""
        self._in_file = False
        self._has_file = False
        self._ended = False
        self._head_size = 0
        self._name = bytearray()
        self._value = bytearray()
        self._disposition = b""
        boundary = _boundary(content_type, fields.file)
        self._delimiter = b"--" + boundary
        self._first = re.compile(rb"(?:\A|\r\n)%b[ \t]*(?=\r\n|--)" % re.escape(self._delimiter))
        self._preamble: bytes | None = b""  # None: it is over
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
            max_header_count=_MOST_HEADERS,
            max_header_size=_LONGEST_PART_HEAD,
        )

    def feed(self, piece: bytes) -> None:
        if self._preamble is not None:
            piece = self._without_preamble(self._preamble, piece)
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise BadMultipart from error

    def end(self) -> Mapping[str, str]:
        """Check that the form is complete and has a file; return its texts.

        A text that is not UTF-8 is read as Latin-1, which some terminals send.

        Raises:
            BadMultipart, NoFile.
        """
        if self._preamble:
            raise BadMultipart(_NO_BOUNDARY)
        if not self._ended and self._found:
            raise BadMultipart("The form is incomplete.")
        if not self._has_file:
            raise NoFile(f"Send the picture or the document as the multipart field {self._fields.file or FIELD}.")
        return {name: _decoded(text) for name, text in self._texts.items()}

    def _without_preamble(self, before: bytes, piece: bytes) -> bytes:
        """From the first boundary on, without blanks behind it, as the parser requires; empty until it arrives."""
        start = before + piece
        if found := self._first.search(start, max(0, len(before) - _LONGEST_LINE), _LONGEST_PREAMBLE):
            self._preamble = None
            return self._delimiter + start[found.end() :]
        if len(start) > _LONGEST_PREAMBLE:
            raise BadMultipart(_NO_BOUNDARY)
        self._preamble = start
        return b""

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
            raise BadMultipart("The header of a part is too long.")

    def _end_header(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _end_head(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        fields = self._fields
        self._in_file = name == fields.file or (fields.file is None and not self._has_file)
        if not self._in_file and fields.texts is not None and name not in fields.texts:
            raise BadMultipart(fields.text)
        if self._in_file and self._begin_file is not None:
            self._begin_file()
        elif name in self._found:
            raise BadMultipart(f"The form takes one field {name[:80]}.")
        self._has_file = self._has_file or self._in_file
        self._found.add(name)
        self._part = name
        if not self._in_file:
            if len(self._texts) == _MOST_TEXTS:
                raise BadMultipart(f"The form takes at most {_MOST_TEXTS} fields besides files.")
            self._texts[name] = bytearray()

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._on_file(memoryview(data)[start:end])
            return
        text = self._texts[self._part]
        if len(text) + end - start > _LONGEST_TEXT:
            raise BadMultipart(f"The {self._part[:80]} is too long.")
        text += data[start:end]

    def _end(self) -> None:
        self._ended = True


def password_of(fields: Mapping[str, object]) -> str | None:
    """An empty one is none."""
    found = fields.get(PASSWORD_FIELD)
    return found if isinstance(found, str) and found else None


def _decoded(text: bytearray) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _boundary(content_type: str | None, field: str | None) -> bytes:
    media_type, options = parse_options_header(content_type)
    if media_type != b"multipart/form-data":
        raise UnsupportedMediaType(f"Send multipart/form-data with the field {field or FIELD}.")
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise BadMultipart("The Content-Type has no usable boundary.")
    return boundary
