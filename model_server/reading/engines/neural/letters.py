"""The recogniser's characters, and which of them the languages of a page may have."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

# Tesseract's names. The letters of those in Latin script are in the recogniser's table.
CHINESE_AND_JAPANESE = ("chi_sim", "chi_tra", "jpn")
LATIN = (
    *("afr", "bos", "cat", "ces", "cym", "dan", "deu", "eng", "est", "eus", "fin", "fra", "gle", "glg"),
    *("hrv", "hun", "ind", "isl", "ita", "lat", "lav", "lit", "ltz", "mlt", "mri", "msa", "nld", "nor"),
    *("oci", "pol", "por", "que", "ron", "slk", "slv", "spa", "sqi", "swa", "swe", "tgl", "tur", "uzb"),
)
LANGUAGES = (*LATIN, *CHINESE_AND_JAPANESE)

_EAST_ASIAN = frozenset({"W", "F"})  # `unicodedata.east_asian_width` of Chinese and Japanese characters
# What texts in Latin script have: letters, signs of every day; not phonetic signs, dingbats or half-width kana.
_IN_LATIN_TEXTS = (
    (0x0020, 0x024F),  # Latin
    (0x0391, 0x03C9),  # Greek, in formulas
    (0x1E00, 0x1EFF),  # Latin with more than one mark
    (0x2010, 0x20BF),  # punctuation, small figures, currencies
    (0x2100, 0x2193),  # letters as signs, fractions, arrows
    (0x2200, 0x226F),  # mathematics
    (0x25A0, 0x25CF),  # bullets
    (0x2605, 0x2612),  # stars, boxes of forms
    (0x2713, 0x2718),  # ticks
)


def choice(characters: Sequence[str], languages: Iterable[str]) -> NDArray[np.int64]:
    """The indices of the characters that texts in these languages have, in rising order."""
    fits = _is_latin if set(CHINESE_AND_JAPANESE).isdisjoint(languages) else bool
    return np.array([at for at, text in enumerate(characters) if fits(text)])


def _is_latin(text: str) -> bool:
    return all(
        any(low <= ord(letter) <= high for low, high in _IN_LATIN_TEXTS)
        and unicodedata.east_asian_width(letter) not in _EAST_ASIAN
        for letter in text
    )
