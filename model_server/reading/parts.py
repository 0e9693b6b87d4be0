"""A page in parts, cut between paragraphs, which Tesseract reads in several workers at once."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from model_server.reading import bands
from model_server.reading.helpers import Helpers, Question
from model_server.reading.image import PageImage
from model_server.reading.ink import Ink
from service_kit.page import Parameters

if TYPE_CHECKING:
    from model_server.reading.engines import Engine
    from service_kit.frames import Header
    from service_kit.page import Word

WORDS = "words"  # the kind of a question about a part
_LEAST_PIXELS = 1_500_000  # of a page: a smaller one is read soon, and small print depends on what is around it
_MOST_PIXELS = 12_000_000  # of a page: its parts are in the parent's memory for a moment
_AUTOMATIC = 3  # the page segmentation mode for pages of any layout


def read(engine: Engine, image: PageImage, parameters: Parameters, helpers: Helpers) -> list[Word]:
    """The words of a page, by all workers that may help."""
    ends = [0, *_cuts(image, parameters, helpers.count), image.height]
    if len(ends) == 2:
        return bands.read(engine, image, parameters)
    parts = [bands.crop(image, start, end, along=1) for start, end in pairwise(ends)]
    questions = [_question(part, parameters) for part in parts[1:]]
    words, others = helpers.share(questions, lambda: bands.read(engine, parts[0], parameters))
    for part, start, reply in zip(parts[1:], ends[1:], others, strict=False):
        found = bands.read(engine, part, parameters) if reply is None else reply["words"]
        words += bands.behind(words, (bands.shifted(word, start, along=1) for word in found))
    return bands.renumbered(words)


def _cuts(image: PageImage, parameters: Parameters, helpers: int) -> list[int]:
    if not helpers or parameters.psm != _AUTOMATIC:
        return []
    if not _LEAST_PIXELS <= image.width * image.height <= _MOST_PIXELS:
        return []
    return Ink(image).cuts(1 + helpers)


def _question(part: PageImage, parameters: Parameters) -> Question:
    asked = {
        "part": WORDS,
        "image": (part.width, part.height, part.dpi),
        "languages": parameters.languages,
        "psm": parameters.psm,
    }
    return Question(asked, part.pixels)


def answer(engine: Engine, asked: Header, pixels: bytes) -> Header:
    """The reply to a question about a part."""
    parameters = Parameters(tuple(asked["languages"]), asked["psm"])
    return {"words": bands.read(engine, PageImage(pixels, *asked["image"]), parameters)}
