"""Input of an engine."""

from __future__ import annotations

from typing import NamedTuple


class PageImage(NamedTuple):
    """8-bit grey, top row first, no padding; `dpi` is 0 if the file does not give it."""

    pixels: bytes
    width: int
    height: int
    dpi: int
