"""`text_layer=auto` decides by what a page shows: its embedded text, recognition, or both."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from pikepdf import Array, Dictionary, Name
from PIL import Image

from api_gateway.children import pdf_look
from api_gateway.children.pdf_pages import PageLimits, PdfPages
from api_gateway.schemas import OcrAnswer, PageSchema
from tests import readers
from tests.documents import make
from tests.documents.conftest import Front
from tests.documents.sheet import Sheet, lines, outlines
from tests.documents.stand_in import ModelServer
from tests.documents.test_splitter import first
from tests.pictures import render

FOOTER = "Page 1 of 1"
LETTER = ["Dear customer,", "your order 4711 has arrived.", "The amount is 342.35 in total."]
SAID = "Purchase order for"


def letter(sheet: Sheet | None = None) -> Sheet:
    sheet = sheet or Sheet()
    for at, row in enumerate(LETTER):
        sheet.text(row, 60, 700 - 24 * at)
    return sheet


def what(folder: Path, sheet: Sheet, dpi: float = 300) -> tuple[str, str]:
    """The page's source, as far as it is known before recognition, and its embedded words."""
    file = folder / "document.pdf"
    file.write_bytes(sheet.saved())
    known, picture = PdfPages(file, None, PageLimits(5000, 40_000_000, 20_000_000)).page(
        1, dpi, embedded_text=True
    )
    if "page" in known:
        assert not picture
        return "embedded", " ".join(word["text"] for word in known["page"]["words"])
    return "mixed" if "words" in known else "ocr", " ".join(word[0] for word in known.get("words", ()))


def scan(sheet: Sheet) -> None:
    sheet.picture(lines(SAID, "the rest of it"), 50, 400, 450)


def small_picture(sheet: Sheet) -> None:
    sheet.picture(lines("Total"), 500, 780, 30)


def paths(sheet: Sheet) -> None:
    sheet.add(outlines(SAID, 60, 500, 20))


def pattern(sheet: Sheet) -> None:
    picture = lines(SAID)
    tile = sheet.stream(
        "450 0 0 60 0 0 cm /I Do",
        Type=Name.Pattern,
        PatternType=1,
        PaintType=1,
        TilingType=1,
        BBox=Array([0, 0, 450, 60]),
        XStep=450,
        YStep=60,
        Matrix=Array([1, 0, 0, 1, 60, 400]),
        Resources=Dictionary(XObject=Dictionary(I=sheet.image(picture))),
    )
    name = sheet.resource("Pattern", tile)
    sheet.add(f"/Pattern cs {name} scn 60 400 450 60 re f")


def shading(sheet: Sheet) -> None:
    """The picture's colours are those of a function of the place."""
    picture = lines(SAID).resize((300, 30))
    function = sheet.stream(
        picture.tobytes(),
        FunctionType=0,
        Domain=Array([0, 1, 0, 1]),
        Range=Array([0, 1]),
        Size=Array([*picture.size]),
        BitsPerSample=8,
    )
    name = sheet.resource(
        "Shading",
        Dictionary(
            ShadingType=1, ColorSpace=Name.DeviceGray, Function=function, Matrix=Array([300, 0, 0, -30, 60, 500])
        ),
    )
    sheet.add(f"q 60 470 300 30 re W n {name} sh Q")


def nested(sheet: Sheet) -> None:
    thing = sheet.form("q 400 0 0 60 60 400 cm /I Do Q", XObject=Dictionary(I=sheet.image(lines(SAID))))
    for _ in range(3):
        thing = sheet.form("/X Do", XObject=Dictionary(X=thing))
    sheet.draw(thing)


def inline(sheet: Sheet) -> None:
    picture = lines(SAID, size=30)
    head = f"q 400 0 0 50 60 400 cm BI /W {picture.width} /H {picture.height} /BPC 8 /CS /G /F /AHx ID\n"
    sheet.add(head.encode() + picture.tobytes().hex().encode() + b">\nEI Q")


