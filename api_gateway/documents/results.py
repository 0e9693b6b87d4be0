"""What is kept of a document's pages until the answer is made: a line of JSON each, beyond 1 MiB on disk."""

from __future__ import annotations

import contextlib
import tempfile
from typing import TYPE_CHECKING, Any, Self

import orjson

from api_gateway import errors
from api_gateway.documents import fanout
from api_gateway.documents.spool import IN_MEMORY, disk_errors
from api_gateway.formats import ndjson

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from api_gateway.documents.fanout import Read

_MOST_TOLD = 100  # failed pages in an error


class Results:
    """Counts the pages as they come; a context manager that removes what it kept."""

    def __init__(self, request_id: str, model_name: str, page_count: int, folder: Path) -> None:
        self._request_id = request_id
        self._model_name = model_name
        self._page_count = page_count
        self._lines = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY, dir=str(folder))  # noqa: SIM115 - closed below
        self._texts: list[str] = []
        self._engine: dict[str, Any] | None = None
        self._confidence = 0.0
        self.failed: list[dict[str, Any]] = []
        self.pages = 0
        self.words = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        with contextlib.suppress(OSError):  # a full disk has been told of by now
            self._lines.close()

    def count(self, read: Read) -> bytes:
        """The page's line of NDJSON, which is not kept."""
        page = read.page
        self.pages += 1
        self.words += len(page["words"])
        self._confidence += sum(word["confidence"] for word in page["words"])
        self._engine = self._engine or read.engine
        if page["status"] == "failed":
            self.failed.append({key: page[key] for key in ("page", "code", "detail")})
        return ndjson.page_line(page)

    def keep(self, read: Read) -> None:
        with disk_errors():
            self._lines.write(self.count(read))
            self._lines.flush()  # here, where a full disk still has an answer
        self._texts.append(read.page["text"])

    def check(self, *, allow_partial: bool) -> None:
        """Raise where the pages that failed fail the whole.

        Raises:
            PagesFailed, or what every page failed with.
        """
        if not self.failed or (allow_partial and len(self.failed) < self.pages):
            return
        told = self.failed[:_MOST_TOLD]
        passing = all(page["code"] in fanout.REFUSALS | fanout.PASSING for page in self.failed)
        raise errors.PagesNotRead(told) if passing else errors.PagesFailed(told)

    @property
    def text(self) -> str:
        """Of all pages, with a form feed between two."""
        return "\f".join(self._texts)

    def closing(self) -> dict[str, Any]:
        """The last line of NDJSON."""
        return {
            "request_id": self._request_id,
            "status": self._status,
            "page_count": self._page_count,
            "pages_ok": self.pages - len(self.failed),
            "pages_failed": len(self.failed),
            "words": self.words,
            "confidence": self._mean,
            "model": self._model,
        }

    def json(self) -> Iterator[bytes]:
        """The answer as JSON, in pieces."""
        head = {
            "request_id": self._request_id,
            "status": self._status,
            "text": self.text,
            "confidence": self._mean,
        }
        yield orjson.dumps(head)[:-1] + b',"pages":['
        for at, line in enumerate(self._kept()):
            yield (b"," if at else b"") + line
        yield b"]," + orjson.dumps({"page_count": self._page_count, "model": self._model})[1:]

    def answer(self) -> dict[str, Any]:
        """The answer as `schemas.OcrAnswer` describes it, all in memory."""
        return {
            "request_id": self._request_id,
            "status": self._status,
            "text": self.text,
            "confidence": self._mean,
            "pages": [orjson.loads(line) for line in self._kept()],
            "page_count": self._page_count,
            "model": self._model,
        }

    def _kept(self) -> Iterator[bytes]:
        self._lines.seek(0)
        for line in self._lines:
            yield line.rstrip(b"\n")

    @property
    def _status(self) -> str:
        return "partial" if self.failed else "complete"

    @property
    def _mean(self) -> float | None:
        return round(self._confidence / self.words, 2) if self.words else None

    @property
    def _model(self) -> dict[str, Any] | None:
        return model(self._model_name, self._engine) if self._engine else None


def model(name: str, engine: dict[str, Any]) -> dict[str, Any]:
    """What read the pages, as `schemas.Model` describes it."""
    return {
        "name": name,
        "engine": engine["name"],
        "tesseract": engine["tesseract"],
        "languages": engine["languages"],
        "traineddata": engine["traineddata"],
    }
