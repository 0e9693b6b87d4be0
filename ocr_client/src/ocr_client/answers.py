"""The service's answers as typed values. Fields that a newer service adds are ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ocr_client.errors import FailedPage


@dataclass(frozen=True, slots=True)
class Word:
    """`bbox` is x0, y0, x1, y1 in pixels from the upper left corner, ends excluded; `confidence` is 0 to 100."""

    text: str
    confidence: float
    bbox: tuple[int, int, int, int]
    block: int
    paragraph: int
    line: int
    source: str | None
    engine: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """One page. `code` and `detail` say why it failed, if it did; it then has no words."""

    number: int
    status: Literal["ok", "failed"]
    source: str
    width: int | None
    height: int | None
    dpi: float | None
    rotation: int
    skew: float
    text: str
    confidence: float | None
    words: tuple[Word, ...]
    warnings: tuple[str, ...]
    code: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """The text of a picture or a document. `raw` is the service's JSON."""

    request_id: str
    status: Literal["complete", "partial"]
    text: str
    confidence: float | None
    page_count: int
    pages: tuple[Page, ...]
    raw: Mapping[str, Any]

    @property
    def failed(self) -> tuple[FailedPage, ...]:
        return tuple(
            FailedPage(page.number, page.code or "", page.detail or "")
            for page in self.pages
            if page.status == "failed"
        )


@dataclass(frozen=True, slots=True)
class Written:
    """What `read_into` wrote: its size in bytes, and the numbers of the pages that are missing in it."""

    size: int
    failed_pages: tuple[int, ...]
    request_id: str


@dataclass(frozen=True, slots=True)
class Job:
    """A document that was handed in. Times are RFC 3339, in UTC."""

    id: str
    status: Literal["queued", "running", "complete", "partial", "failed", "cancelled"]
    pages_total: int | None
    pages_done: int
    pages_failed: int
    position: int | None
    created: str
    finished: str | None
    expires: str | None
    code: str | None
    detail: str | None

    @property
    def has_ended(self) -> bool:
        return self.status not in ("queued", "running")


def answer_of(found: Mapping[str, Any]) -> Answer:
    return Answer(
        found["request_id"],
        found["status"],
        found["text"],
        found["confidence"],
        found["page_count"],
        tuple(_page(page) for page in found["pages"]),
        found,
    )


def _page(found: Mapping[str, Any]) -> Page:
    return Page(
        found["page"],
        found["status"],
        found["source"],
        found["width"],
        found["height"],
        found["dpi"],
        found["rotation"],
        found["skew"],
        found["text"],
        found["confidence"],
        tuple(_word(word) for word in found["words"]),
        tuple(found.get("warnings", ())),
        found.get("code"),
        found.get("detail"),
    )


def _word(found: Mapping[str, Any]) -> Word:
    x0, y0, x1, y1 = found["bbox"]
    return Word(
        found["text"],
        found["confidence"],
        (x0, y0, x1, y1),
        found["block"],
        found["paragraph"],
        found["line"],
        found.get("source"),
        found.get("engine"),
    )


def job_of(found: Mapping[str, Any]) -> Job:
    return Job(
        found["id"],
        found["status"],
        found["pages_total"],
        found["pages_done"],
        found["pages_failed"],
        found.get("position"),
        found["created"],
        found.get("finished"),
        found.get("expires"),
        found.get("code"),
        found.get("detail"),
    )
