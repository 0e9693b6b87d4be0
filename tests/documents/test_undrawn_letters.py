"""Text in a font that neither the file nor this machine has: viewers show it, PDFium draws nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from pikepdf import Array, Dictionary, Name
from PIL import Image

from tests.documents.sheet import Sheet
from tests.documents.test_what_a_page_shows import what

WORDS = {"HeiseiMin-W3": "日本語の文書", "STSong-Light": "中文文件", "HYSMyeongJo-Medium": "한국어"}
KINDS = {
    "HeiseiMin-W3": ("Japan1", "UniJIS-UCS2-H"),
    "STSong-Light": ("GB1", "UniGB-UCS2-H"),
    "HYSMyeongJo-Medium": ("Korea1", "UniKS-UCS2-H"),
}


def written(sheet: Sheet, name: str = "HeiseiMin-W3", before: str = "", after: str = "") -> Sheet:
    """A Latin line, and words in this font between these operators."""
    collection, encoding = KINDS[name]
    descriptor = Dictionary(
        Type=Name.FontDescriptor, FontName=Name(f"/{name}"), Flags=4, FontBBox=Array([0, -200, 1000, 900]),
        ItalicAngle=0, Ascent=800, Descent=-200, CapHeight=700, StemV=80,
    )  # fmt: skip
    descendant = Dictionary(
        Type=Name.Font, Subtype=Name.CIDFontType0, BaseFont=Name(f"/{name}"), FontDescriptor=descriptor,
        CIDSystemInfo=Dictionary(Registry=b"Adobe", Ordering=collection.encode(), Supplement=1),
    )  # fmt: skip
    sheet.resources.Font["/Far"] = Dictionary(
        Type=Name.Font, Subtype=Name.Type0, BaseFont=Name(f"/{name}"), Encoding=Name(f"/{encoding}"),
        DescendantFonts=Array([sheet.pdf.make_indirect(descendant)]),
    )  # fmt: skip
    code = WORDS[name].encode("utf-16-be").hex()
    return sheet.text("Order 4711").add(f"q {before} BT /Far 20 Tf 60 600 Td <{code}> Tj ET {after} Q")


@pytest.mark.parametrize("name", WORDS)
def test_text_whose_font_is_not_there_is_given(name: str, tmp_path: Path) -> None:
    assert what(tmp_path, written(Sheet(), name)) == ("embedded", f"Order 4711 {WORDS[name]}")


def test_also_on_a_dark_field(tmp_path: Path) -> None:
    sheet = written(Sheet(), before="0.2 g 50 580 300 60 re f 1 g")
    assert what(tmp_path, sheet) == ("embedded", "Order 4711 日本語の文書")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("1 g", ""),
        ("3 Tr", ""),
        ("/Clear gs", ""),
        ("/OC /Hidden BDC", "EMC"),
        ("", "0 g 50 580 300 60 re f"),
        ("0 0 20 20 re W n", ""),
    ],
    ids=["white", "invisible", "transparent", "hidden layer", "blacked out", "clipped away"],
)
def test_it_is_not_given_if_nobody_would_see_it(before: str, after: str, tmp_path: Path) -> None:
    sheet = Sheet().layers(Hidden=False)
    sheet.resources.ExtGState = Dictionary(Clear=Dictionary(ca=0))
    assert what(tmp_path, written(sheet, before=before, after=after)) == ("embedded", "Order 4711")


def test_it_is_not_given_under_a_scan(tmp_path: Path) -> None:
    sheet = written(Sheet())
    sheet.draw(sheet.image(Image.effect_noise((300, 60), 90)), 300, 0, 0, 60, 50, 580)
    assert "日" not in what(tmp_path, sheet)[1]
