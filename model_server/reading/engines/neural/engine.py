"""The detector and the recogniser together: lines of a page, and the words of a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_server.reading import openvino_cpu
from model_server.reading.engines.neural.crops import HEIGHT, Crop
from model_server.reading.engines.neural.detector import COARSE, Detector
from model_server.reading.engines.neural.letters import CHINESE_AND_JAPANESE, LANGUAGES, LATIN
from model_server.reading.engines.neural.recogniser import ReadLetter, Recogniser
from model_server.reading.engines.neural.sharing import answer, letters_of, question, shares
from model_server.reading.engines.neural.words import words
from model_server.reading.helpers import NOBODY, Helpers
from model_server.reading.model_files import DETECTOR, RECOGNISER
from model_server.reading.type_size import type_size
from service_kit.reading_order import PlacedWord

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from PIL import Image

    from model_server.reading.engines.neural.regions import Rectangle
    from service_kit.frames import Header
    from service_kit.page import NeuralStamp


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
        """Rectangles around the lines of an 8-bit grey page, in its pixels."""
        return self._detector.lines(page)

    def coarse_lines(self, page: Image.Image) -> list[Rectangle]:
        """The same in a quarter of the time. They are too inexact to read from, and small print is missed."""
        return self._detector.lines(page, COARSE)

    def words(
        self,
        page: Image.Image,
        lines: Sequence[Rectangle],
        languages: tuple[str, ...],
        tilt: float = 0.0,
        helpers: Helpers = NOBODY,
    ) -> list[list[PlacedWord]]:
        """The words of each line, at their places on the page. All of a line have its size and baseline.

        `tilt` is by how many degrees the page's lines fall to the right.
        """
        alphabet = self.alphabet(languages)

        def read(line: Rectangle) -> list[PlacedWord]:
            crop = Crop(page, line)
            return _placed(line, crop, self._recogniser.letters(crop.image, alphabet), tilt)

        own, *others = shares(lines, helpers.count)
        crops = [[Crop(page, line) for line in share] for share in others]
        questions = [question(of, alphabet) for of in crops]
        found, replies = helpers.share(questions, lambda: [read(line) for line in own])
        for share, cut, reply in zip(others, crops, replies, strict=True):
            if reply is None:
                found += [read(line) for line in share]
            else:
                letters = letters_of(reply)
                found += [_placed(*line, tilt) for line in zip(share, cut, letters, strict=True)]
        return found

    def answer(self, asked: Header, pixels: bytes) -> Header:
        """The reply to another worker's question about crops."""
        return answer(self._recogniser, asked, pixels)


def _placed(line: Rectangle, crop: Crop, letters: Sequence[ReadLetter], tilt: float) -> list[PlacedWord]:
    found = words(letters, crop.image)
    if crop.is_vertical:
        turned = line._replace(width=line.height, height=line.width)
        angle, level, origin = 90.0, turned, (line.x + turned.baseline[1] - line.y, line.y)
    else:
        angle, level, origin = -tilt, line, line.baseline
    by_ink = type_size((word.text, (word.box[3] - word.box[1]) * level.height / HEIGHT) for word in found)
    size = min(by_ink or level.font, level.font)  # there may be ink of the next rows above and below the letters
    return [
        PlacedWord(
            word.text,
            crop.place(word.box),
            word.confidence,
            angle=angle,
            origin=origin,
            size=size,
            engine="neural",
        )
        for word in found
    ]
