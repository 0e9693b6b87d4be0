"""Bodies that contain one file without a form: the file itself, or JSON with the file as base64.

Like `multipart.Form`, each is fed the body piece by piece, and passes the file on as it arrives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import orjson
import pybase64

from service_kit.errors import BadRequest

_LONGEST_REST = 64 * 1024  # of JSON without the file
_ESCAPE = re.compile(rb"\\(?:/|u00(2[bB]|2[fF]|3[dD]))")  # of characters of base64, as some programs write them
_LONGEST_ESCAPE = 6
_FILE = "\0file"  # stands in the JSON where the file's base64 was

_WHERE = ("document_url", "image_url", "file_id")

OnFile = Callable[[memoryview], None]
BodyOf = Callable[[OnFile, Callable[[], None] | None], "Body"]
"""Makes the parser of a body; it calls the first function with each piece of a file, the second before the first
piece."""


class Body(Protocol):
    def feed(self, piece: bytes) -> None: ...

    def end(self) -> Mapping[str, Any]:
        """Check that the body is complete; what it contains besides the file."""


class WholeBody:
    """The body is the file."""

    def __init__(self, on_file: OnFile, begin_file: Callable[[], None] | None = None) -> None:
        self._on_file = on_file
        if begin_file is not None:
            begin_file()

    def feed(self, piece: bytes) -> None:
        self._on_file(memoryview(piece))

    def end(self) -> Mapping[str, Any]:
        return {}


class Base64Body:
    """A JSON object with the file as base64 in `field`, which may stand anywhere in it. Other fields are small.

    Raises while it is fed, and at its end:
        BadRequest: it is no such object, or the field is not base64.
    """

    def __init__(self, field: str, on_file: OnFile, begin_file: Callable[[], None] | None = None) -> None:
        self._field = field
        self._on_file = on_file
        self._start = self._start_of(re.escape(field.encode()))
        self._before: bytes | None = b""  # None: the field has begun
        self._left = b""  # of the field: what is no whole escape or group of four yet
        self._rest = bytearray()  # the JSON without the field's value
        self._is_padded = False
        self._is_over = False
        if begin_file is not None:
            begin_file()

    def feed(self, piece: bytes) -> None:
        if self._before is not None:
            piece = self._behind_start(self._before + piece)
        if piece and not self._is_over:
            end = piece.find(b'"')
            self._decode(piece if end < 0 else piece[:end], is_last=end >= 0)
            if end < 0:
                return
            self._is_over = True
            piece = piece[end:]
        self._keep(piece)

    def end(self) -> Mapping[str, Any]:
        whole = bytes(self._rest) if self._before is None else self._before
        try:
            found = orjson.loads(whole)
        except orjson.JSONDecodeError:
            raise BadRequest("The body is not JSON.") from None
        if not isinstance(found, dict):
            raise BadRequest("The body is not a JSON object.")
        self._check_file(found, has_file=self._before is None)
        return found

    @staticmethod
    def _start_of(field: bytes) -> re.Pattern[bytes]:
        """What stands in front of the base64."""
        return re.compile(rb'"%b"\s*:\s*"' % field)

    def _check_file(self, found: Mapping[str, Any], *, has_file: bool) -> None:
        """`found` is the object with `_FILE` in place of the base64."""
        if not has_file or found.get(self._field) != _FILE:
            raise BadRequest(f"The body is not a JSON object with the file as base64 in {self._field}.")

    def _behind_start(self, piece: bytes) -> bytes:
        found = self._start.search(piece)
        if found is None:
            self._before = piece
            self._check(len(piece))
            return b""
        self._before = None
        self._keep(piece[: found.end()] + orjson.dumps(_FILE)[1:-1])
        return piece[found.end() :]

    def _decode(self, piece: bytes, *, is_last: bool) -> None:
        text = self._left + piece
        cut = text.rfind(b"\\", max(0, len(text) - _LONGEST_ESCAPE + 1))
        whole = text if is_last or cut < 0 else text[:cut]
        kept = text[len(whole) :]
        whole = _ESCAPE.sub(lambda escape: bytes.fromhex(escape[1].decode()) if escape[1] else b"/", whole)
        end = len(whole) if is_last else len(whole) // 4 * 4
        self._left = whole[end:] + kept
        try:
            if self._is_padded and end:
                raise ValueError  # noqa: TRY301 - as for what stands behind a padding in the same piece
            data = pybase64.b64decode(whole[:end], validate=True)
        except ValueError:
            raise BadRequest(f"{self._field} is not base64.") from None
        self._is_padded = self._is_padded or whole[:end].endswith(b"=")
        if data:
            self._on_file(memoryview(data))

    def _keep(self, piece: bytes) -> None:
        self._check(len(self._rest) + len(piece))
        self._rest += piece

    def _check(self, size: int) -> None:
        if size > _LONGEST_REST:
            raise BadRequest(f"The body has more than {_LONGEST_REST} bytes besides {self._field}.")


class FileReferred(Exception):
    """Raised at the end of a `DataUrlBody` that has an address instead of a file."""

    def __init__(self, url: str, fields: Mapping[str, Any]) -> None:
        super().__init__(url)
        self.url = url
        self.fields = fields


class DataUrlBody(Base64Body):
    """Mistral's: `{"document": {"document_url": "data:application/pdf;base64,…"}}`, also with `image_url`."""

    def __init__(self, on_file: OnFile, begin_file: Callable[[], None] | None = None) -> None:
        super().__init__("document_url", on_file, begin_file)

    @staticmethod
    def _start_of(field: bytes) -> re.Pattern[bytes]:
        return re.compile(rb'"(?:%b|image_url|url)"\s*:\s*"data:[^"]{0,200};base64,' % field)

    def _check_file(self, found: Mapping[str, Any], *, has_file: bool) -> None:
        document = found.get("document")
        url = None
        if isinstance(document, dict):
            url = next((document[name] for name in _WHERE if document.get(name) is not None), None)
            url = url.get("url") if isinstance(url, dict) else url
        if not isinstance(url, str):
            raise BadRequest("The body has no document with a document_url or an image_url.")
        if not has_file:
            raise FileReferred(url, found)
        if not re.fullmatch(rf"data:[^,]*;base64,{_FILE}", url):
            raise BadRequest("The document is not a data URL with base64.")
