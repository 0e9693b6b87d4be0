"""A page as V1 and V2 return it."""

from __future__ import annotations

from service_kit.page import Page


class Prediction(Page):
    """`format` is the file's format; `duration_seconds` includes `decoding_seconds`."""

    format: str
    decoding_seconds: float
