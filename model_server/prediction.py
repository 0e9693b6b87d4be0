"""A page as V1 and V2 return it."""

from __future__ import annotations

from service_kit.page import Page


class Prediction(Page):
    """`format` is the file's format; `duration_seconds` includes `decoding_seconds`.

    `lines` are those that the neural detector found, or Tesseract's if a look was not needed; 0 with Tesseract
    alone. `lines_read_again` are those that Tesseract had missed or doubted, and that the neural engine read.
    """

    lines: int
    lines_read_again: int

    format: str
    decoding_seconds: float
