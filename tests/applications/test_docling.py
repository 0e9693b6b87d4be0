"""docling's own OCR model class reads the pages of a PDF with our model server."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from scripts.services import Service
from tests.conftest import Pair
from tests.pictures import render

ROOT = Path(__file__).parents[2]
CLIENT = Path(__file__).with_name("docling_client.py")
PAGES = [render.a4(1), render.a4(2)]
POINTS = (595, 842)


class Read(NamedTuple):
    """Of each page, its cells; and docling's errors."""

    pages: list[list[dict[str, Any]]]
    errors: list[str]


@pytest.fixture(scope="module")
def pdf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("docling") / "pages.pdf"
    first, *others = (page.image for page in PAGES)
    first.save(path, save_all=True, append_images=others, resolution=PAGES[0].dpi)
    return path


def options(service: Service, **more: Any) -> dict[str, Any]:
    """What docs/applications.md tells to type."""
    url = service.url if more.get("transport") == "http" else f"127.0.0.1:{service.grpc_port}"
    return {"url": url, **more}


def read(python: Path, pdf: Path, asked: dict[str, Any]) -> Read:
    done = subprocess.run(
        [str(python), str(CLIENT)],
        input=json.dumps({"options": asked, "pdf": str(pdf)}),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return Read(**json.loads(done.stdout))


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"transport": "http"},
        {"transport": "http", "model_version": "1", "scale": 3.0},
        {"model_version": "1", "lang": ["latin"]},
        {"use_binary_data": False},
    ],
    ids=str,
)
def test_the_text_of_each_page_line_by_line(pair: Pair, docling: Path, pdf: Path, more: dict[str, Any]) -> None:
    found = read(docling, pdf, options(pair.model, **more))
    assert found.errors == []
    for cells, page in zip(found.pages, PAGES, strict=True):
        drawn = [line for line in page.text.splitlines() if line]
        assert len(cells) == len(drawn)
        right = sum(cell["text"] == line for cell, line in zip(cells, drawn, strict=True))
        assert right >= 0.8 * len(drawn), "at 144 dpi some letters are read wrongly"
        for cell in cells:
            left, top, end, bottom = cell["box"]
            assert 50 < left < end < POINTS[0] - 50, "the page has margins of 60 points"
            assert 50 < top < bottom < POINTS[1] - 50
            assert 0 < cell["confidence"] <= 1


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_a_language_that_is_missing_is_an_error_that_docling_shows(
    pair: Pair, docling: Path, pdf: Path, transport: str
) -> None:
    found = read(docling, pdf, options(pair.model, transport=transport, lang=["klingon"]))
    assert found.pages == [[], []]
    assert len(found.errors) == 2
    assert all("Languages offered here: " in error for error in found.errors)


def test_the_command_of_the_docs_prints_what_stands_under_it(pair: Pair, docling: Path) -> None:
    found = re.search(
        r"```bash\n(.*?)```\n\n```text\n(.*?)```", (ROOT / "docs" / "applications.md").read_text(), re.DOTALL
    )
    assert found
    command = found[1].replace("127.0.0.1:8081", f"127.0.0.1:{pair.model.grpc_port}")
    command = command.replace(".tools/docling/bin/python", str(docling))
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.stdout == found[2], done.stderr
