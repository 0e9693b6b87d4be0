"""`languages=auto`: the language of a text, and of a page by its readings."""
# ruff: noqa: RUF001 - letters of other scripts

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from model_server.reading.engines.tesserocr_engine import TesserocrEngine
from model_server.reading.image import PageImage
from model_server.reading.language import identify, read_any
from model_server.reading.script import detect
from service_kit.page import Parameters, Word, text_of
from tests.pictures import german, render

TESSDATA = Path(sys.prefix) / "share" / "tessdata"
INSTALLED = [
    "chi_sim",
    "chi_tra",
    "deu",
    "ell",
    "eng",
    "fra",
    "ita",
    "jpn",
    "nld",
    "pol",
    "rus",
    "srp",
    "srp_latn",
    "ukr",
]
TEXTS = {
    "eng": "Everyone has the right to a standard of living adequate for the health and well-being of his family.",
    "deu": "Jeder hat das Recht auf einen Lebensstandard, der seine und seiner Familie Gesundheit gewährleistet.",
    "fra": "Toute personne a droit à un niveau de vie suffisant pour assurer sa santé et celle de sa famille.",
    "ita": "Ogni individuo ha diritto ad un tenore di vita sufficiente a garantire la salute della sua famiglia.",
    "nld": "Een ieder heeft recht op een levensstandaard, die hoog genoeg is voor de gezondheid van zijn gezin.",
    "pol": "Każdy człowiek ma prawo do poziomu życia zapewniającego zdrowie i dobrobyt jemu i jego rodzinie.",
    "rus": "Каждый человек имеет право на такой жизненный уровень, который необходим для здоровья его семьи.",
    "ukr": "Кожна людина має право на такий життєвий рівень, який є необхідним для здоров'я її сім'ї.",
    "srp": "Свако има право на стандард живота који обезбеђује здравље и благостање, његово и његове породице.",
    "srp_latn": "Svako ima pravo na standard života koji obezbeđuje zdravlje i blagostanje njegove porodice.",
    "ell": "Καθένας έχει δικαίωμα σε ένα βιοτικό επίπεδο ικανό να εξασφαλίσει στην οικογένειά του υγεία.",
    "jpn": "すべて人は、自己及び家族の健康及び福祉に十分な生活水準を保持する権利を有する。",
    "chi_sim": "人人有权享受为维持他本人和家属的健康和福利所需的生活水准，包括食物、衣着、住房、医疗。",
    "chi_tra": "人人有權享受為維持他本人和家屬的健康和福利所需的生活水準，包括食物、衣著、住房、醫療。",
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_language_of_a_text(name: str) -> None:
    assert identify(TEXTS[name], INSTALLED) == (name,)
    assert identify(TEXTS[name].upper(), INSTALLED) == (name,)


def test_a_text_in_two_languages() -> None:
    assert set(identify(f"{TEXTS['deu']}\n\n{TEXTS['fra']}", INSTALLED) or ()) == {"deu", "fra"}


@pytest.mark.parametrize("text", ["", "12 : 30", "Nr. 5", TEXTS["rus"], TEXTS["jpn"], "\n\n1234567890 " * 9])
def test_no_language_is_named_for_a_short_text_or_one_that_is_not_installed(text: str) -> None:
    assert identify(text, ["eng", "deu", "Latin"]) is None


class Words(NamedTuple):
    words: list[Word]


def reads(image: PageImage, installed: list[str]) -> tuple[list[str], str, tuple[str, ...]]:
    """The languages of each reading, the text and the languages found."""
    engine = TesserocrEngine(TESSDATA)
    calls: list[str] = []

    def read(languages: tuple[str, ...]) -> Words:
        calls.append("+".join(languages))
        return Words(engine.read(image, Parameters(languages)))

    found, languages = read_any(read, installed, lambda: detect(image, TESSDATA))
    return calls, text_of(found.words), languages


def image_of(picture: render.Picture) -> PageImage:
    image = picture.image
    return PageImage(image.tobytes(), image.width, image.height, picture.dpi)


def test_an_english_page_is_read_once() -> None:
    calls, _, languages = reads(image_of(render.page(1)), ["deu", "eng"])
    assert (calls, languages) == (["eng"], ("eng",))


def test_a_german_page_is_read_again_in_german() -> None:
    calls, text, languages = reads(image_of(german.page()), ["deu", "eng"])
    assert (calls, languages) == (["eng", "deu"], ("deu",))
    assert text.split() == german.page().text.split()


def test_a_blank_page_is_read_once() -> None:
    calls, text, languages = reads(PageImage(b"\xff" * 90_000, 300, 300, 150), ["deu", "eng"])
    assert (calls, text, languages) == (["eng"], "", ("eng",))


def told(text: str, confidence: float) -> Words:
    place = {"block": 1, "paragraph": 1, "line": 1}
    return Words([{"text": text, "confidence": confidence, "bbox": (0, 0, 1, 1), **place}])  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("detected", "tried"), [("Cyrillic", "rus"), ("Katakana", "jpn"), (None, "chi_sim"), ("Latin", "chi_sim")]
)
def test_gibberish_is_read_in_other_scripts_until_one_is_clear(detected: str | None, tried: str) -> None:
    calls: list[str] = []

    def read(languages: tuple[str, ...]) -> Words:
        calls.append("+".join(languages))
        return told("x", 90.0 if languages == (tried,) else 40.0)

    _, languages = read_any(read, ["deu", "chi_sim", "eng", "jpn", "rus", "ukr"], lambda: detected)
    assert (calls, languages) == (["eng", tried], (tried,))


def test_three_readings_at_most() -> None:
    calls: list[str] = []

    def read(languages: tuple[str, ...]) -> Words:
        calls.append("+".join(languages))
        return told(TEXTS["fra"], 30.0)

    _, languages = read_any(read, [*INSTALLED, "kor"], lambda: None)
    assert (calls, languages) == (["eng", "chi_sim", "ell"], ("eng",))


def test_a_reading_that_lost_much_is_not_taken() -> None:
    def read(languages: tuple[str, ...]) -> Words:
        return told(TEXTS["fra"], 95.0 if languages == ("eng",) else 70.0)

    assert read_any(read, INSTALLED, lambda: None)[1] == ("eng",)


def test_the_script_of_a_page() -> None:
    assert detect(image_of(render.a4(1)), TESSDATA) == "Latin"
    assert detect(PageImage(b"\xff" * 10_000, 100, 100, 150), TESSDATA) is None
    assert detect(image_of(render.a4(1)), Path("/nowhere")) is None
