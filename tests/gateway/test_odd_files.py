"""Files from bug reports, with what each must give, if there is a folder of them (OCR_ODD_FILES=folder).

The folder's expected.json has a list of cases: `file`, `query`, `form` (further form fields), `status`, and `has`
and `lacks`, the words that the answer must or must not have.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pypdfium2
import pytest

FOLDER = Path(os.environ.get("OCR_ODD_FILES", "/nowhere"))
CASES: list[dict[str, Any]] = (
    json.loads((FOLDER / "expected.json").read_text()) if FOLDER.is_dir() else [{"file": "none", "query": ""}]
)


def highlighted(content: bytes, words: list[str]) -> None:
    """PDFium finds each word, and its rectangle has an area."""
    with pypdfium2.PdfDocument(content) as pdf:
        text = pdf[0].get_textpage()
        for word in words:
            found = text.search(word).get_next()
            assert found is not None, word
            assert text.count_rects(*found) == 1, word
            left, bottom, right, top = text.get_rect(0)
            assert right - left > 1
            assert top - bottom > 1


def scan_is_found(content: bytes, _post: Callable[[str], httpx.Response]) -> None:
    highlighted(content, ["Purchase", "order", "4711", "342.35"])


def words_of_json_are_found(content: bytes, post: Callable[[str], httpx.Response]) -> None:
    (page,) = post("?psm=1").json()["pages"]
    assert page["words"]
    highlighted(content, [word["text"] for word in page["words"]])


def user_unit(content: bytes, _post: object) -> None:
    (page,) = json.loads(content)["pages"]
    assert (page["width"], page["height"], page["dpi"]) == (2550, 3300, 300)


def hyphen(_content: bytes, post: Callable[[str], httpx.Response]) -> None:
    (page,) = post("?dpi=72").json()["pages"]
    assert len(page["text"].split("\n")) == 4
    assert all(word["bbox"][3] - word["bbox"][1] <= 20 for word in page["words"])
    assert "exam-ple" not in page["text"]


def in_order(content: bytes, _post: object) -> None:
    text = content.decode()
    assert 0 <= text.index("First line") < text.index("Second line")


def embedded(content: bytes, _post: object) -> None:
    assert [page["source"] for page in json.loads(content)["pages"]] == ["embedded"]


def jpeg_inside(content: bytes, _post: object) -> None:
    assert b"/DCTDecode" in content
    assert len(content) < 1.2 * (FOLDER / "i09_turned_mpo.jpg").stat().st_size + 20_000


def dark_on_white(content: bytes, _post: object) -> None:
    with pypdfium2.PdfDocument(content) as pdf:
        assert pdf[0].render(grayscale=True).to_numpy()[0, 0].item() == 255


CHECKS = {
    ("r01_scan_rotate_0.pdf", "?format=pdf"): scan_is_found,
    ("r01_scan_rotate_90.pdf", "?format=pdf"): scan_is_found,
    ("r02_vertical_line.png", "?format=pdf&psm=1"): words_of_json_are_found,
    ("e04_userunit_10_scan.pdf", ""): user_unit,
    ("e06_hyphen.pdf", ""): hyphen,
    ("e08_bottom_line_first.pdf", "?format=text"): in_order,
    ("e09_invisible_signature.pdf", ""): embedded,
    ("i09_turned_mpo.jpg", "?format=pdf"): jpeg_inside,
    ("t01_16_bit_min_is_white.tiff", "?format=pdf"): dark_on_white,
}


@pytest.mark.skipif(not FOLDER.is_dir(), reason="OCR_ODD_FILES names no folder of files from bug reports")
@pytest.mark.parametrize("case", CASES, ids=[case["file"] + case["query"] for case in CASES])
def test_an_odd_file(gateway: httpx.Client, case: dict[str, Any]) -> None:
    data = (FOLDER / case["file"]).read_bytes()

    def post(query: str) -> httpx.Response:
        return gateway.post(
            f"/gateway/ocr{query}", files={"image_file": (case["file"], data)}, data=case.get("form", {})
        )

    answer = post(case["query"])
    assert str(answer.status_code) in str(case["status"]), answer.text
    if answer.status_code != 200:
        return
    text = answer.text if "format=pdf" not in case["query"] else ""
    assert [word for word in case["has"] if word not in text] == []
    assert [word for word in case["lacks"] if word in text] == []
    if check := CHECKS.get((case["file"], case["query"])):
        check(answer.content, post)
