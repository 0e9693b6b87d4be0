"""Pages of books in five languages of Latin script, each with its own letters and quotation marks."""

from __future__ import annotations

from dataclasses import replace

from quality import scanner
from quality.families.clean import book
from quality.page import Page, Split, as_png
from quality.vocabulary import LANGUAGES
from quality.writer import Writer

_LANGUAGES = ("eng", *LANGUAGES)


def draw(split: Split, seed: int) -> Page:
    language = _LANGUAGES[seed % len(_LANGUAGES)]
    writer = Writer(split, "languages", seed, language)
    picture = scanner.scanned(book(writer, 200), writer.rng)
    return replace(as_png(picture), language=language, group=language)