def font_without_names(sheet: Sheet) -> None:
    """A Type 3 font whose codes say nothing; each glyph is drawn with rectangles."""
    glyphs = {f"/g{at}": sheet.stream(f"700 0 d0 {outlines(sign, 0, 0, 900)}") for at, sign in enumerate("Total")}
    font = Dictionary(
        Type=Name.Font,
        Subtype=Name.Type3,
        FontBBox=Array([0, 0, 1000, 1000]),
        FontMatrix=Array([0.001, 0, 0, 0.001, 0, 0]),
        CharProcs=Dictionary(glyphs),
        Encoding=Dictionary(Type=Name.Encoding, Differences=Array([1, *map(Name, glyphs)])),
        FirstChar=1,
        LastChar=5,
        Widths=Array([700] * 5),
        Resources=Dictionary(),
    )
    sheet.resources.Font.T = sheet.pdf.make_indirect(font)
    sheet.add("BT /T 20 Tf 60 500 Td <0102030405> Tj ET")


def stamp(sheet: Sheet) -> None:
    sheet.annotation(
        "Stamp", (60, 400, 360, 440), sheet.appearance("BT /F 24 Tf 5 10 Td (Approved) Tj ET", 300, 40), F=4
    )


def filled_field(sheet: Sheet) -> None:
    look = sheet.appearance("/Tx BMC BT /F 24 Tf 5 10 Td (Jonathan) Tj ET EMC", 300, 40)
    sheet.field("Tx", (60, 400, 360, 440), look, T=b"name", V=b"Jonathan", DA=b"/F 24 Tf 0 g", F=4)


def light_on_dark(sheet: Sheet) -> None:
    picture = lines(SAID).point([255 - value for value in range(256)])
    sheet.add("0.1 g 40 380 500 100 re f").picture(picture, 60, 400, 300)


def photograph(sheet: Sheet) -> None:
    sheet.picture(Image.effect_noise((300, 400), 60), 60, 100, 300)


MORE = [
    scan, small_picture, paths, pattern, shading, nested, inline, font_without_names, stamp, filled_field,
    light_on_dark, photograph,
]  # fmt: skip


@pytest.mark.parametrize("add", MORE, ids=lambda add: add.__name__)
def test_a_page_that_shows_more_than_its_embedded_text_is_recognised_as_well(tmp_path: Path, add: object) -> None:
    sheet = letter()
    add(sheet)  # type: ignore[operator]
    assert what(tmp_path, sheet) == ("mixed", " ".join(LETTER))


def rules(sheet: Sheet) -> None:
    sheet.add("0.5 w")
    for y in range(100, 420, 20):
        sheet.add(f"60 {y} m 500 {y} l S")
    for x in range(60, 520, 55):
        sheet.add(f"{x} 100 m {x} 400 l S")


def boxes(sheet: Sheet) -> None:
    """Boxes to tick, comb fields, shaded fields, fields with round corners, a frame around the page."""
    sheet.add("0.8 w 20 20 555 802 re S 0.9 g 60 500 400 60 re f 0.2 g 60 450 400 30 re f")
    for y in range(100, 400, 25):
        sheet.add(f"60 {y} 10 10 re S")
    for x in range(100, 400, 14):
        sheet.add(f"{x} 300 14 20 re S")
    x, y, width, height, r = 100, 200, 300, 60, 8
    sheet.add(
        f"{x + r} {y} m {x + width - r} {y} l {x + width} {y} {x + width} {y} {x + width} {y + r} c "
        f"{x + width} {y + height - r} l {x + width} {y + height} {x + width} {y + height} {x + width - r} "
        f"{y + height} c {x + r} {y + height} l {x} {y + height} {x} {y + height} {x} {y + height - r} c "
        f"{x} {y + r} l {x} {y} {x} {y} {x + r} {y} c S"
    )


def bullets(sheet: Sheet) -> None:
    k = 2 * 0.5523
    for y in range(200, 400, 20):
        sheet.add(
            f"q 1 0 0 1 50 {y} cm 2 0 m 2 {k} {k} 2 0 2 c {-k} 2 -2 {k} -2 0 c -2 {-k} {-k} -2 0 -2 c "
            f"{k} -2 2 {-k} 2 0 c f Q"
        )


def gradient(sheet: Sheet) -> None:
    function = Dictionary(FunctionType=2, Domain=Array([0, 1]), C0=Array([0.2, 0.4, 1]), C1=Array([1, 1, 1]), N=1)
    coordinates = Array([0, 0, 0, 842])
    name = sheet.resource(
        "Shading",
        Dictionary(ShadingType=2, ColorSpace=Name.DeviceRGB, Coords=coordinates, Function=function),
    )
    sheet.add(f"q 0 400 595 200 re W n {name} sh Q")


