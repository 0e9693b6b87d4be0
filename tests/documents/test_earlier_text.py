"""A PDF with the invisible text of an earlier OCR: that text is replaced, and the page looks as before."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from PIL import Image

from tests import readers
from tests.documents import make
from tests.documents.composing import compose, page, poppler, word

OURS = [word("Purchase", (100, 100, 300, 140)), word("order", (310, 100, 400, 140))]
SIZE = 600, 800
IMAGE = b"q 600 0 0 800 0 0 cm /Scan Do Q "

# What programs write around or behind the picture of a page; {show} is text of theirs.
STYLES = {
    "after the picture": IMAGE + b"BT 3 Tr /F 16 Tf 50 700 Td (Purchase) Tj 80 0 Td (ordor) Tj ET",
    "before the picture": b"q BT 3 Tr /F 16 Tf 1 0 0 1 50 700 Tm [(Pur)-5(chase)] TJ ET Q " + IMAGE,
    "letter by letter": b"BT 3 Tr /F 16 Tf 50 700 Td (P)Tj 9 0 Td(u)Tj 9 0 Td <72> Tj ET " + IMAGE,
    "lines by quotes": b"BT 3 Tr /F 16 Tf 14 TL 50 700 Td (Purchase)' 1 2 (order)\" ET " + IMAGE,
    "mode set outside of the text": b"3 Tr q 1 0 0 1 0 0 cm BT /F 16 Tf 50 700 Td (Purchase) Tj ET Q 0 Tr "
    + IMAGE,
    "clipping, at the end": IMAGE + b"q 7 Tr BT /F 16 Tf 50 700 Td (Purchase) Tj ET Q",
    "marked content": IMAGE + b"/Span <</ActualText (Purchase)>> BDC BT 3 Tr /F 9 Tf (P) Tj ET EMC",
    "form": IMAGE + b"q /Text#20layer Do Q",
    "form that gets the mode": b"q 3 Tr /Plain Do Q " + IMAGE,
    "form in a form": IMAGE + b"/Outer Do",
    "whole page in a form": b"/Page Do",
}
FORMS = {
    "/Text layer": b"BT 3 Tr /F 16 Tf 50 700 Td (Purchase order) Tj ET",
    "/Plain": b"BT /F 16 Tf 50 700 Td (Purchase order) Tj ET",
    "/Outer": b"q 1 0 0 1 5 5 cm /Text#20layer Do Q",
    "/Page": IMAGE + b"BT 3 Tr /F 16 Tf 50 700 Td (Purchase order) Tj ET",
}


def scan(*contents: bytes) -> bytes:
    """Pages that draw a picture and text; they share their resources."""
    pdf = pikepdf.new()
    grey = Image.linear_gradient("L")
    picture = pdf.make_stream(
        grey.tobytes(), Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Image, Width=256, Height=256,
        ColorSpace=pikepdf.Name.DeviceGray, BitsPerComponent=8,
    )  # fmt: skip
    font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
    drawn = pikepdf.Dictionary({"/Scan": picture})
    resources = pdf.make_indirect(pikepdf.Dictionary(XObject=drawn, Font=pikepdf.Dictionary(F=font)))
    for name, content in FORMS.items():
        form = pdf.make_stream(content, Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Form)
        form.BBox, form.Resources = pikepdf.Array([0, 0, *SIZE]), resources
        drawn[name] = form
    for content in contents:
        pdf.add_blank_page(page_size=SIZE)
        pdf.pages[-1].obj.Contents = pdf.make_stream(content)
        pdf.pages[-1].obj.Resources = resources
    return make.saved(pdf)


def pixels(pdf: bytes) -> list[bytes]:
    with pypdfium2.PdfDocument(pdf) as document:
        return [one.render(scale=1).to_pil().tobytes() for one in document]


def ours(pdf: bytes, tmp_path: Path) -> None:
    """Each word is found once, by both."""
    assert Counter(readers.pdf_words(pdf)[0]) == Counter(["Purchase", "order"])
    assert Counter(text for text, _ in poppler(pdf, tmp_path)[0]) == Counter(["Purchase", "order"])


@pytest.mark.parametrize("style", STYLES)
def test_each_word_is_found_once_and_the_page_looks_as_before(style: str, tmp_path: Path) -> None:
    document = scan(STYLES[style])
    made = compose(tmp_path, document, page(OURS, *SIZE))
    ours(made, tmp_path)
    assert pixels(made) == pixels(document)


def test_our_own_layer_is_replaced_as_well(tmp_path: Path) -> None:
    once = compose(tmp_path, scan(IMAGE), page(OURS, *SIZE))
    ours(compose(tmp_path, once, page(OURS, *SIZE)), tmp_path)


VISIBLE = {
    "begins where invisible text ends": b"BT /F 16 Tf 50 700 Td 3 Tr (Hidden) Tj 0 Tr (Seen) Tj ET",
    "after it, at a place of its own": b"BT /F 16 Tf 50 700 Td 3 Tr (Hidden) Tj 0 Tr 9 9 Td (Seen) Tj ET",
    "drawn through letters": b"q 7 Tr BT /F 99 Tf 50 600 Td (Seen) Tj ET " + IMAGE + b"Q",
    "and letters that clip": b"q 5 Tr BT /F 99 Tf 50 600 Td (Seen) Tj ET Q",
    "after the mode's end": b"q 3 Tr Q BT /F 16 Tf 50 700 Td (Seen) Tj ET",
    "in strings that look like operators": b"BT /F 16 Tf 50 700 Td (3 Tr) Tj <332054720A> Tj ET % 3 Tr\n",
    "in a picture": b"q 90 0 0 90 50 600 cm BI /W 2 /H 4 /BPC 8 /CS /G ID \n3 Tr a EI Q BT /F 9 Tf (Seen) Tj ET",
    "a form drawn in both modes": b"q 3 Tr /Plain Do Q q 1 0 0 1 0 -90 cm /Plain Do Q",
}


@pytest.mark.parametrize("content", VISIBLE)
def test_visible_content_stays(content: str, tmp_path: Path) -> None:
    document = scan(VISIBLE[content])
    made = compose(tmp_path, document, page(OURS, *SIZE))
    assert pixels(made) == pixels(document) != pixels(scan(b""))


def test_a_page_that_gets_no_text_keeps_its_own_although_it_shares_a_form(tmp_path: Path) -> None:
    document = scan(STYLES["form"], STYLES["form"])
    made = compose(tmp_path, document, page([], *SIZE), page([word("New", (9, 9, 90, 30))], *SIZE, number=2))
    assert readers.pdf_words(made) == [["Purchase", "order"], ["New"]]


@pytest.mark.parametrize(
    "content",
    [
        STYLES["after the picture"] + b" " * (9 << 20),
        STYLES["after the picture"] + b" (never closed",
        b"/Deep Do " * 2000 + STYLES["after the picture"],
    ],
    ids=["huge", "broken", "many forms"],
)
def test_odd_content_is_no_error(content: bytes, tmp_path: Path) -> None:
    document = scan(content)
    made = compose(tmp_path, document, page(OURS, *SIZE))
    assert "Purchase" in readers.pdf_words(made)[0]
    assert pixels(made) == pixels(document)


def test_content_without_such_text_stays_as_it_is(tmp_path: Path) -> None:
    content = b"q %comment\n" + IMAGE + b" Q   BT /F 9 Tf 50 700 Td ( Digital ) Tj ET\n"
    made = compose(tmp_path, scan(content), page(OURS, *SIZE))
    with pikepdf.open(io.BytesIO(made)) as pdf:
        parts = [part.read_bytes() for part in pdf.pages[0].Contents]
    assert parts[1:] == [content]
