"""LiteParse with our address as its OCR server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from liteparse import LiteParse, ParseError
from PIL import ImageOps

from tests.applications import files
from tests.applications.proxy import answering, proxied
from tests.applications.site import KEY, Site
from tests.pictures import render

_POINTS = 72


def parser_at(url: str, key: str = KEY, **more: Any) -> LiteParse:
    headers = {"Authorization": f"Bearer {key}"}
    return LiteParse(ocr_server_url=f"{url}/liteparse/ocr", ocr_server_headers=headers, quiet=True, **more)


def words(text: str) -> list[str]:
    return text.split()


def test_the_text_of_scanned_pages(site: Site) -> None:
    found = parser_at(site.url).parse(files.scans())
    assert [words(page.text) for page in found.pages] == [words(render.label(n).text) for n in (1, 2)]


def test_the_text_of_a_picture(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "label.png"
    path.write_bytes(files.picture())
    assert words(parser_at(site.url).parse(path).text) == words(render.label(1).text)


def test_words_stand_where_they_were_drawn(site: Site) -> None:
    label = render.label(1)
    items = parser_at(site.url).parse(files.scans(1)).pages[0].text_items
    ink = [edge * _POINTS / label.dpi for edge in ImageOps.invert(label.image).getbbox() or ()]
    found = [
        min(item.x for item in items),
        min(item.y for item in items),
        max(item.x + item.width for item in items),
        max(item.y + item.height for item in items),
    ]
    assert found == pytest.approx(ink, abs=1.5)  # points; LiteParse draws pages with 150 dpi


def test_a_language_is_asked_for(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    path.write_bytes(files.in_german())
    found = parser_at(site.url, ocr_language="de").parse(path).text
    assert words(found) == words(site.read(files.in_german(), languages="deu", format="text").text)


@pytest.mark.parametrize(("key", "language", "status"), [("wrong", "en", "401"), (KEY, "tlh", "400")])
def test_a_page_that_is_refused_is_an_error(site: Site, key: str, language: str, status: str) -> None:
    with pytest.raises(ParseError, match=f"OCR failed for all 2 page.*{status}"):
        parser_at(site.url, key, ocr_language=language).parse(files.scans())


def test_a_page_that_fails_is_missing_without_an_error_unless_pages_are_parsed_one_by_one(site: Site) -> None:
    """docs/applications.md says so: LiteParse raises only if all pages of a call fail."""
    with proxied(site.port, answering(422)) as proxy:
        assert [bool(page.text) for page in parser_at(proxy.url, num_workers=1).parse(files.scans()).pages] == [
            False,
            True,
        ]
    with proxied(site.port, answering(422)) as proxy, pytest.raises(ParseError, match="422"):
        list(parser_at(proxy.url).parse_batches(files.scans(), batch_size=1))
