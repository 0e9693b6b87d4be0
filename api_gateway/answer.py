"""Builds answers and their pages; nothing else does. `schemas` describes them for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from service_kit.errors import ServiceError
from service_kit.page import EngineStamp, NeuralStamp, Page, Word

Source = Literal["ocr", "embedded", "mixed"]


class Model(TypedDict):
    """What read a page: enough to read it again in the same way."""

    name: str
    engine: str
    tesseract: str | None
    languages: list[str]
    traineddata: dict[str, str]
    neural: NeuralStamp | None


class AnswerPage(TypedDict):
    """A page with its number in the file and its outcome; `code` and `detail` only if it failed."""

    page: int
    status: Literal["ok", "failed"]
    source: Source
    width: int | None
    height: int | None
    dpi: float | None
    rotation: int
    skew: float
    text: str
    confidence: float | None
    words: list[Word]
    duration_seconds: float
    attempts: int
    model: Model | None
    warnings: list[str]
    code: NotRequired[str]
    detail: NotRequired[str]


class Answer(TypedDict):
    """The values for all pages together; `model` is None if the pages have none or different ones."""

    request_id: str
    status: Literal["complete", "partial"]
    page_count: int
    pages_ok: int
    pages_failed: int
    words: int
    confidence: float | None
    model: Model | None


class Totals:
    """Adds up the pages of an answer as they arrive."""

    def __init__(self) -> None:
        self.pages = 0
        self.words = 0
        self.failed: list[dict[str, Any]] = []
        self._confidence = 0.0
        self._models: list[Model] = []

    def add(self, page: AnswerPage) -> None:
        self.pages += 1
        self.words += len(page["words"])
        self._confidence += sum(word["confidence"] for word in page["words"])
        if page["model"] is not None and page["model"] not in self._models[:2]:
            self._models.append(page["model"])
        if page["status"] == "failed":
            self.failed.append({"page": page["page"], "code": page["code"], "detail": page["detail"]})

    def answer(self, request_id: str, page_count: int) -> Answer:
        return {
            "request_id": request_id,
            "status": "partial" if self.failed else "complete",
            "page_count": page_count,
            "pages_ok": self.pages - len(self.failed),
            "pages_failed": len(self.failed),
            "words": self.words,
            "confidence": round(self._confidence / self.words, 2) if self.words else None,
            "model": self._models[0] if len(self._models) == 1 else None,
        }


def total(pages: Iterable[AnswerPage]) -> Totals:
    totals = Totals()
    for page in pages:
        totals.add(page)
    return totals


def read_page(
    number: int,
    page: Page,
    *,
    dpi: float | None,
    attempts: int,
    model_name: str,
    source: Source = "ocr",
    warnings: Sequence[str] = (),
) -> AnswerPage:
    """A page that was read, or whose text was embedded; `warnings` in addition to those of `page`."""
    return {
        "page": number,
        "status": "ok",
        "source": source,
        "width": page["width"],
        "height": page["height"],
        "dpi": dpi,
        "rotation": page.get("rotation", 0),
        "skew": page.get("skew", 0.0),
        "text": page["text"],
        "confidence": page["confidence"],
        "words": page["words"],
        "duration_seconds": page["duration_seconds"],
        "attempts": attempts,
        "model": _model(model_name, page["engine"]),
        "warnings": [*page.get("warnings", ()), *warnings],
    }


def failed_page(
    number: int,
    failure: ServiceError,
    *,
    attempts: int = 0,
    size: tuple[int | None, int | None] = (None, None),
    dpi: float | None = None,
    duration_seconds: float = 0.0,
) -> AnswerPage:
    """A page that was not read, and why; `size` in pixels if it is known."""
    return {
        "page": number,
        "status": "failed",
        "source": "ocr",
        "width": size[0],
        "height": size[1],
        "dpi": dpi,
        "rotation": 0,
        "skew": 0.0,
        "text": "",
        "confidence": None,
        "words": [],
        "duration_seconds": duration_seconds,
        "attempts": attempts,
        "model": None,
        "warnings": [],
        "code": failure.code,
        "detail": str(failure),
    }


def _model(name: str, engine: EngineStamp | None) -> Model | None:
    if engine is None:
        return None
    return {
        "name": name,
        "engine": engine["name"],
        "tesseract": engine["tesseract"],
        "languages": engine["languages"],
        "traineddata": engine["traineddata"],
        "neural": engine["neural"],
    }
