"""A file is dropped, and its text is there: on the picture, beside it, and in the clipboard."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, expect

from tests.conftest import png
from tests.documents import make
from tests.faults.pair import crowding
from tests.page.conftest import Visit
from tests.page.receipt import SIZE, receipt
from tests.page.visitor import SECONDS
from tests.pictures import formats, render
from tests.pictures.turn import turned

PNG = "image/png"
MOST_PIXELS = 3
MOST_SECONDS_BESIDES = 0.2


@pytest.mark.all_browsers
def test_a_dropped_receipt_has_its_words_in_place(visit: Visit, site: str) -> None:
    visitor = visit(site)
    drawn = receipt()
    visitor.drop("receipt.png", drawn.png, PNG)
    visitor.waits_for_words()
    found = visitor.boxes(SIZE[0])
    assert set(found) == set(drawn.boxes)
    for word, box in drawn.boxes.items():
        shown, written = found[word]
        assert [*map(round, shown)] == pytest.approx(box, abs=MOST_PIXELS), word
        assert [*map(round, written)] == pytest.approx((box[0], box[2]), abs=MOST_PIXELS), word
    visitor.inspect("receipt")


@pytest.mark.all_browsers
def test_picture_and_text_are_in_step(visit: Visit, site: str) -> None:
    visitor = visit(site)
    visitor.drop("receipt.png", receipt().png, PNG)
    page = visitor.waits_for_words()
    page.locator(".text .w", has_text="Butter").click()
    assert page.locator(".word.current").inner_text() == "Butter"
    page.locator(".word", has_text="Oranges").click()
    assert page.locator(".text .current").inner_text() == "Oranges"
    page.locator(".word", has_text="TOTAL").hover()
    assert "TOTAL · " in page.locator(".tip").inner_text()
    assert "%" in page.locator(".tip").inner_text()
    assert "Tesseract" in page.locator(".tip").inner_text() or "Neural" in page.locator(".tip").inner_text()


@pytest.mark.all_browsers
def test_words_on_the_picture_are_selected_and_copied_as_text(visit: Visit, site: str) -> None:
    visitor = visit(site)
    visitor.drop("receipt.png", receipt().png, PNG)
    visitor.waits_for_words()
    copied = visitor.page.evaluate("""() => {
        const words = [...document.querySelectorAll(".word > span")];
        const range = document.createRange();
        range.setStart(words[0].firstChild, 0);
        range.setEnd(words[3].firstChild, words[3].textContent.length);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        const data = new DataTransfer();
        const event = new ClipboardEvent("copy", { clipboardData: data, bubbles: true, cancelable: true });
        words[0].dispatchEvent(event);
        return event.clipboardData.getData("text/plain");
    }""")
    assert copied == "Corner Market\nBread $3.20"


@pytest.mark.alone
def test_the_first_words_are_there_soon_after_the_answer(visit: Visit, site: str) -> None:
    visitor = visit(site)
    visitor.drop("receipt.png", receipt().png, PNG)
    visitor.waits_for_words()
    total, request = visitor.page.evaluate("""async () => {
        while (!window.firstWords) await new Promise(requestAnimationFrame);
        const calls = performance.getEntriesByType("resource");
        const call = calls.find(({ name }) => name.includes("/gateway/ocr"));
        return [window.firstWords - window.dropped, call.responseEnd - call.requestStart];
    }""")
    assert (total - request) / 1000 <= MOST_SECONDS_BESIDES * crowding()


def test_a_page_that_lies_on_its_side_is_shown_upright(visit: Visit, site: str) -> None:
    sheet = render.a4(2, dpi=100)
    visitor = visit(site)
    stream = io.BytesIO()
    turned(sheet.image, 90, 2.0).save(stream, "PNG")
    visitor.drop("side.png", stream.getvalue(), PNG)
    page = visitor.waits_for_words()
    visitor.sees("turned by 90°", ".page")
    shape = page.locator(".sheet").bounding_box()
    assert shape is not None
    assert shape["height"] > shape["width"] * 1.2
    rows = visitor.page.evaluate("""() => {
        const line = [...document.querySelectorAll(".text p")].find((p) => p.querySelectorAll(".w").length > 40);
        const first = [];
        for (const node of line.childNodes) {
            if (node.nodeName === "BR") break;
            if (node.dataset) first.push(document.querySelector(`.word[data-i="${node.dataset.i}"]`));
        }
        return first.map((word) => word.getBoundingClientRect()).map(({ top, bottom }) => (top + bottom) / 2);
    }""")
    assert max(rows) - min(rows) < 8  # pixels of the window: the line is level
    visitor.photograph("turned")


@pytest.mark.parametrize("name", ["tiff lzw", "heic", "ppm"])
def test_a_picture_that_browsers_cannot_show_is_drawn_by_the_server(visit: Visit, site: str, name: str) -> None:
    picture = render.label(1)
    visitor = visit(site)
    visitor.give(f"label.{name[:4].strip()}", formats.FORMATS[name].encode(picture))
    visitor.waits_for_words()
    visitor.sees(picture.text.split()[0], ".text")
    assert visitor.pictures_are_drawn() == 1


def test_a_document_arrives_page_by_page_with_progress(visit: Visit, site: str) -> None:
    visitor = visit(site)
    visitor.page.evaluate("""() => {
        window.states = [];
        new MutationObserver(() => window.states.push(document.querySelector("#result .state")?.textContent))
            .observe(document.body, { subtree: true, childList: true, characterData: true });
    }""")
    visitor.give("twenty.pdf", make.scanned(*(render.label(number) for number in range(20))))
    visitor.waits_for_words()
    visitor.photograph("document")
    visitor.sees("Done, ", "#result .state", seconds=60)
    states = list(dict.fromkeys(visitor.page.evaluate("window.states")))
    assert sum(state is not None and state.endswith("of 20 pages") for state in states) > 5
    visitor.page.get_by_role("heading", name="Page 1", exact=True).wait_for()
    assert visitor.page.locator(".page").count() < 20
    visitor.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    visitor.page.get_by_role("heading", name="Page 20").wait_for()
    assert visitor.pictures_are_drawn() > 1
    visitor.inspect("document-end")


def test_several_files_are_listed_each_with_its_state(visit: Visit, site: str) -> None:
    visitor = visit(site)
    files = [
        FilePayload(name=f"label {number}.png", mimeType=PNG, buffer=png(render.label(number)))
        for number in range(4)
    ]
    visitor.page.set_input_files("#file", files)
    expect(visitor.page.locator("#files [data-state=done]")).to_have_count(4, timeout=SECONDS)
    visitor.page.get_by_role("button", name="label 2.png Done").click()
    visitor.sees("label 2.png", "#result h2")
    visitor.inspect("files")
    visitor.button("Remove label 2.png").click()
    visitor.sees("label 3.png", "#result h2")
    assert visitor.page.locator("#files li").count() == 3


def test_the_blank_page_says_that_it_has_no_text(visit: Visit, site: str) -> None:
    visitor = visit(site)
    stream = io.BytesIO()
    Image.new("L", (300, 200), 255).save(stream, "PNG")
    visitor.give("blank.png", stream.getvalue(), PNG)
    visitor.waits_for_words()
    visitor.sees("There is no text on this page.", ".text")
