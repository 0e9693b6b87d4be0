"""The detector and the recogniser together: lines of a page, and the words of a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_server.reading import openvino_cpu
from model_server.reading.engines.neural.crops import Crop
from model_server.reading.engines.neural.detector import Detector
from model_server.reading.engines.neural.letters import CHINESE_AND_JAPANESE, LANGUAGES, LATIN
from model_server.reading.engines.neural.recogniser import Recogniser
from model_server.reading.engines.neural.words import words
from model_server.reading.model_files import DETECTOR, RECOGNISER
from service_kit.reading_order import PlacedWord

if TYPE_CHECKING:
    from collections.abc import Iterable

    from PIL import Image

    from model_server.reading.engines.neural.regions import Rectangle
    from service_kit.page import NeuralStamp


_SIZE, _BASE = 0.75, 0.25  # of a line's height, which includes a margin: its font's size; where its baseline is


class NeuralEngine:
    languages = LANGUAGES

    def __init__(self) -> None:
        self._detector = Detector()
        self._recogniser = Recogniser()
        self.stamp: NeuralStamp = {
            "name": "PP-OCRv6 small",
            "runtime": openvino_cpu.version(),
            "precision": openvino_cpu.precision(),
            "weights": {"detector": DETECTOR.sha256, "recogniser": RECOGNISER.sha256},
        }

    def reads(self, languages: Iterable[str]) -> bool:
        """Whether it has all of these languages."""
        return set(self.languages).issuperset(languages)

    @staticmethod
    def alphabet(languages: Iterable[str]) -> tuple[str, ...]:
        """One language that stands for all with the same characters: with them, text is read in the same way."""
        return CHINESE_AND_JAPANESE[:1] if set(CHINESE_AND_JAPANESE).intersection(languages) else LATIN[:1]

    def lines(self, page: Image.Image) -> list[Rectangle]:
        """Rectangles around the lines of an 8-bit grey page, in its pixels, from top to bottom."""
        return self._detector.lines(page)

    def words(
        self, page: Image.Image, line: Rectangle, languages: tuple[str, ...], tilt: float = 0.0
    ) -> list[PlacedWord]:
        """The words of a line, at their places on the page. All have the line's size and baseline.

        `tilt` is by how many degrees the page's lines fall to the right.
        """
        crop = Crop(page, line)
        height = min(line.width, line.height) if crop.is_vertical else line.height
        return [
            PlacedWord(
                word.text,
                crop.place(word.box),
                word.confidence,
                angle=90.0 if crop.is_vertical else -tilt,
                origin=_baseline(line, height, is_vertical=crop.is_vertical),
                size=_SIZE * height,
            )
            for word in words(self._recogniser.letters(crop.image, self.alphabet(languages)), crop.image)
        ]


def _baseline(line: Rectangle, height: float, *, is_vertical: bool) -> tuple[float, float]:
    """A point of it, below the middle of the line; a vertical line is read from the bottom to the top."""
    down = _BASE * height
    return (line.x + down, line.y) if is_vertical else (line.x, line.y + down)
