"""The page structure: what a worker makes of an image, and what every answer is rendered from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


class GreyImage(NamedTuple):
    """8-bit grey, rows from the top, no padding; `dpi` 0 where the file does not say."""

    pixels: bytes
    width: int
    height: int
    dpi: int


class Word(NamedTuple):
    """One word; `bbox` is x0, y0, x1, y1 in pixels from the upper left corner, ends excluded.

    `confidence` is 0 to 100. `block` counts from 1 on the page, `paragraph` in its block, `line` in its paragraph.
    """

    text: str
    confidence: float
    bbox: tuple[int, int, int, int]
    block: int
    paragraph: int
    line: int


@dataclass(frozen=True, slots=True)
class Parameters:
    """How a page is to be read; an engine without page segmentation modes ignores `psm`."""

    languages: tuple[str, ...] = ("eng",)
    psm: int = 3


def text_of(words: Sequence[Word]) -> str:
    """The words in reading order: a line a line, an empty line between paragraphs."""
    parts: list[str] = []
    before: Word | None = None
    for word in words:
        if before is not None:
            if (word.block, word.paragraph) != (before.block, before.paragraph):
                parts.append("\n\n")
            elif word.line != before.line:
                parts.append("\n")
            else:
                parts.append(" ")
        parts.append(word.text)
        before = word
    if parts:
        parts.append("\n")
    return "".join(parts)


def mean_confidence(words: Sequence[Word]) -> float | None:
    """Mean over the words, 0 to 100; None without words."""
    return round(sum(word.confidence for word in words) / len(words), 2) if words else None


def prediction(words: Sequence[Word], image: GreyImage, **more: Any) -> dict[str, Any]:
    """The page as V1 has it; `more` is what the worker knows beside the words."""
    return {
        "text": text_of(words),
        "confidence": mean_confidence(words),
        "width": image.width,
        "height": image.height,
        "words": [word._asdict() for word in words],
        **more,
    }
