"""`auto`: Tesseract reads the page, the detector finds its lines, and the neural engine reads what was missed.

The rules below were tuned on pages of their own (`python -m quality --tuning`), not on those of docs/quality.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from model_server.reading.image import picture
from model_server.reading.lines import assign
from service_kit.reading_order import PlacedWord, arrange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_server.reading.engines.neural.engine import NeuralEngine
    from model_server.reading.image import PageImage
    from model_server.reading.lines import ReadLine
    from service_kit.page import Word

_COVERED = 0.6  # a line with fewer words than this share of its length was missed
_SURE = 90.0  # a line with a lower mean confidence is doubted
_STRAY = 75.0  # a word on no line is kept from this confidence on


class Reading(NamedTuple):
    """Words in reading order; `lines` that the detector found, and `read_again` of them."""

    words: list[Word]
    lines: int = 0
    read_again: int = 0


def read_neural(neural: NeuralEngine, image: PageImage, languages: tuple[str, ...]) -> Reading:
    """Every line by the neural engine."""
    page = picture(image)
    lines = neural.lines(page)
    words = [word for line in lines for word in neural.words(page, line, languages)]
    return Reading(arrange(_inside(words, image)), len(lines))


def read_both(
    words: Sequence[Word], neural: NeuralEngine, image: PageImage, languages: tuple[str, ...]
) -> Reading:
    """Tesseract's `words`, with those of the neural engine on the lines that it missed or doubted."""
    page = picture(image)
    lines, strays = assign(words, neural.lines(page))
    again = [line for line in lines if _is_doubtful(line, words)]
    read = {at: neural.words(page, line.rectangle, languages) for at, line in enumerate(again)}
    gone = {at for number, line in enumerate(again) if read[number] for at in line.words}
    gone |= {at for at in strays if words[at]["confidence"] < _STRAY}
    return Reading(_merged(words, gone, [*read.values()], image), len(lines), len(again))


def _is_doubtful(line: ReadLine, words: Sequence[Word]) -> bool:
    return line.confidence(words) < _SURE or line.covered(words) < _COVERED


def _merged(
    words: Sequence[Word], gone: set[int], read: Sequence[Sequence[PlacedWord]], image: PageImage
) -> list[Word]:
    kept = [
        PlacedWord(word["text"], word["bbox"], word["confidence"])
        for at, word in enumerate(words)
        if at not in gone
    ]
    return arrange([*kept, *_inside([word for line in read for word in line], image)])


def _inside(words: Sequence[PlacedWord], image: PageImage) -> list[PlacedWord]:
    """With boxes that are within the page and not empty."""
    return [word._replace(box=_clipped(word.box, image.width, image.height)) for word in words]


def _clipped(box: tuple[int, int, int, int], width: int, height: int) -> tuple[int, int, int, int]:
    x0, y0 = min(max(0, box[0]), width - 1), min(max(0, box[1]), height - 1)
    return x0, y0, max(x0 + 1, min(width, box[2])), max(y0 + 1, min(height, box[3]))
