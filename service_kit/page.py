"""A page, its words and its reading parameters: shared by worker, model server and gateway."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NotRequired

from typing_extensions import TypedDict  # pydantic rejects typing.TypedDict before Python 3.12

# Tesseract's page segmentation modes; 0 and 2 find no text.
PSMS = {
    1: "automatic, with detection of the orientation",
    3: "automatic",
    4: "one column",
    5: "one block of vertical text",
    6: "one block",
    7: "one line",
    8: "one word",
    9: "one word in a circle",
    10: "one character",
    11: "sparse text",
    12: "sparse text, with detection of the orientation",
    13: "one raw line",
}
WARNINGS = {
    "truncated": "the end of the file is missing, and the last rows of the page may be",
    "repaired": "the PDF was damaged and has been repaired",
}
MAX_LANGUAGES = 4
LANGUAGE_NAME = r"[A-Za-z0-9_]{2,32}"
BETWEEN_LANGUAGES = r"(?:, ?|[+ ])"  # Tesseract's users write eng+deu, and in a query a plus is a blank


class Word(TypedDict):
    """One word.

    `bbox` is x0, y0, x1, y1 in pixels from the top left corner of the upright page; x1 and y1 are exclusive.
    `confidence` is 0 to 100. Numbers start at 1: `block` per page, `paragraph` per block, `line` per paragraph.
    `source` is given on pages that have words of both sources.
    """

    text: str
    confidence: float
    bbox: tuple[int, int, int, int]
    block: int
    paragraph: int
    line: int
    source: NotRequired[Literal["embedded", "ocr"]]


class EngineStamp(TypedDict):
    """The engine that read a page; `traineddata` maps each language to the SHA-256 of its data."""

    name: str
    tesseract: str
    languages: list[str]
    traineddata: dict[str, str]


class Page(TypedDict):
    """Text of one image, or a page's embedded text, for which `engine` is None.

    `warnings` are codes for what was unusual about the page although it was read.
    """

    text: str
    confidence: float | None
    width: int
    height: int
    words: list[Word]
    page_count: int
    engine: EngineStamp | None
    duration_seconds: float
    warnings: NotRequired[list[str]]


@dataclass(frozen=True, slots=True)
class Parameters:
    """Reading parameters; an engine without page segmentation modes ignores `psm`."""

    languages: tuple[str, ...] = ("eng",)
    psm: int = 3


def make_page(
    words: list[Word],
    *,
    width: int,
    height: int,
    page_count: int,
    engine: EngineStamp | None,
    duration_seconds: float,
    warnings: Sequence[str] = (),
) -> Page:
    """The only place that constructs a page."""
    return {
        "text": text_of(words),
        "confidence": mean_confidence(words),
        "width": width,
        "height": height,
        "words": words,
        "page_count": page_count,
        "engine": engine,
        "duration_seconds": round(duration_seconds, 6),
        "warnings": list(warnings),
    }


def text_of(words: Sequence[Word]) -> str:
    """The words in reading order: one line of text per line, a blank line between paragraphs."""
    parts: list[str] = []
    before: Word | None = None
    for word in words:
        if before is not None:
            if word["block"] != before["block"] or word["paragraph"] != before["paragraph"]:
                parts.append("\n\n")
            elif word["line"] != before["line"]:
                parts.append("\n")
            else:
                parts.append(" ")
        parts.append(word["text"])
        before = word
    if parts:
        parts.append("\n")
    return "".join(parts)


def mean_confidence(words: Sequence[Word]) -> float | None:
    """Mean over the words, 0 to 100; None without words."""
    return round(sum(word["confidence"] for word in words) / len(words), 2) if words else None
