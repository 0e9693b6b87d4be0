"""The page by keyboard, on a telephone, in the dark and in German; options, formats and jobs."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import httpx
import pikepdf
import pytest
from playwright.sync_api import expect

from tests.conftest import png
from tests.documents import make
from tests.page.conftest import Visit
from tests.page.receipt import receipt
from tests.page.visitor import SECONDS, Visitor
from tests.pictures import render

PNG = "image/png"
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True}


def saved(visitor: Visitor, name: str) -> tuple[str, bytes]:
    """Name and bytes of the file that a button of the menu saves."""
    visitor.page.locator("summary", has_text="Save as").click()
    with visitor.page.expect_download(timeout=SECONDS) as found:
        visitor.button(name).click()
    return found.value.suggested_filename, Path(found.value.path()).read_bytes()


@pytest.mark.all_browsers
def test_everything_can_be_done_by_keyboard(visit: Visit, site: str) -> None:
    visitor = visit(site)
    keyboard = visitor.page.keyboard
    visitor.page.on("filechooser", lambda _: None)  # from here on the browser opens no window of its own
    for _ in range(3):
        keyboard.press("Tab")
    focused = visitor.page.locator(":focus")
    expect(focused).to_have_text("Choose files")
    with visitor.page.expect_file_chooser() as chooser:
        keyboard.press("Enter")
    chooser.value.set_files({"name": "receipt.png", "mimeType": PNG, "buffer": receipt().png})
    visitor.waits_for_words()
    for _ in range(12):
        keyboard.press("Tab")
        if focused.get_attribute("role") == "region":
            break
    keyboard.press("ArrowRight")
    keyboard.press("ArrowRight")
    assert visitor.page.locator(".word.current").inner_text() == "Market"
    expect(visitor.page.locator("#detail")).to_contain_text("Market · ")
    keyboard.press("Shift+Tab")
    keyboard.press("Shift+Tab")
    keyboard.press("Enter")
    expect(visitor.page.locator(".menu")).to_have_attribute("open", "")
    visitor.inspect("menu")
    keyboard.press("Escape")
    expect(visitor.page.locator(".menu")).not_to_have_attribute("open", "")


def test_on_a_telephone(visit: Visit, site: str) -> None:
    visitor = visit(site, **PHONE)
    expect(visitor.button("Take a photo")).to_be_visible()
    assert visitor.page.locator("#photo").get_attribute("capture") == "environment"
    visitor.inspect("telephone-empty")
    visitor.give("receipt.png", receipt().png, PNG)
    visitor.waits_for_words()
    visitor.inspect("telephone")
    visitor.page.locator(".text").scroll_into_view_if_needed()
    visitor.photograph("telephone-text")


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_in_the_dark(visit: Visit, site: str, width: int) -> None:
    visitor = visit(site, color_scheme="dark", viewport={"width": width, "height": 900})
    visitor.inspect(f"dark-empty-{width}")
    visitor.give("receipt.png", receipt().png, PNG)
    visitor.waits_for_words()
    background = visitor.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, re.findall(r"\d+", background))) < 150
    visitor.inspect(f"dark-{width}")


@pytest.mark.all_browsers
def test_in_german_by_the_browser_and_by_the_switch(visit: Visit, site: str) -> None:
    visitor = visit(site, locale="de-DE")
    visitor.sees("Bild oder PDF hier ablegen")
    assert visitor.page.locator("html").get_attribute("lang") == "de"
    visitor.give("notes.txt", b"only words, no picture")
    visitor.sees("Das ist kein Bild und kein PDF.", ".problem")
    visitor.inspect("german")
    visitor.button("English").click()
    visitor.sees("This is not a picture, and not a PDF.", ".problem")
    visitor.page.reload()
    visitor.sees("Drop a picture or a PDF here")


def test_options_are_sent(visit: Visit, site: str) -> None:
    visitor = visit(site)
    visitor.page.locator("#options summary").click()
    visitor.page.get_by_label("Engine").select_option(label="Tesseract")
    visitor.page.get_by_label("German").check()
    visitor.page.get_by_label("Pages of documents").fill("2-3")
    visitor.page.get_by_label("Resolution").fill("150")
    visitor.page.get_by_label("Layout").select_option(label="One block")
    visitor.page.get_by_label("Text in the PDF").select_option(label="Recognise everything")
    visitor.inspect("options")
    with visitor.page.expect_request(re.compile("/gateway/ocr")) as sent:
        visitor.give("three.pdf", make.digital("first page", "second page", "third page"))
    query = httpx.URL(sent.value.url).params
    assert dict(query) == {
        "engine": "tesseract", "languages": "deu", "pages": "2-3", "dpi": "150", "psm": "6",
        "text_layer": "ignore", "format": "ndjson",
    }  # fmt: skip
    visitor.sees("Done", "#result .state")
    visitor.sees("second page", "#result")
    assert "first page" not in visitor.page.locator("#result").inner_text()


def test_results_are_copied_and_saved(visit: Visit, site: str) -> None:
    visitor = visit(site, permissions=["clipboard-read", "clipboard-write"])
    visitor.give("two.pdf", make.digital("first page", "second page"))
    visitor.sees("Done", "#result .state")
    visitor.button("Copy text").click()
    visitor.sees("Copied", "#result")
    assert "second page" in visitor.page.evaluate("navigator.clipboard.readText()")
    name, text = saved(visitor, "Text (.txt)")
    assert name == "two.txt"
    sent = httpx.post(
        f"{site}/gateway/ocr?languages=auto",
        files={"image_file": make.digital("first page", "second page")},
        timeout=60,
    ).json()
    assert text.decode() == sent["text"]
    _, document = saved(visitor, "JSON, with places")
    found = json.loads(document)
    assert found.keys() == sent.keys()
    assert [page["words"] for page in found["pages"]] == [page["words"] for page in sent["pages"]]
    _, lines = saved(visitor, "NDJSON, a line per page")
    assert [json.loads(line).get("page") for line in lines.splitlines()] == [1, 2, None]
    visitor.page.locator("summary", has_text="Save as").click()
    visitor.sees("The server reads the file again for these", ".menu")
    visitor.page.locator("summary", has_text="Save as").click()
    name, pdf = saved(visitor, "Searchable PDF")
    assert name == "two.pdf"
    assert len(pikepdf.open(io.BytesIO(pdf)).pages) == 2


def test_a_file_is_handed_in_as_a_job_and_opened_later(visit: Visit, site: str) -> None:
    visitor = visit(site)
    visitor.page.locator("#options summary").click()
    visitor.page.get_by_label("Hand in as a job").check()
    visitor.give("receipt.png", receipt().png, PNG)
    visitor.sees("Done. Open it", "#jobs")
    visitor.waits_for_words()
    visitor.inspect("jobs")
    visitor.page.reload()
    visitor.sees("receipt.png", "#jobs")
    visitor.sees("Done. Open it", "#jobs")
    visitor.page.locator("#jobs button.file").click()
    visitor.waits_for_words()
    visitor.sees("Butter", ".text")
    assert visitor.page.locator(".word", has_text="Butter").is_visible()
    visitor.inspect("job-opened")
    visitor.button("Delete job receipt.png").click()
    expect(visitor.page.locator("#jobs")).to_be_hidden()
    assert httpx.get(f"{site}/gateway/jobs").json()["jobs"] == []


def test_the_start_in_each_width(visit: Visit, site: str) -> None:
    for width in (360, 768, 1440):
        visitor = visit(site, viewport={"width": width, "height": 900})
        visitor.inspect(f"empty-{width}")
        visitor.give("label.png", png(render.label(1)), PNG)
        visitor.waits_for_words()
        visitor.inspect(f"label-{width}")
