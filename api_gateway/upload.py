"""The picture or the document out of a multipart body, read as it arrives, within limits.

A picture stays in memory. What may be a document goes to a spool, and its splitter starts while it still arrives.
"""

from __future__ import annotations

import asyncio
import mmap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from api_gateway.documents import kind
from api_gateway.documents.tiff import has_more_pages
from api_gateway.errors import (
    BadMultipart,
    DocumentTooLarge,
    EmptyFile,
    FileTooLarge,
    NoFile,
    UnsupportedMediaType,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.requests import Request

    from api_gateway.documents.incoming import Incoming
    from api_gateway.documents.kind import Kind
    from api_gateway.documents.spool import Spool
    from api_gateway.room import Hold

FIELD = "image_file"
PASSWORD_FIELD = "password"  # noqa: S105 - its name, not one

_LONGEST_BOUNDARY = 256
_LONGEST_PART_HEAD = 8 * 1024
_LONGEST_PASSWORD = 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes."""

    picture: int
    document: int


@dataclass(frozen=True, slots=True)
class Document:
    """A document in a file of its own, which goes when `incoming` is closed."""

    incoming: Incoming
    path: Path
    kind: Kind
    password: str | None


async def read_upload(
    request: Request, limits: Limits, hold: Hold, make_incoming: Callable[[], Incoming]
) -> bytes | Document:
    """A picture, or a document; `make_incoming` is called as soon as the upload may be one.

    Raises:
        UnsupportedMediaType, BadMultipart, NoFile, EmptyFile, FileTooLarge, DocumentTooLarge, and what `hold` and
        `make_incoming` raise.
    """
    file = _File(limits, hold, make_incoming)
    try:
        form = _Form(_boundary(request), file)
        async for piece in request.stream():
            if file.incoming is None:
                hold.keep(len(piece))
            form.feed(piece)
            if file.incoming is not None:
                await file.incoming.spool.settle()
        return await file.finish(form.password())
    except BaseException:
        if file.incoming is not None:
            await file.incoming.close()
        raise


class _File:
    """The field's bytes: in memory, or in the spool once they may be a document."""

    def __init__(self, limits: Limits, hold: Hold, make_incoming: Callable[[], Incoming]) -> None:
        self._limits = limits
        self._hold = hold
        self._make_incoming = make_incoming
        self._data = bytearray()
        self._size = 0
        self._looked = False
        self._kind: Kind | None = None
        self.incoming: Incoming | None = None

    def add(self, piece: memoryview) -> None:
        self._size += len(piece)
        if self.incoming is not None:
            if self._size > self._limits.document:
                raise DocumentTooLarge(f"The document is larger than {self._limits.document} bytes.")
            self.incoming.spool.add(piece)
            return
        self._data += piece
        if not self._looked and len(self._data) >= kind.LOOKED_AT:
            self._look()
        if self._looked and self.incoming is None and self._size > self._limits.picture:
            raise FileTooLarge(f"The picture is larger than {self._limits.picture} bytes.")

    async def finish(self, password: str | None) -> bytes | Document:
        if not self._size:
            raise EmptyFile
        if not self._looked:
            self._look()
        incoming = self.incoming
        if self._kind is None or incoming is None:
            return bytes(self._data)
        if self._kind == "tiff":
            if not await _has_more_pages(incoming.spool):
                return await self._picture_after_all(incoming)
            incoming.begin()
        return Document(incoming, await incoming.spool.finish(), self._kind, password)

    def _look(self) -> None:
        self._looked = True
        self._kind = kind.look(self._data)
        if self._kind is None:
            return
        self.incoming = self._make_incoming()
        if self._kind == "pdf":
            self.incoming.begin()
        self.incoming.spool.add(self._data)
        self._data = bytearray()
        self._hold.give_back()

    async def _picture_after_all(self, incoming: Incoming) -> bytes:
        if self._size > self._limits.picture:
            raise FileTooLarge(f"The picture is larger than {self._limits.picture} bytes.")
        self._hold.set_aside(self._size)
        data = incoming.spool.in_memory
        if data is None:
            path = await incoming.spool.finish()
            data = bytearray(await asyncio.to_thread(path.read_bytes))
        await incoming.close()
        return bytes(data)


async def _has_more_pages(spool: Spool) -> bool:
    if (data := spool.in_memory) is not None:
        return has_more_pages(data)
    return await asyncio.to_thread(_file_has_more_pages, await spool.finish())


def _file_has_more_pages(path: Path) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return has_more_pages(data)


def _boundary(request: Request) -> bytes:
    media_type, options = parse_options_header(request.headers.get("content-type"))
    if media_type != b"multipart/form-data":
        raise UnsupportedMediaType
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise BadMultipart("The Content-Type names no usable boundary.")
    return boundary


class _Form:
    """A file is expected, and maybe a password. What else is in it is refused rather than silently dropped."""

    def __init__(self, boundary: bytes, file: _File) -> None:
        self._file = file
        self._password = bytearray()
        self._found: set[str] = set()
        self._part = ""
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

    def password(self) -> str | None:
        """The password, where there is one, of a form that is whole and has a file.

        Raises:
            BadMultipart, NoFile.
        """
        if not self._ended:
            raise BadMultipart("The form is cut short.") if self._found else NoFile()
        if FIELD not in self._found:
            raise NoFile
        try:
            return self._password.decode() if PASSWORD_FIELD in self._found else None
        except UnicodeDecodeError:
            raise BadMultipart("The password is not UTF-8.") from None

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
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if name not in (FIELD, PASSWORD_FIELD):
            raise BadMultipart(
                f"The form takes the field {FIELD}, and {PASSWORD_FIELD}. Parameters go into the query."
            )
        if name in self._found:
            raise BadMultipart(f"The form takes one {name}.")
        self._found.add(name)
        self._part = name

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._part == FIELD:
            self._file.add(memoryview(data)[start:end])
        elif len(self._password) + end - start > _LONGEST_PASSWORD:
            raise BadMultipart("The password is too long.")
        else:
            self._password += data[start:end]

    def _end(self) -> None:
        self._ended = True
