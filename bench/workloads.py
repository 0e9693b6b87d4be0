"""The pictures to read, the same for every subject and every run."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import TYPE_CHECKING

from model_server.image_header import read_header
from model_server.reading import decoding
from tests.pictures import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_server.reading.image import PageImage
    from tests.pictures.render import Picture

_MAX_PIXELS = 50_000_000


@dataclass(frozen=True, eq=False)
class Image:
    """The file that clients send, the pixels for the bare engine, and the text that was drawn."""

    file: bytes
    media_type: str
    grey: PageImage
    text: str


@dataclass(frozen=True)
class Workload:
    """`order` is a fixed list of indices into `images`; a measurement repeats it as needed."""

    name: str
    title: str
    images: tuple[Image, ...]
    order: tuple[int, ...]

    def picks(self, count: int) -> list[int]:
        whole, rest = divmod(count, len(self.order))
        return [*self.order * whole, *self.order[:rest]]


# Of 50 uploads in the mix: labels, pages, sheets at 200 and 300 dpi, photographs.
_MIX = {"label": 24, "page": 18, "a4-200": 5, "a4-300": 2, "photo": 1}


@cache
def workload(name: str) -> Workload:
    return _mix() if name == "mix" else _uniform(name)


def _uniform(name: str) -> Workload:
    title, draw, seeds = _KINDS[name]
    images = tuple(image(draw(seed), photo=name == "photo") for seed in range(1, seeds + 1))
    return Workload(name, title, images, tuple(range(seeds)))


def _mix() -> Workload:
    images: list[Image] = []
    order: list[int] = []
    for name, count in _MIX.items():
        part = workload(name)
        order += [len(images) + pick for pick in part.picks(count)]
        images += part.images
    Random("mix").shuffle(order)
    return Workload("mix", "mix of the above", tuple(images), tuple(order))


_KINDS: dict[str, tuple[str, Callable[[int], Picture], int]] = {
    "label": ("label, 300 x 100", render.label, 8),
    "page": ("page, 640 x 480", render.page, 4),
    "a4-200": ("A4 at 200 dpi", lambda seed: render.a4(seed, dpi=200), 2),
    "a4-300": ("A4 at 300 dpi", lambda seed: render.a4(seed, dpi=300), 2),
    "photo": ("photograph, 12 megapixels", render.photo, 1),
}
NAMES = (*_KINDS, "mix")


def image(picture: Picture, *, photo: bool = False) -> Image:
    stream = io.BytesIO()
    if photo:
        picture.image.save(stream, "JPEG", quality=90)
    else:
        picture.image.save(stream, "PNG", dpi=(picture.dpi, picture.dpi))
    file = stream.getvalue()
    decoding.prepare(_MAX_PIXELS)
    grey = decoding.decode(file, read_header(file)).image
    return Image(file, "image/jpeg" if photo else "image/png", grey, picture.text)