def invisible_signature(sheet: Sheet) -> None:
    sheet.field("Sig", (0, 0, 0, 0), T=b"signature", F=132)


def hidden_note(sheet: Sheet) -> None:
    note = sheet.appearance("BT /F 9 Tf 2 8 Td (Nobody reads this) Tj ET", 100, 20)
    sheet.annotation("FreeText", (300, 400, 400, 420), note, F=2, Contents=b"Nobody reads this", DA=b"/F 9 Tf 0 g")


def note(sheet: Sheet) -> None:
    sheet.annotation("Text", (500, 700, 520, 720), Contents=b"Please check", Name=Name.Note, F=28)


def print_button(sheet: Sheet) -> None:
    look = sheet.appearance("0.8 g 0 0 80 20 re f 0 g BT /F 12 Tf 20 6 Td (Print) Tj ET", 80, 20)
    sheet.field("Btn", (60, 780, 140, 800), look, T=b"print", Ff=1 << 16, MK=Dictionary(CA=b"Print"), F=4)


def link(sheet: Sheet) -> None:
    sheet.annotation("Link", (60, 650, 200, 670), Border=Array([0, 0, 1]))


def empty_field(sheet: Sheet) -> None:
    sheet.field("Tx", (60, 400, 360, 440), sheet.appearance("/Tx BMC EMC", 300, 40), T=b"name", F=4)


def picture_without_text(sheet: Sheet) -> None:
    sheet.picture(Image.new("L", (100, 100), 90), 60, 300, 200)


NOTHING_MORE = [
    rules, boxes, bullets, gradient, invisible_signature, hidden_note, note, print_button, link, empty_field,
    picture_without_text,
]  # fmt: skip


@pytest.mark.parametrize("add", NOTHING_MORE, ids=lambda add: add.__name__)
def test_a_page_that_shows_no_other_text_is_not_recognised(tmp_path: Path, add: object) -> None:
    sheet = Sheet()
    add(sheet)  # type: ignore[operator]
    assert what(tmp_path, letter(sheet)) == ("embedded", " ".join(LETTER))


def hidden_layer(sheet: Sheet) -> None:
    sheet.layers(Off=False).add("/OC /Off BDC").text("SECRET", 60, 500).add("EMC")


def layer_in_form(sheet: Sheet) -> None:
    sheet.layers(Off=False)
    text = "/OC /Off BDC BT /F 14 Tf 60 500 Td (SECRET) Tj ET EMC"
    sheet.draw(sheet.form(text, Properties=sheet.resources.Properties))


def white_on_white(sheet: Sheet) -> None:
    sheet.text("SECRET", 60, 500, before="1 g")


def white_in_a_line(sheet: Sheet) -> None:
    sheet.add("q BT /F 14 Tf 60 500 Td 1 g (SECRET) Tj ET Q")


def dark_on_dark(sheet: Sheet) -> None:
    sheet.add("q 0.2 0.2 0.5 rg 40 480 300 60 re f Q").text("SECRET", 60, 500, before="0.2 0.2 0.5 rg")


def covered(sheet: Sheet) -> None:
    sheet.text("SECRET", 60, 500).add("q 0 g 55 495 100 20 re f Q")


def covered_in_white(sheet: Sheet) -> None:
    sheet.text("SECRET", 60, 500).add("q 1 g 55 495 100 20 re f Q")


def covered_by_picture(sheet: Sheet) -> None:
    sheet.text("SECRET", 60, 500).picture(Image.new("L", (10, 4), 128), 50, 490, 100)


def transparent(sheet: Sheet) -> None:
    state = sheet.resource("ExtGState", Dictionary(ca=0, CA=0))
    sheet.text("SECRET", 60, 500, before=f"{state} gs")


def clipped(sheet: Sheet) -> None:
    sheet.text("SECRET", 60, 500, before="300 300 50 50 re W n")


def off_the_page(sheet: Sheet) -> None:
    sheet.text("SECRET", 700, 500).text("SECRET", 60, -30)


def outside_the_crop_box(sheet: Sheet) -> None:
    sheet.text("SECRET", 60, 20)
    sheet.page.CropBox = Array([0, 100, 595, 842])


