"""A page to read, with what it says."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from PIL import Image

if TYPE_CHECKING:
    from tests.pictures.render import Picture

Split = Literal["reported", "tuning"]
SPLITS: tuple[Split, ...] = get_args(Split)

_TURNS = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}


@dataclass(frozen=True)
class Page:
    """An image file and its text in reading order.

    `rotation` is the number of degrees by which the page must be turned clockwise to be upright: 0, 90, 180, 270.
    `group` is the value by which the report divides a set ("72 dpi"), or empty.
    """

    file: bytes
    text: str
    language: str = "eng"
    rotation: int = 0
    group: str = ""


def as_png(picture: Picture, rotation: int = 0) -> Page:
    """A page whose picture must be turned clockwise by `rotation`."""
    image = picture.image.transpose(_TURNS[rotation]) if rotation else picture.image
    stream = io.BytesIO()
    image.save(stream, "PNG", dpi=(picture.dpi, picture.dpi), compress_level=1)
    return Page(stream.getvalue(), picture.text, rotation=rotation)


def as_jpeg(picture: Picture, quality: int, rotation: int = 0) -> Page:
    """The same as a JPEG without a resolution, as telephones send it."""
    image = picture.image.transpose(_TURNS[rotation]) if rotation else picture.image
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Page(stream.getvalue(), picture.text, rotation=rotation)
