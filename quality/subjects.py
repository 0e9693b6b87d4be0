"""What is measured: a row for each subject."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from quality.readers import BareNeural, BareTesseract, Reader, ServiceReader


@dataclass(frozen=True)
class Subject:
    """`engine` is the engine that the reader is asked for; `without` are sets that it does not read."""

    title: str
    reader: Callable[[], Reader]
    engine: str
    without: frozenset[str] = frozenset()


BASE = "bare-tesseract"  # the others' CPU time is divided by that of this one
BARE_NEURAL = "bare-neural"
SUBJECTS = {
    BASE: Subject("bare Tesseract", BareTesseract, "tesseract"),
    BARE_NEURAL: Subject("bare PP-OCRv6", BareNeural, "neural", without=frozenset({"turned", "upright"})),
    "tesseract": Subject("`engine=tesseract`", ServiceReader, "tesseract"),
    "auto": Subject("`engine=auto`", ServiceReader, "auto"),
    "neural": Subject("`engine=neural`", ServiceReader, "neural"),
}