def mode_3(sheet: Sheet) -> None:
    sheet.text("SECRET", 60, 500, before="3 Tr")


def mode_7(sheet: Sheet) -> None:
    sheet.text("SECRET", 60, 500, before="7 Tr")


HIDDEN = [
    hidden_layer, layer_in_form, white_on_white, white_in_a_line, dark_on_dark, covered, covered_in_white,
    covered_by_picture, transparent, clipped, off_the_page, outside_the_crop_box, mode_3, mode_7,
]  # fmt: skip


@pytest.mark.parametrize("add", HIDDEN, ids=lambda add: add.__name__)
def test_text_that_nobody_sees_is_not_given(tmp_path: Path, add: object) -> None:
    sheet = Sheet()
    add(sheet)  # type: ignore[operator]
    assert what(tmp_path, letter(sheet)) == ("embedded", " ".join(LETTER))


@pytest.mark.parametrize("first_hidden", [True, False])
def test_hidden_text_behind_other_text_is_not_given(tmp_path: Path, first_hidden: bool) -> None:
    sheet = Sheet().layers(Off=False)
    hidden = "/OC /Off BDC BT /F 14 Tf 60 702 Td (SECRET WORDS) Tj ET EMC"
    if first_hidden:
        sheet.add(hidden)
    letter(sheet)
    if not first_hidden:
        sheet.add(hidden)
    assert what(tmp_path, sheet) == ("embedded", " ".join(LETTER))


@pytest.mark.parametrize("grey", [0.0, 0.5, 0.8, 0.92])
def test_text_that_is_pale_or_small_is_seen(tmp_path: Path, grey: float) -> None:
    sheet = Sheet().text("small print", 60, 500, 4, f"{grey} g").text("pale text", 60, 600, 14, f"{grey} g")
    source, words = what(tmp_path, sheet)
    assert (source, sorted(words.split())) == ("embedded", ["pale", "print", "small", "text"])


def test_text_in_white_on_a_dark_ground_is_seen(tmp_path: Path) -> None:
    sheet = Sheet().add("0.2 g 40 480 300 60 re f").text("white text", 60, 500, 14, "1 g")
    assert what(tmp_path, sheet) == ("embedded", "white text")


def fake_bold(sheet: Sheet) -> None:
    """PDFium gives the letters of one of the two only."""
    sheet.text("Seen", 60, 500).text("Seen", 60.4, 500)


def outlined(sheet: Sheet) -> None:
    sheet.text("Seen", 60, 500, 30, "1 Tr")


def half_transparent(sheet: Sheet) -> None:
    form = sheet.form("BT /F 14 Tf 60 500 Td (Seen) Tj ET")
    form.Group = Dictionary(S=Name.Transparency, I=True)
    state, name = sheet.resource("ExtGState", Dictionary(ca=0.5)), sheet.resource("XObject", form)
    sheet.add(f"q {state} gs {name} Do Q")


def in_forms(sheet: Sheet) -> None:
    form = sheet.form("BT /F 14 Tf 60 500 Td (Seen) Tj ET")
    for _ in range(6):
        form = sheet.form("/X Do", XObject=Dictionary(X=form))
    sheet.draw(form)


def over_a_watermark(sheet: Sheet) -> None:
    sheet.add("q 0.9 g 0.7 0.7 -0.7 0.7 100 200 cm BT /F 120 Tf (Seen) Tj ET Q")


VISIBLE = [fake_bold, outlined, half_transparent, in_forms, over_a_watermark]


@pytest.mark.parametrize("add", VISIBLE, ids=lambda add: add.__name__)
def test_text_that_can_be_seen_is_given(tmp_path: Path, add: object) -> None:
    sheet = letter()
    add(sheet)  # type: ignore[operator]
    assert what(tmp_path, sheet) == ("embedded", f"{' '.join(LETTER)} Seen")


def test_slanting_lines_whose_boxes_overlap_are_seen(tmp_path: Path) -> None:
    sheet = Sheet()
    rows = ["each of these lines", "has a slanting box", "around all the others"]
    for at, row in enumerate(rows):
        sheet.add(f"q 0.7 0.7 -0.7 0.7 {100 + 14 * at} {200 - 14 * at} cm BT /F 12 Tf ({row}) Tj ET Q")
    source, words = what(tmp_path, sheet)
    assert (source, sorted(words.split())) == ("embedded", sorted(" ".join(rows).split()))


