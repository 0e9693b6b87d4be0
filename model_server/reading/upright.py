"""Reads a page upright: decides when to look which way is up, and whether to believe it.

The model is asked only if the lines seem to run up or down, or if what was read makes no sense. A turned reading
is kept if it makes sense, or much more than the other: so an upright page that can be read is never turned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from model_server.reading import skew
from model_server.reading.image import PageImage, picture
from model_server.reading.turn import Turn, back, turned
from service_kit.page import letters_confidence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from model_server.reading.choice import Reading
    from model_server.reading.orientation import OrientationModel
    from model_server.reading.steps import Steps
    from service_kit.page import Parameters, Word

_OWN = frozenset({1, 12})  # page segmentation modes in which Tesseract itself looks which way is up
_LONGEST = 30_000  # pixels of a side; longer pictures are read in bands
_SMALLEST = 32  # pixels of a side
_LEAST_SKEW = 0.8  # degrees: Tesseract reads lines with less as well as level ones
_LEAST_PROBABILITY = 0.6  # the model's
TESSERACT_SENSE = 65.0  # of upright pages Tesseract's is 75 to 96, of turned ones up to 50
NEURAL_SENSE = 90.0  # of turned pages the neural engine's is 55 to 82
_SOME = 0.75  # of the confidence of a page that makes sense: what a turned reading must have
_BETTER = 1.5  # times as much as without a turn must be read with it
_TALL = 1.3  # times as high as wide: a word that Tesseract has read on its side
_LETTERS = 3  # of a word whose sides tell how it runs
_PAPER_PIXELS = 64


class UprightPage(NamedTuple):
    """An upright image and its reading, with the boxes that the words have on it."""

    image: PageImage
    reading: Reading
    turn: Turn
    sent: tuple[int, int]

    @property
    def words(self) -> list[Word]:
        return self.reading.words

    def back(self, reading: Reading) -> Reading:
        """A reading of the upright image, with the boxes of its words on the picture as it was sent."""
        return reading._replace(words=back(reading.words, self.turn, self.sent), turn=self.turn)


class UprightReader:
    """`model` None: pages are not turned, and only their skew is corrected."""

    def __init__(self, model: OrientationModel | None, steps: Steps) -> None:
        self._model = model
        self._steps = steps

    def read(
        self,
        image: PageImage,
        parameters: Parameters,
        read: Callable[[PageImage], Reading],
        *,
        sense: float = TESSERACT_SENSE,
        look_first: bool = False,
    ) -> UprightPage:
        """The best of one to three readings of a page: as it is likely to be upright, turned, as it was sent.

        Args:
            image: the page as it was sent.
            parameters: they may ask for no turn.
            read: called for each reading.
            sense: the mean confidence of a page that has been read upright.
            look_first: ask the model before the first reading, because one costs far more than a look.
        """
        sent = image.width, image.height
        if not _is_wanted(parameters) or not _SMALLEST <= min(sent) <= max(sent) <= _LONGEST:
            return UprightPage(image, read(image), Turn(), sent)
        page = _Page(image, self._model, self._steps)
        best = page.looked() if look_first else page.likely()
        reading = read(page.turned(best))
        tried = {best}
        for find in (page.looked, Turn):
            if _makes_sense(reading.words, sense):
                break
            turn = find()
            if turn not in tried:
                tried.add(turn)
                other = read(page.turned(turn))
                if _score(other.words, turn, sense) > _score(reading.words, best, sense):
                    best, reading = turn, other
        return UprightPage(page.turned(best), reading, best, sent)


class _Page:
    """A page as it was sent, and one turned copy of it at a time: a page may be large."""

    def __init__(self, image: PageImage, model: OrientationModel | None, steps: Steps) -> None:
        self._steps = steps
        self._image = image
        self._copy, self._copied = image, Turn()
        self._model = model
        self._rotation: int | None = None

    def likely(self) -> Turn:
        """By its lines."""
        lines = skew.look(picture(self._image))
        return self.looked() if lines.sideways else _turn(0, lines.skew)

    def looked(self) -> Turn:
        """By the model, which is asked once."""
        if self._rotation is None:
            self._rotation = 0
            if self._model is not None:
                with self._steps.step("orientation"):
                    found = self._model.look(picture(self._image))
                self._rotation = found.rotation if found.probability >= _LEAST_PROBABILITY else 0
        return _turn(self._rotation, skew.look(picture(self.turned(Turn(self._rotation)))).skew)

    def turned(self, turn: Turn) -> PageImage:
        if turn == Turn():
            return self._image
        if turn != self._copied:
            self._copy = self._image  # frees the one before
            self._copy = turned(self._image, turn, _paper(self._image) if turn.skew else 0)
            self._copied = turn
        return self._copy


def _is_wanted(parameters: Parameters) -> bool:
    return parameters.orientation == "auto" and parameters.psm not in _OWN


def _turn(rotation: int, degrees: float) -> Turn:
    return Turn(rotation, round(degrees, 2) if abs(degrees) >= _LEAST_SKEW else 0.0)


def _makes_sense(words: Sequence[Word], least: float) -> bool:
    """Whether the page has been read, and not on its side."""
    return letters_confidence(words) >= least and not _is_on_its_side(words)


def _is_on_its_side(words: Sequence[Word]) -> bool:
    long = [word["bbox"] for word in words if len(word["text"]) >= _LETTERS]
    tall = sum(y1 - y0 > _TALL * (x1 - x0) for x0, y0, x1, y1 in long)
    return 2 * tall > len(long)


def _score(words: Sequence[Word], turn: Turn, least: float) -> float:
    """How much was read. Letters that are doubted count little, and those of a page on its side half.

    A turn that leaves the text without sense is worse than none.
    """
    if turn.rotation and letters_confidence(words) < _SOME * least:
        return -1.0
    score = sum(len(word["text"]) * (word["confidence"] / 100) ** 2 for word in words)
    return score / (2 if _is_on_its_side(words) else 1) / (_BETTER if turn.rotation else 1)


def _paper(image: PageImage) -> int:
    """The middle level of the picture's border."""
    small = np.asarray(picture(image).resize((_PAPER_PIXELS, _PAPER_PIXELS), reducing_gap=1.0))
    return int(np.median([small[0], small[-1], small[:, 0], small[:, -1]]))
