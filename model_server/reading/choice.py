"""`auto`: Tesseract reads the page, and the neural engine the lines that Tesseract missed or doubted.

1. Tesseract reads the page. If it is sure of its words, and the page has no ink elsewhere, they are the answer.
2. A coarse look of the detector shows where lines are. If nearly all have words that Tesseract is sure of, these
   are the answer.
3. Else the detector looks closely, and the recogniser reads the lines that were missed or doubted. If they are
   most of the page, it reads all.

The constants were chosen on the tuning pages of `python -m quality --tuning`; docs/quality.md reports others.
"""

from __future__ import annotations

from itertools import chain
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from model_server.reading.helpers import NOBODY, Helpers
from model_server.reading.image import picture
from model_server.reading.ink import Ink
from model_server.reading.lines import ReadLine, assign, tilt
from model_server.reading.turn import Turn
from service_kit.page import letters_confidence
from service_kit.reading_order import PlacedWord, arrange

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from PIL import Image

    from model_server.reading.engines.neural.engine import NeuralEngine
    from model_server.reading.engines.neural.regions import Rectangle
    from model_server.reading.image import PageImage
    from service_kit.page import Word

_COVERED = 0.6  # a line with words on less than this share of its length was missed
_COVERED_COARSELY = 0.5  # the same for the rectangles of the coarse look
_SURE = 90.0  # a line with a lower mean confidence is doubted
_CLEAN = 0.03  # of the length of all lines: with fewer doubtful ones, a page is Tesseract's
_UNCLEAN = 0.25  # of the letters: with more doubtful ones, a coarse look would not help
_HOPELESS = 0.5  # with more, it is the neural engine's
_STRAY = 75.0  # a word of Tesseract on no line is kept from this confidence on
_TEXT = 50.0  # a line that the recogniser reads with less is no text: print that shines through, texture


class Reading(NamedTuple):
    """Words in reading order; the lines of a page that both engines may read, how many were; how the page lay."""

    words: list[Word]
    lines: int = 0
    read_again: int = 0
    turn: Turn = Turn()


def read_neural(
    neural: NeuralEngine, image: PageImage, languages: tuple[str, ...], helpers: Helpers = NOBODY
) -> Reading:
    """Every line by the neural engine."""
    page = picture(image)
    lines = neural.lines(page)
    found = _read(neural, page, lines, languages, tilt(lines), helpers)
    return Reading(arrange([*chain(*found)]), len(lines))


def read_both(
    words: Sequence[Word],
    neural: NeuralEngine,
    image: PageImage,
    languages: tuple[str, ...],
    helpers: Helpers = NOBODY,
) -> Reading:
    """Tesseract's `words`, and the neural engine's on the lines that Tesseract missed or doubted."""
    first = _by_line(words)
    doubted = _doubted(first)
    if doubted <= _CLEAN and Ink(image).is_all_in(words):
        return Reading([*words], len(first))
    page = picture(image)
    if doubted <= _UNCLEAN:
        coarse, _ = assign(words, neural.coarse_lines(page))
        if coarse and _length(_doubtful(coarse, words, _COVERED_COARSELY)) <= _CLEAN * _length(coarse):
            return Reading([*words], len(coarse))
    rectangles = neural.lines(page)
    lines, strays = assign(words, rectangles)
    again = _doubtful(lines, words, _COVERED)
    is_hopeless = _length(again) > _HOPELESS * _length(lines)
    if is_hopeless:
        again = lines
    falls = tilt(rectangles)
    gone = {at for at in strays if words[at]["confidence"] < _STRAY}
    read: list[PlacedWord] = []
    readings = _read(neural, page, [line.rectangle for line in again], languages, falls, helpers)
    for line, found in zip(again, readings, strict=True):
        if found and (_is_sure(_mean(found)) or not _is_sure(line.confidence(words))):
            gone.update(line.words)
            read += found
        else:  # what Tesseract is sure of is never lost
            gone.update(at for at in line.words if words[at]["confidence"] < _STRAY)
    kept = [word for line in lines for word in line.placed(words, falls, gone)]
    kept += [
        PlacedWord(words[at]["text"], words[at]["bbox"], words[at]["confidence"], angle=-falls, engine="tesseract")
        for at in strays
        if at not in gone
    ]
    return Reading(arrange([*kept, *read]), len(lines), len(again))


def _by_line(words: Iterable[Word]) -> list[list[Word]]:
    """The words of each of Tesseract's lines."""
    lines: dict[tuple[int, int, int], list[Word]] = {}
    for word in words:
        lines.setdefault((word["block"], word["paragraph"], word["line"]), []).append(word)
    return [*lines.values()]


def _doubted(lines: Sequence[Sequence[Word]]) -> float:
    """The share of the letters that are on lines of which Tesseract is not sure; 0 without words."""
    doubted = [line for line in lines if not _is_sure(letters_confidence(line))]
    return _letters(chain(*doubted)) / max(1, _letters(chain(*lines)))


def _letters(words: Iterable[Word]) -> int:
    return sum(len(word["text"]) for word in words)


def _is_sure(confidence: float) -> bool:
    return confidence >= _SURE


def _mean(words: Iterable[PlacedWord]) -> float:
    return fmean(word.confidence for word in words)


def _doubtful(lines: Iterable[ReadLine], words: Sequence[Word], covered: float) -> list[ReadLine]:
    return [line for line in lines if not _is_sure(line.confidence(words)) or line.covered(words) < covered]


def _length(lines: Iterable[ReadLine]) -> float:
    return sum(max(line.rectangle.width, line.rectangle.height) for line in lines)


def _read(
    neural: NeuralEngine,
    page: Image.Image,
    lines: Sequence[Rectangle],
    languages: tuple[str, ...],
    falls: float,
    helpers: Helpers,
) -> list[list[PlacedWord]]:
    """The words of each line, with boxes that are within the page and not empty; none if they are no text."""
    found = neural.words(page, lines, languages, falls, helpers)
    return [
        [word._replace(box=_clipped(word.box, page.width, page.height)) for word in words]
        if words and _mean(words) >= _TEXT
        else []
        for words in found
    ]


def _clipped(box: tuple[int, int, int, int], width: int, height: int) -> tuple[int, int, int, int]:
    x0, y0 = min(max(0, box[0]), width - 1), min(max(0, box[1]), height - 1)
    return x0, y0, max(x0 + 1, min(width, box[2])), max(y0 + 1, min(height, box[3]))