def test_a_page_that_takes_long_to_draw_is_not_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf_look, "_MOST_SECONDS", 0.0)
    assert what(tmp_path, letter()) == ("ocr", "")


@pytest.mark.parametrize(
    "document",
    [
        make.scanned(render.label(1)),
        make.scanned(render.label(1), invisible="somebody read this once"),
        make.digital(""),
        Sheet().text("SECRET", before="1 g").saved(),
    ],
    ids=["a scan", "a scan with invisible text", "nothing on it", "only white text"],
)
def test_pages_without_visible_embedded_text_are_recognised(tmp_path: Path, document: bytes) -> None:
    split = first(tmp_path, document)
    assert split.page is None
    assert not split.words
    assert split.image_b64


def ask(client: httpx.Client, document: bytes, **params: str) -> PageSchema:
    response = client.post("/gateway/ocr", files={"image_file": ("x.pdf", document)}, params=params)
    assert response.status_code == 200, response.text
    (page,) = OcrAnswer.model_validate_json(response.content).pages
    return page


def texts(page: PageSchema, source: str) -> list[str]:
    return [word.text for word in page.words if word.source == source]


def test_words_of_both_sources_each_at_its_place(gateway: httpx.Client) -> None:
    """The recognised words stand between the embedded ones, and nothing is read twice."""
    sheet = letter().text(FOOTER, 60, 40).picture(lines(SAID, "thirty new chairs"), 50, 400, 400)
    page = ask(gateway, sheet.saved())
    assert (page.source, page.attempts) == ("mixed", 1)
    assert page.model is not None
    assert texts(page, "embedded") == [*" ".join(LETTER).split(), *FOOTER.split()]
    assert texts(page, "ocr") == f"{SAID} thirty new chairs".split()
    assert page.text.split() == f"{' '.join(LETTER)} {SAID} thirty new chairs {FOOTER}".split()
    assert {word.confidence for word in page.words if word.source == "embedded"} == {100}
    everything = ask(gateway, sheet.saved(), text_layer="ignore")
    assert (page.width, page.height) == (everything.width, everything.height)
    read = {word.text: word.bbox for word in everything.words}
    for word in page.words:
        if word.text in read and page.text.split().count(word.text) == 1:
            assert word.bbox == pytest.approx(read[word.text], abs=8), word


def test_a_page_on_which_recognition_finds_nothing_more_is_embedded(gateway: httpx.Client) -> None:
    """A curve might be a letter."""
    page = ask(gateway, letter().add("2 w 60 300 m 200 500 400 100 500 300 c S").saved())
    assert (page.source, page.attempts, page.model) == ("embedded", 1, None)
    assert page.text.split() == " ".join(LETTER).split()
    assert {word.source for word in page.words} == {None}


def test_words_under_a_watermark_are_recognised(gateway: httpx.Client) -> None:
    """Its box covers them."""
    sheet = letter().text("DRAFT", 60, 460, 130, "0.9 g")
    paths(sheet)
    page = ask(gateway, sheet.saved())
    assert set(SAID.split()) <= set(texts(page, "ocr"))
    assert "DRAFT" in texts(page, "embedded")


def test_the_page_fails_if_recognition_fails(front: Front) -> None:
    """Half of the text would look like all of it."""
    server = ModelServer(verdict=lambda _width, _times: (422, {"error": "no", "code": "damaged_image"}, {}))
    sheet = letter()
    scan(sheet)
    with front(server) as client:
        response = client.post("/gateway/ocr", files={"image_file": ("x.pdf", sheet.saved())})
    assert response.status_code == 422
    assert [page["code"] for page in response.json()["pages"]] == ["damaged_image"]


def test_a_searchable_pdf_has_each_word_once(gateway: httpx.Client) -> None:
    sheet = letter()
    scan(sheet)
    response = gateway.post("/gateway/ocr?format=pdf", files={"image_file": ("x.pdf", sheet.saved())})
    (words,) = readers.pdf_words(response.content)
    assert sorted(words) == sorted(f"{' '.join(LETTER)} {SAID} the rest of it".split())
    assert ask(gateway, response.content).text.split().count("Purchase") == 1
