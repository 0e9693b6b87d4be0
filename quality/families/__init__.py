"""The families of pages, one per module.

A layout draws a picture of what a writer writes, at a resolution. A set makes pages of layouts: it is a function
of the family of seeds and the seed, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable

from quality.page import Page, Split
from quality.writer import Writer
from tests.pictures.render import Picture

Layout = Callable[[Writer, int], Picture]
Draw = Callable[[Split, int], Page]
