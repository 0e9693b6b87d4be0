"""Engines behind one interface: the same words from each."""

from __future__ import annotations

import os
import sys
from operator import itemgetter
from pathlib import Path

import pytest

from model_server.reading import engines
from model_server.reading.image import PageImage
from service_kit.page import Parameters, text_of
from tests import needs
from tests.pictures import render

TESSDATA = Path(sys.prefix) / "share" / "tessdata"


def grey(picture: render.Picture) -> PageImage:
    image = picture.image.convert("L")
    return PageImage(image.tobytes(), image.width, image.height, picture.dpi)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    os.environ["OMP_THREAD_LIMIT"] = "1"


@pytest.fixture(scope="module")
def library() -> engines.Engine:
    return engines.make("tesserocr", TESSDATA)


@pytest.fixture(scope="module")
def program() -> engines.Engine:
    needs.program("tesseract", "Debian: tesseract-ocr")
    return engines.make("pytesseract", TESSDATA)


@pytest.mark.parametrize("picture", [render.label(1), render.page(1), render.receipt(1), render.a4(1, 200)])
def test_both_find_the_same_words(
    library: engines.Engine, program: engines.Engine, picture: render.Picture
) -> None:
    first, second = (engine.read(grey(picture), Parameters()) for engine in (library, program))
    assert text_of(first) == text_of(second)
    assert [word["bbox"] for word in first] == [word["bbox"] for word in second]
    place = itemgetter("block", "paragraph", "line")
    assert [*map(place, first)] == [*map(place, second)]
    for one, other in zip(first, second, strict=True):
        assert one["confidence"] == pytest.approx(other["confidence"], abs=5)  # two versions of Tesseract


def test_they_tell_what_they_are(library: engines.Engine, program: engines.Engine) -> None:
    assert library.info.languages == program.info.languages
    assert set(library.info.languages) >= {"eng", "deu"}
    assert "osd" not in library.info.languages
    assert library.info.version.startswith("5.")


def test_a_page_does_not_depend_on_those_before_it(library: engines.Engine) -> None:
    picture, other = grey(render.page(1)), grey(render.receipt(2))
    alone = library.read(picture, Parameters())
    library.read(other, Parameters(("deu", "eng"), 6))
    assert library.read(picture, Parameters()) == alone


def test_many_language_combinations_do_not_pile_up(library: engines.Engine) -> None:
    picture = grey(render.label(1))
    for languages in (("eng",), ("deu",), ("eng", "deu"), ("deu", "eng"), ("eng",)):
        assert library.read(picture, Parameters(languages))
    assert len(library._apis) == 3  # type: ignore[attr-defined]


def test_without_language_data(tmp_path: Path) -> None:
    with pytest.raises(engines.EngineUnavailable, match=r"No \*\.traineddata in"):
        engines.make("tesserocr", tmp_path)
    with pytest.raises(engines.EngineUnavailable, match="folder of language data is missing"):
        engines.make("tesserocr", tmp_path / "nowhere")


def test_without_the_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(engines.EngineUnavailable, match="tesseract program is not on PATH"):
        engines.make("pytesseract", None)
