"""The page's words: complete in both languages, for every error that a server can report."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from api_gateway.errors import DOCUMENT_KILLS_WORKER, RELAYED, WORKER_LOST
from api_gateway.routes.page import FOLDER, web_files
from service_kit.errors import ServiceError, tree
from service_kit.page import ENGINES, PSMS, WARNINGS

LANGUAGES = ("en", "de")
CODES = {error.code for error in tree(ServiceError)} | {*RELAYED, WORKER_LOST, DOCUMENT_KILLS_WORKER}


def words(language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((FOLDER / "words" / f"{language}.json").read_text())
    return found


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", sorted(CODES))
def test_every_error_says_what_happened_and_what_to_do(language: str, code: str) -> None:
    known = words(language)
    assert known[f"error.{code}"].endswith(".")
    assert known[f"todo.{code}"].endswith(".")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_choice_has_a_name(language: str) -> None:
    known = words(language)
    assert {f"psm.{mode}" for mode in PSMS} <= known.keys()
    assert {f"engine.{name}" for name in ENGINES} <= known.keys()
    assert {f"warning.{code}" for code in WARNINGS} <= known.keys()


def test_both_languages_have_the_same_texts_with_the_same_values() -> None:
    english, german = words("en"), words("de")
    assert english.keys() == german.keys()
    for key, text in english.items():
        assert _values(text) == _values(german[key]), key


def test_each_text_that_the_page_asks_for_is_there() -> None:
    known = words("en")
    asked = set(re.findall(r'data-t(?:-label)?="([^"]+)"', (FOLDER / "index.html").read_text()))
    for name, file in web_files().items():
        if name.endswith(".js"):
            asked |= set(re.findall(r'\bt\("([^"]+)"', file.plain.decode()))
    assert asked
    assert not asked - known.keys()


def _values(text: str) -> Any:
    return set(re.findall(r"\{(\w+)\}", text))
