"""The answers in which applications read the text: valid JSON whatever the text is, and every page in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway.answer import AnswerPage, total
from api_gateway.formats import ALL_FORMATS
from tests.unit.test_azure_spans import BOX, page_of, words_of

READ: dict[str, Callable[[bytes], str]] = {
    "open_webui": lambda body: str(json.loads(body)["page_content"]),
    "tika_text": bytes.decode,
    "tika_json": lambda body: str(json.loads(body)["X-TIKA:content"]),
    "tika_rmeta": lambda body: str(json.loads(body)[0]["X-TIKA:content"]),
    "mistral": lambda body: "\n".join(page["markdown"] for page in json.loads(body)["pages"]),
}
ODD = '"\\ \b\f\n\r\t/\x00\x1f\x7f\u2028\U0001f600\u00e9</script>'


def rendered(name: str, *pages: AnswerPage) -> bytes:
    render = ALL_FORMATS[name].render
    assert render is not None
    return b"".join(render(total(pages).answer("id", 9), pages))


@pytest.mark.parametrize("name", READ)
@settings(max_examples=50)
@given(texts=st.lists(st.text(st.characters(codec="utf-8"), max_size=20), min_size=1, max_size=3))
def test_every_page_is_in_the_text(name: str, texts: list[str]) -> None:
    pages = [page_of(number, words_of([(text, 0)])) for number, text in enumerate(texts, 1)]
    assert READ[name](rendered(name, *pages)) == "\n".join(text + "\n" for text in texts)


@pytest.mark.parametrize("name", READ)
def test_odd_characters_and_empty_pages(name: str) -> None:
    pages = [page_of(1, []), page_of(2, words_of([(ODD, 0)])), page_of(3, [])]
    assert READ[name](rendered(name, *pages)) == f"\n{ODD}\n\n"
    assert READ[name](rendered(name, page_of(1, []))) == ""


def of(name: str, *pages: AnswerPage) -> Any:
    return json.loads(rendered(name, *pages))


def test_tikas_metadata_tells_the_number_of_pages() -> None:
    assert of("tika_json", page_of(1, []))["xmpTPg:NPages"] == "9"


def test_mistrals_pages_have_their_numbers_in_the_document() -> None:
    found = of("mistral", page_of(3, words_of([("a", 0)])), page_of(7, [], dpi=None))
    assert [page["index"] for page in found["pages"]] == [2, 6]
    assert found["pages"][0]["dimensions"] == {"dpi": 200, "width": 1000, "height": 2000}
    assert found["pages"][1]["dimensions"]["dpi"] == 0
    assert found["usage_info"]["pages_processed"] == 2


@pytest.mark.parametrize("pages", [[[]], [["a"]], [["a", ODD], [], ["b"]], [[], ["b"]]])
def test_liteparse_gets_words_with_boxes(pages: list[list[str]]) -> None:
    made = [page_of(at, words_of([(text, 0) for text in texts])) for at, texts in enumerate(pages, 1)]
    found = of("liteparse", *made)
    assert [word["text"] for word in found["results"]] == [text for texts in pages for text in texts]
    for word in found["results"]:
        assert word == {"text": word["text"], "bbox": list(BOX), "confidence": 0.875}
