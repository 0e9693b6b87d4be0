"""Lines of a page that idle workers recognise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from model_server.reading.engines.neural.crops import HEIGHT
from model_server.reading.engines.neural.recogniser import ReadLetter, Recogniser
from model_server.reading.helpers import Question

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_server.reading.engines.neural.crops import Crop
    from model_server.reading.engines.neural.regions import Rectangle
    from service_kit.frames import Header

LETTERS = "letters"  # the kind of a question about crops
_LEAST_LINES = 4  # for each worker: fewer are read soon
_MOST_COLUMNS = 150_000  # of all crops: they are in the parent's memory for a moment


def shares(lines: Sequence[Rectangle], helpers: int) -> list[Sequence[Rectangle]]:
    """The lines in as many runs as workers read them, of about the same length together."""
    workers = min(1 + helpers, len(lines) // _LEAST_LINES)
    lengths = [max(line.width, line.height) / max(1.0, min(line.width, line.height)) for line in lines]
    if workers < 2 or HEIGHT * sum(lengths) > _MOST_COLUMNS:
        return [lines]
    runs: list[list[Rectangle]] = [[] for _ in range(workers)]
    before = 0.0
    for line, length in zip(lines, lengths, strict=True):
        runs[min(workers - 1, int((before + length / 2) / sum(lengths) * workers))].append(line)
        before += length
    return [*runs]


def question(crops: Sequence[Crop], alphabet: tuple[str, ...]) -> Question:
    asked = {"part": LETTERS, "widths": [crop.image.width for crop in crops], "alphabet": alphabet}
    return Question(asked, b"".join(crop.image.tobytes() for crop in crops))


def answer(recogniser: Recogniser, asked: Header, pixels: bytes) -> Header:
    found, start = [], 0
    for width in asked["widths"]:
        crop = Image.frombytes("L", (width, HEIGHT), pixels[start : start + width * HEIGHT])
        found.append([tuple(letter) for letter in recogniser.letters(crop, tuple(asked["alphabet"]))])
        start += width * HEIGHT
    return {"lines": found}


def letters_of(reply: Header) -> list[list[ReadLetter]]:
    return [[ReadLetter(*letter) for letter in line] for line in reply["lines"]]
