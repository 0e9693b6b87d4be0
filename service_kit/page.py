"""A page, its words and its reading parameters: shared by worker, model server and gateway."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NotRequired

from typing_extensions import TypedDict  # pydantic rejects typing.TypedDict before Python 3.12

EngineName = Literal["auto", "tesseract", "neural"]
Orientation = Literal["auto", "off"]
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
ENGINES = {
    "auto": "Tesseract, and the neural engine where Tesseract misses or doubts text",
    "tesseract": "Tesseract alone",
    "neural": "PP-OCRv6 alone",
}
ANY_LANGUAGE = "auto"  # as the only language: the page's own
MAX_LANGUAGES = 4
LANGUAGE_NAME = r"[A-Za-z0-9_]{2,32}"
BETWEEN_LANGUAGES = r"(?:, ?|[+ ])"  # Tesseract's users write eng+deu, and in a query a plus is a blank


class Word(TypedDict):
    """One word.

    `bbox` is x0, y0, x1, y1 in pixels from the top left corner of the picture; x1 and y1 are exclusive.
    `confidence` is 0 to 100. Numbers start at 1: `block` per page, `paragraph` per block, `line` per paragraph.
    `source` is given on pages that have words of both sources, `engine` on pages that two engines read.
    """

    text: str
    confidence: float
    bbox: tuple[int, int, int, int]
    block: int
    paragraph: int
    line: int
    source: NotRequired[Literal["embedded", "ocr"]]
    engine: NotRequired[Literal["tesseract", "neural"]]


class NeuralStamp(TypedDict):
    """The neural engine's part in a page; `weights` maps each model file to its SHA-256."""

    name: str
    runtime: str
    precision: str
    weights: dict[str, str]


class EngineStamp(TypedDict):
    """What read a page: enough to read it again in the same way.

    `name` is the engine that was used, `auto` too. `tesseract` is Tesseract's version, None if it was not used;
    `traineddata` maps each of its languages to the SHA-256 of the data. `neural` is None if it was not used.
    """

    name: str
    tesseract: str | None
    languages: list[str]
    traineddata: dict[str, str]
    neural: NeuralStamp | None


class Page(TypedDict):
    """Text of one image, or a page's embedded text, for which `engine` is None.

    Boxes, `width` and `height` are those of the picture as it was sent, turned by its EXIF. `rotation` is by how
    many degrees clockwise that must be turned to be upright: 0, 90, 180 or 270. `skew` is by how many degrees its
    lines then fall to the right. `warnings` are codes for what was unusual about the page although it was read.
    """

    text: str
    confidence: float | None
    width: int
    height: int
    words: list[Word]
    page_count: int
    engine: EngineStamp | None
    duration_seconds: float
    rotation: NotRequired[int]
    skew: NotRequired[float]
    warnings: NotRequired[list[str]]


@dataclass(frozen=True, slots=True)
class Parameters:
    """Reading parameters. `psm` is for Tesseract. `engine` None: the server's default."""

    languages: tuple[str, ...] = ("eng",)
    psm: int = 3
    engine: EngineName | None = None
    orientation: Orientation = "auto"


def make_page(
    words: list[Word],
    *,
    width: int,
    height: int,
    page_count: int,
    engine: EngineStamp | None,
    duration_seconds: float,
    rotation: int = 0,
    skew: float = 0.0,
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
        "rotation": rotation,
        "skew": skew,
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


def letters_confidence(words: Iterable[Word]) -> float:
    """Mean over the letters of the words, 0 to 100; 0 without any."""
    letters = total = 0.0
    for word in words:
        letters += len(word["text"])
        total += len(word["text"]) * word["confidence"]
    return total / max(1.0, letters)


def mean_confidence(words: Sequence[Word]) -> float | None:
    """Mean over the words, 0 to 100; None without words."""
    return round(sum(word["confidence"] for word in words) / len(words), 2) if words else None
