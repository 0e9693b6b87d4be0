"""Generated pages: what recognition reads with certainty, `text_layer=auto` gives too, and nothing that is hidden.

DIFFERENTIAL_EXAMPLES is the number of pages.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import httpx
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pikepdf import Array, Dictionary, Matrix, Name
from rapidfuzz.distance import Levenshtein

from api_gateway.schemas import OcrAnswer, PageSchema
from tests.documents.sheet import Sheet, lines, outlines
from tests.pictures.text import WORDS

EXAMPLES = int(os.environ.get("DIFFERENTIAL_EXAMPLES", "20"))
WIDTH, HEIGHT, ROW = 360, 300, 40
CERTAIN = 90
HIDDEN = "Secret"

# By the page's rotation, the matrix that has the content shown upright.
UPRIGHT = {
    0: Matrix(),
    90: Matrix(0, 1, -1, 0, HEIGHT, 0),
    180: Matrix(-1, 0, 0, -1, WIDTH, HEIGHT),
    270: Matrix(0, -1, 1, 0, 0, WIDTH),
}

Draw = Callable[[Sheet, str, float], None]


def text(sheet: Sheet, words: str, y: float) -> None:
    sheet.text(words, 20, y, 14)


def letter_by_letter(sheet: Sheet, words: str, y: float) -> None:
    placed = " ".join(f"({letter}) Tj" for letter in words)
    sheet.add(f"BT /F 14 Tf 20 {y} Td {placed} ET")


def text_in_form(sheet: Sheet, words: str, y: float) -> None:
    inner = sheet.form(f"BT /F 14 Tf 20 {y} Td ({words}) Tj ET")
    sheet.draw(sheet.form("/X Do", XObject=Dictionary(X=inner)))


def text_on_a_field(sheet: Sheet, words: str, y: float) -> None:
    sheet.add(f"q 0.85 g 15 {y - 6} 300 24 re f Q").text(words, 20, y, 14)


def text_in_a_shown_layer(sheet: Sheet, words: str, y: float) -> None:
    sheet.add("/OC /Shown BDC").text(words, 20, y, 14).add("EMC")


def picture(sheet: Sheet, words: str, y: float) -> None:
    made = lines(words, size=36)
    height = 26
    sheet.picture(made, 10, y - 6, height * made.width / made.height)


def picture_in_forms(sheet: Sheet, words: str, y: float) -> None:
    made = lines(words, size=36)
    thing = sheet.form(
        f"{26 * made.width / made.height:g} 0 0 26 10 {y - 6} cm /I Do", XObject=Dictionary(I=sheet.image(made))
    )
    for _ in range(3):
        thing = sheet.form("/X Do", XObject=Dictionary(X=thing))
    sheet.draw(thing)


def inline_picture(sheet: Sheet, words: str, y: float) -> None:
    made = lines(words, size=20)
    head = f"/W {made.width} /H {made.height} /CS /G /BPC 8 /F /AHx"
    sheet.add(
        f"q {26 * made.width / made.height:g} 0 0 26 10 {y - 6} cm BI {head} ID {made.tobytes().hex()}> EI Q"
    )


def annotation(sheet: Sheet, words: str, y: float) -> None:
    a, b, c, d, e, f = sheet.matrix.shorthand
    corners = [(a * x + c * z + e, b * x + d * z + f) for x, z in ((15, y - 6), (315, y + 18))]
    (x0, x1), (y0, y1) = (sorted(side) for side in zip(*corners, strict=True))
    look = sheet.appearance(f"BT /F 14 Tf 5 6 Td ({words}) Tj ET", 300, 24)
    look.Matrix = Array([a, b, c, d, 0, 0])
    sheet.annotation("Stamp", (x0, y0, x1, y1), look, F=4)


def pattern(sheet: Sheet, words: str, y: float) -> None:
    made = lines(words, size=36)
    width = 26 * made.width / made.height
    tile = sheet.stream(
        f"{width:g} 0 0 26 0 0 cm /I Do",
        Type=Name.Pattern, PatternType=1, PaintType=1, TilingType=1, XStep=1000, YStep=1000,
        BBox=Array([0, 0, width, 26]), Matrix=(Matrix(1, 0, 0, 1, 10, y - 6) @ sheet.matrix).as_array(),
        Resources=Dictionary(XObject=Dictionary(I=sheet.image(made))),
    )  # fmt: skip
    sheet.add(f"q /Pattern cs {sheet.resource('Pattern', tile)} scn 10 {y - 6} {width:g} 26 re f Q")


def paths(sheet: Sheet, words: str, y: float) -> None:
    sheet.add(outlines(words, 20, y - 4, 18))


def rules(sheet: Sheet, _words: str, y: float) -> None:
    sheet.add(f"q 15 {y - 8} 330 1 re f 0.5 w 15 {y} 200 14 re S Q")


def hidden_layer(sheet: Sheet, words: str, y: float) -> None:
    sheet.add("/OC /Hidden BDC").text(words, 20, y, 14).add("EMC")


def white(sheet: Sheet, words: str, y: float) -> None:
    sheet.text(words, 20, y, 14, "1 g")


def covered(sheet: Sheet, words: str, y: float) -> None:
    sheet.text(words, 20, y, 14).add(f"q 0.7 g 10 {y - 8} 300 28 re f Q")


def clipped(sheet: Sheet, words: str, y: float) -> None:
    sheet.text(words, 20, y, 14, "0 0 1 1 re W n")


def invisible(sheet: Sheet, words: str, y: float) -> None:
    sheet.text(words, 20, y, 14, "3 Tr")


def transparent(sheet: Sheet, words: str, y: float) -> None:
    state = sheet.resource("ExtGState", Dictionary(ca=0, CA=0))
    sheet.text(words, 20, y, 14, f"{state} gs")


def off_the_page(sheet: Sheet, words: str, y: float) -> None:
    sheet.text(words, 20, y + 2000, 14)


EXACT: list[Draw] = [text, letter_by_letter, text_in_form, text_on_a_field, text_in_a_shown_layer]
DRAWN: list[Draw] = [picture, picture_in_forms, inline_picture, annotation, pattern, paths, rules]
UNSEEN: list[Draw] = [hidden_layer, white, covered, clipped, invisible, transparent, off_the_page]
ROWS = st.lists(
    st.tuples(
        st.sampled_from([*EXACT, *DRAWN, *UNSEEN]),
        st.lists(st.sampled_from([word for word in WORDS if len(word) > 3]), min_size=2, max_size=3),
    ),
    min_size=1,
    max_size=6,
)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[*HealthCheck],
)
@given(
    rows=ROWS,
    rotation=st.sampled_from([0, 0, 90, 180, 270]),
    origin=st.sampled_from([(0, 0), (-100, 50)]),
    crop=st.booleans(),
    unit=st.sampled_from([None, None, 1.5]),
)
def test_auto_has_what_recognition_reads(
    gateway: httpx.Client,
    rows: list[tuple[Draw, list[str]]],
    rotation: int,
    origin: tuple[int, int],
    crop: bool,
    unit: float | None,
) -> None:
    sheet = Sheet((WIDTH, HEIGHT))
    left, bottom = origin
    width, height = (WIDTH, HEIGHT) if rotation % 180 == 0 else (HEIGHT, WIDTH)
    sheet.page.MediaBox = Array([left, bottom, left + width, bottom + height])
    if crop:
        sheet.page.CropBox = Array([left + 4, bottom + 4, left + width - 4, bottom + height - 4])
    if unit:
        sheet.page.UserUnit = unit
    sheet.page.Rotate = rotation
    sheet.layers(Shown=True, Hidden=False)
    sheet.place(UPRIGHT[rotation] @ Matrix(1, 0, 0, 1, left, bottom))
    exact: list[str] = []
    for at, (draw, words) in enumerate(rows):
        said = [f"{HIDDEN}{word}" for word in words] if draw in UNSEEN else words
        draw(sheet, " ".join(said), HEIGHT - ROW * (at + 1))
        exact += words if draw in EXACT else []
    document = sheet.saved()
    auto, ignore = (read(gateway, document, text_layer=how) for how in ("auto", "ignore"))
    given = [word.text for word in auto.words]
    for word in exact:
        assert word in given, (word, given)
        given.remove(word)
    if exact and not {draw for draw, _ in rows} & {*DRAWN, covered} - {rules}:
        assert auto.source == "embedded"
        assert given == []
    given = [word.text for word in auto.words]
    assert not [word for word in given if HIDDEN.lower() in word.lower()]
    for read_word in ignore.words:
        if read_word.confidence > CERTAIN and any(letter.isalnum() for letter in read_word.text):
            assert any(Levenshtein.distance(read_word.text, word) <= 1 for word in given), (read_word.text, given)


def read(client: httpx.Client, document: bytes, **params: str) -> PageSchema:
    response = client.post(
        "/gateway/ocr", files={"image_file": ("x.pdf", document)}, params={"dpi": "200", **params}
    )
    assert response.status_code == 200, response.text
    (page,) = OcrAnswer.model_validate_json(response.content).pages
    return page
