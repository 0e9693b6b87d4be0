"""Which engines and languages a request may have."""

from __future__ import annotations

import pytest

from service_kit.errors import BadEngine, NoSuchEngine, UnknownLanguage
from service_kit.offered import Offered
from service_kit.page import EngineName

BOTH = Offered(["eng", "rus"], ["eng", "fra"], "auto")
LEAN = Offered(["eng", "rus"], None, "auto")


@pytest.mark.parametrize(
    ("languages", "engine"),
    [
        (["eng"], "auto"),
        (["eng"], "tesseract"),
        (["eng"], "neural"),
        (["rus", "eng"], "auto"),  # Tesseract alone
        (["rus"], "tesseract"),
        (["fra", "eng"], "auto"),  # the neural engine alone
        (["fra"], "neural"),
        (["auto"], "auto"),
        (["auto"], "tesseract"),
        (["auto"], "neural"),
    ],
)
def test_what_an_engine_reads(languages: list[str], engine: EngineName) -> None:
    BOTH.check(languages, engine)


@pytest.mark.parametrize(
    ("languages", "engine", "text"),
    [
        (["rus"], "neural", "Only Tesseract reads rus: ask for engine=tesseract or engine=auto."),
        (["eng", "rus"], "neural", "Only Tesseract reads eng,rus: ask for engine=tesseract or engine=auto."),
        (["fra"], "tesseract", "Only the neural engine reads fra: ask for engine=neural or engine=auto."),
        (["fra", "rus"], "auto", "No engine reads fra,rus together."),
        (["xyz"], "auto", "Languages offered here: eng, fra, rus, auto."),
        (["xyz"], "neural", "Languages offered here: eng, fra, auto."),
        (["auto", "eng"], "auto", "languages=auto stands alone: it finds the language itself."),
    ],
)
def test_a_refusal_says_what_helps(languages: list[str], engine: EngineName, text: str) -> None:
    with pytest.raises(UnknownLanguage) as refused:
        BOTH.check(languages, engine)
    assert str(refused.value) == text


def test_engines_that_are_there() -> None:
    assert (BOTH.engines, LEAN.engines) == (["auto", "tesseract", "neural"], ["auto", "tesseract"])
    assert (BOTH.engine(None), BOTH.engine("neural"), LEAN.engine("auto")) == ("auto", "neural", "auto")
    assert Offered(["eng"], ["eng"], "neural").engine(None) == "neural"
    assert [BOTH.readers(name) for name in BOTH.languages] == [["tesseract", "neural"], ["neural"], ["tesseract"]]


def test_engines_that_are_not_there() -> None:
    with pytest.raises(NoSuchEngine, match="It has: auto, tesseract"):
        LEAN.engine("neural")
    for strange in ("pytesseract", "", True, ["neural"], {"neural": 1}):
        with pytest.raises(BadEngine):
            BOTH.engine(strange)


def test_no_language_is_found_where_there_is_none() -> None:
    with pytest.raises(UnknownLanguage):
        Offered([], None, "auto").check(["auto"], "auto")
