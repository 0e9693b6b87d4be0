"""Embedded text in the shape in which people see it: words, lines and order by the places of the letters."""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from api_gateway.children.pdf_pages import PageLimits, PdfPages
from service_kit.page import Page
from tests.documents import make

SIZE = (612, 792)  # points, and pixels at 72 dpi
LIMITS = PageLimits(points=5000, pixels=40_000_000, image_bytes=1 << 24)
WIDTHS = {"H": 722, "e": 556, "l": 222, "o": 556, "W": 944, "r": 333, "d": 556, "B": 667, "t": 278}  # Helvetica
Read = Callable[..., Page]
HEBREW = {letter: f"{0x5D0 + at:04X}" for at, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZa")}


def document(content: bytes, *, codes: Mapping[str, str] | None = None, rotate: int = 0) -> bytes:
    """One page in Helvetica; `codes` says in hexadecimal UTF-16 what its letters mean."""
    pdf = pikepdf.new()
    pdf.add_blank_page(page_size=SIZE)
    font = pikepdf.Dictionary(
        Type=pikepdf.Name.Font,
        Subtype=pikepdf.Name.Type1,
        BaseFont=pikepdf.Name.Helvetica,
        Encoding=pikepdf.Name.WinAnsiEncoding,
    )
    if codes:
        rows = "\n".join(f"<{ord(letter):02X}> <{code}>" for letter, code in codes.items())
        font.ToUnicode = pdf.make_stream(
            b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def\n"
            b"1 begincodespacerange <00> <FF> endcodespacerange\n"
            b"%d beginbfchar\n%b\nendbfchar endcmap end end" % (len(codes), rows.encode())
        )
    page = pdf.pages[0]
    page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F=font))
    page.Contents = pdf.make_stream(content)
    page.Rotate = rotate
    return make.saved(pdf)


def written(*texts: tuple[float, float, str], size: float = 12, degrees: float = 0) -> bytes:
    """Texts at their places, in this order of drawing."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = f"{cosine:.5f} {sine:.5f} {-sine:.5f} {cosine:.5f}"
    rows = (f"{turn} {x:g} {y:g} Tm ({text}) Tj" for x, y, text in texts)
    return f"BT /F {size:g} Tf {' '.join(rows)} ET\n".encode()


def letter_by_letter(x: float, y: float, text: str, size: float = 12) -> list[tuple[float, float, str]]:
    places = []
    for letter in text:
        places.append((x, y, letter))
        x += WIDTHS.get(letter, 278) * size / 1000
    return [place for place in places if place[2] != " "]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(content: bytes, **how: Any) -> Page:
        path = tmp_path / "document.pdf"
        path.write_bytes(document(content, **how))
        header, _ = PdfPages(path, None, LIMITS).page(1, 72, embedded_text=True)
        page: Page = header["page"]
        return page

    return read


def lines(page: Page) -> list[str]:
    return page["text"].split("\n")[:-1]


def numbers(page: Page) -> set[tuple[int, int, int]]:
    return {(word["block"], word["paragraph"], word["line"]) for word in page["words"]}


@pytest.mark.parametrize("hyphen", ["-", "\\255"], ids=["hyphen", "soft hyphen"])
def test_a_hyphen_at_the_end_of_a_line_keeps_its_line_and_box(read: Read, hyphen: str) -> None:
    page = read(
        written((72, 700, f"a long exam{hyphen}"), (72, 686, f"ple of hyphen{hyphen}"), (72, 672, "ation."))
    )
    assert lines(page) == ["a long exam-", "ple of hyphen-", "ation."]
    assert max(word["bbox"][3] - word["bbox"][1] for word in page["words"]) <= 14


@pytest.mark.parametrize("moved", [6, 4, 2, -2, -4])
@pytest.mark.parametrize("size", [12, 7])
def test_a_raised_or_lowered_character_stays_in_its_line(read: Read, moved: int, size: int) -> None:
    page = read(
        written((72, 714, "A line above"))
        + f"BT 72 700 Td /F 12 Tf (so H) Tj {moved} Ts /F {size} Tf (2) Tj 0 Ts /F 12 Tf (O is) Tj ET\n".encode()
        + written((72, 686, "a line below"))
    )
    assert lines(page) == ["A line above", "so H2O is", "a line below"]
    assert numbers(page) == {(1, 1, 1), (1, 1, 2), (1, 1, 3)}


def test_a_raised_character_that_is_drawn_last_stays_in_its_line(read: Read) -> None:
    page = read(
        written((72, 700, "The area in m"), (72, 686, "is on the next line")) + written((145, 705, "2"), size=7)
    )
    assert lines(page)[0].replace(" ", "") == "Theareainm2"
    assert len(lines(page)) == 2


def test_lines_are_read_from_the_top_whatever_is_drawn_first(read: Read) -> None:
    texts = [(72, 700 - 14 * line, f"Line number {line}") for line in range(6)]
    for order in ([0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [3, 0, 5, 1, 4, 2]):
        page = read(written(*(texts[line] for line in order)))
        assert lines(page) == [text for _, _, text in texts]
        assert numbers(page) == {(1, 1, line) for line in range(1, 7)}


TEXT = "The quick brown fox jumps over the lazy dog and runs far away from there"
PROSE = TEXT.split()


def column(
    x: float, y: float, words: Sequence[str], name: str, leading: float = 14
) -> list[tuple[float, float, str]]:
    return [
        (x, y - leading * line, f"{name}{line} {' '.join(words[line % 9 : line % 9 + 5])}") for line in range(9)
    ]


@pytest.mark.parametrize("leading", [14, 13], ids=["aligned lines", "other lines"])
@pytest.mark.parametrize("drawn", ["by column", "by row", "at random"])
def test_columns_are_read_one_after_the_other(read: Read, leading: float, drawn: str) -> None:
    left, right = column(72, 700, PROSE, "L"), column(330, 700, PROSE, "R", leading)
    heading = (72, 730, "A heading that is wide enough for both columns of this page, and a little more")
    footing = (72, 540, "A footing that is wide enough for both columns of this page, and a little more")
    texts = [heading, *left, *right, footing]
    match drawn:
        case "by row":
            texts = [heading, *itertools.chain.from_iterable(zip(left, right, strict=True)), footing]
        case "at random":
            random.Random(1).shuffle(texts)
    page = read(written(*texts))
    assert [line for line in lines(page) if line] == [text for _, _, text in [heading, *left, *right, footing]]


def test_three_narrow_columns(read: Read) -> None:
    texts = [
        (60 + 170 * at, 700 - 12 * line, f"col{at} line{line} is here ok") for line in range(12) for at in range(3)
    ]
    page = read(written(*texts, size=10))
    wanted = [text for _, _, text in sorted(texts, key=lambda text: (text[0], -text[1]))]
    assert [line for line in lines(page) if line] == wanted


ROWS = [("Item", "Number", "Price"), *((name, str(at), f"{at}.50") for at, name in enumerate(
    ("Apples", "Green pears", "Wine from the south", "Salt", "Red cabbage and onions"), 1
))]  # fmt: skip


@pytest.mark.parametrize("drawn", ["by row", "by column", "at random"])
@pytest.mark.parametrize("places", [(72, 220, 300), (72, 300, 520)], ids=["narrow", "wide gaps"])
def test_a_table_is_read_row_by_row(read: Read, drawn: str, places: Sequence[float]) -> None:
    texts = [
        (place, 700 - 20 * at, cell)
        for at, row in enumerate(ROWS)
        for place, cell in zip(places, row, strict=True)
    ]
    match drawn:
        case "by column":
            texts.sort()
        case "at random":
            random.Random(2).shuffle(texts)
    assert lines(read(written(*texts))) == [" ".join(row) for row in ROWS]


def test_the_number_of_a_list_item_stays_with_its_text(read: Read) -> None:
    numbers_ = [(72, 700 - 14 * at, f"{at}.") for at in range(1, 7)]
    texts = [(100, 700 - 14 * at, f"item {' '.join(PROSE[at : at + 6])}") for at in range(1, 7)]
    wanted = [f"{number} {text}" for (_, _, number), (_, _, text) in zip(numbers_, texts, strict=True)]
    assert lines(read(written(*numbers_, *texts))) == wanted


@pytest.mark.parametrize("order", ["forwards", "backwards", "shuffled"])
def test_letters_placed_one_by_one_are_words(read: Read, order: str) -> None:
    places = letter_by_letter(72, 700, "Hello World")
    match order:
        case "backwards":
            places.reverse()
        case "shuffled":
            random.Random(3).shuffle(places)
    assert lines(read(written(*places))) == ["Hello World"]


@pytest.mark.parametrize("space", [200, 250, 400])
def test_words_that_only_a_gap_parts(read: Read, space: int) -> None:
    content = f"BT /F 12 Tf 72 700 Td [(T) 80 (otal)-{space}(a)-20(mount)-{space}(12)10(.50)] TJ ET".encode()
    assert lines(read(content)) == ["Total amount 12.50"]


def test_short_words_at_even_gaps_are_words(read: Read) -> None:
    assert lines(read(b"BT /F 12 Tf 72 700 Td [(to)-250(be)-250(or)-250(we)-250(are)] TJ ET")) == [
        "to be or we are"
    ]


@pytest.mark.parametrize("spacing", [-0.6, 0.4, 1.0, 2.0, 4.0])
def test_letters_that_are_tight_or_spaced_out_evenly_are_words(read: Read, spacing: float) -> None:
    page = read(f"BT /F 12 Tf {spacing} Tc 72 700 Td (INVOICE NUMBER 4711) Tj ET".encode())
    assert lines(page)[0].startswith("INVOICE NUMBER")


@pytest.mark.parametrize("offset", [(0, 0), (0.3, 0), (0.6, 0), (1.2, 0), (0.5, -0.5)])
@pytest.mark.parametrize("how", ["at once", "by word", "by letter", "in other parts"])
def test_letters_doubled_to_look_bold_appear_once(read: Read, offset: tuple[float, float], how: str) -> None:
    dx, dy = offset
    parts = {
        "at once": [(72.0, 700.0, "Hello World")],
        "by word": [(72.0, 700.0, "Hello"), (72 + 12 * 2.556, 700.0, "World")],
        "by letter": letter_by_letter(72, 700, "Hello World"),
        "in other parts": [(72.0, 700.0, "Hel"), (72 + 12 * 1.5, 700.0, "lo World")],
    }[how]
    again = [(x + dx, y + dy, text) for x, y, text in parts]
    both = [*itertools.chain.from_iterable(zip(parts, again, strict=True))]
    for texts in (parts + again, both, [(72.0, 700.0, "Hello World"), *again]):
        assert lines(read(written(*texts, (72, 600, "below")))) == ["Hello World", "", "below"]


def test_letters_that_are_doubled_in_the_language_stay(read: Read) -> None:
    text = "bookkeeper till offset 1100 ii"
    assert lines(read(written((72, 700, text)))) == [text]
    assert lines(read(written(*((72, 700 - 14 * line, "all 11") for line in range(3))))) == ["all 11"] * 3


def test_a_ligature_is_several_letters(read: Read) -> None:
    page = read(written((72, 700, "oABce X")), codes={"A": "FB03", "B": "0074", "X": "00660066"})
    assert lines(page) == ["offitce ff"]


def test_a_ligature_that_is_drawn_twice(read: Read) -> None:
    for offset in (0.4, 1.1):
        texts = [(72, 700, "oXice"), (72, 600, "o"), (72 + offset, 700, "oX")]
        assert lines(read(written(*texts), codes={"X": "00660066"})) == ["office", "", "o"]


def test_letters_that_are_written_down_make_lines_from_the_right(read: Read) -> None:
    codes = dict(zip("ABCDEF", ("65E5", "672C", "8A9E", "7E26", "66F8", "304D"), strict=True))
    places = [(300 - 20 * (at // 3), 700 - 12 * (at % 3), letter) for at, letter in enumerate("ABCDEF")]
    assert lines(read(written(*places), codes=codes)) == ["日本語", "縦書き"]
    across = [(72 + 12 * (at % 3), 700 - 14 * (at // 3), letter) for at, letter in enumerate("ABCDEF")]
    assert lines(read(written(*across), codes=codes))[1].replace(" ", "") == "縦書き"


def test_hebrew_is_in_the_order_of_reading(read: Read) -> None:
    """It is placed from left to right: the last letter first, the last word first."""
    page = read(written((72, 700, "NFLZ MILS"), (72, 680, "12.50 MILS ab")), codes=HEBREW | {"a": "0061"})
    word, other = ("".join(chr(int(HEBREW[letter], 16)) for letter in reversed(text)) for text in ("MILS", "NFLZ"))
    assert lines(page)[0].split() == [word, other]
    assert {"12.50", word} <= set(lines(page)[1].split())


@pytest.mark.parametrize("order", [1, -1], ids=["left first", "right first"])
def test_hebrew_letters_placed_one_by_one(read: Read, order: int) -> None:
    places = letter_by_letter(72, 700, "eloH", 12)[::order]
    codes = {"e": "05DD", "l": "05D5", "o": "05DC", "H": "05E9"}
    assert lines(read(written(*places), codes=codes)) == ["שלום"]


def test_an_arabic_word_with_a_ligature(read: Read) -> None:
    page = read(written((72, 700, "ABCD")), codes={"A": "0645", "B": "FEFC", "C": "0633", "D": "0020"})
    assert lines(page) == ["سلام"]


@pytest.mark.parametrize("degrees", [90, 180, 270, 45, 30, 300])
@pytest.mark.parametrize("rotate", [0, 90])
def test_a_turned_label_is_one_line(read: Read, degrees: int, rotate: int) -> None:
    right, up = (0, -14) if rotate == 0 else (14, 0)
    body = written(
        *((100 + right * line, 300 + up * line, f"Body text of the page {line}") for line in range(4)),
        degrees=rotate,
    )
    page = read(body + written((350, 550, "Total amount in euros"), degrees=degrees), rotate=rotate)
    assert sorted(line for line in lines(page) if line) == [
        *(f"Body text of the page {line}" for line in range(4)), "Total amount in euros",
    ]  # fmt: skip
    label = [word for word in page["words"] if word["text"] in ("Total", "amount", "in", "euros")]
    assert len({(word["block"], word["paragraph"], word["line"]) for word in label}) == 1


def test_a_turned_label_of_single_letters_is_one_line(read: Read) -> None:
    turned = [(300 + y - 700, 400 + x - 72, text) for x, y, text in letter_by_letter(72, 700, "Hello World")]
    page = read(written((72, 300, "Body text of the page")) + written(*turned, degrees=90))
    assert lines(page) == ["Body text of the page", "", "Hello World"]


def test_slanted_and_stretched_text(read: Read) -> None:
    content = b"BT /F 1 Tf 12 0 4 12 72 700 Tm (Slanted off text) Tj 6 0 0 12 72 600 Tm (Narrow text) Tj ET"
    assert lines(read(content)) == ["Slanted off text", "", "Narrow text"]


def test_a_word_off_the_page_is_not_there_and_one_at_the_edge_is_cut(read: Read) -> None:
    page = read(written((-200, 700, "outside"), (-5, 600, "Edge"), (72, 500, "inside")))
    assert [word["text"] for word in page["words"]] == ["Edge", "inside"]
    assert page["words"][0]["bbox"][0] == 0


def test_a_pair_of_codes_is_one_character(read: Read) -> None:
    assert lines(read(written((72, 700, "AB")), codes={"A": "D835DC00", "B": "0042"})) == ["\U0001d400B"]


@pytest.mark.parametrize("code", ["D835", "DC00", "E001", "F041", "FFFD", "00110000", "7FFFFFFF", "0001"])
def test_a_page_whose_codes_are_no_characters_is_recognised(tmp_path: Path, code: str) -> None:
    path = tmp_path / "document.pdf"
    path.write_bytes(document(written((72, 700, "Hello World")), codes=dict.fromkeys("HeloWrd", code)))
    header, picture = PdfPages(path, None, LIMITS).page(1, 72, embedded_text=True)
    assert "page" not in header
    assert picture


@pytest.mark.parametrize("kind", ["scattered", "one place", "one line", "one column", "all directions"])
def test_a_page_of_very_many_letters_takes_seconds(tmp_path: Path, kind: str) -> None:
    """Time that grows with the square of their number would be minutes."""
    chance = random.Random(4)
    count = 19_000

    def placed() -> Iterable[str]:
        for at in range(count):
            x, y, turn = 10 + chance.random() * 590, 10 + chance.random() * 770, 0.0
            match kind:
                case "one place":
                    x, y = 100 + at % 3, 100 + at // 3 % 3
                case "one line":
                    x, y = 10 + at * 0.03, 100
                case "one column":
                    x, y = 100, 10 + at * 0.04
                case "all directions":
                    turn = at * 0.1
            cosine, sine = math.cos(turn), math.sin(turn)
            yield f"{cosine:.3f} {sine:.3f} {-sine:.3f} {cosine:.3f} {x:.3f} {y:.3f} Tm ({'abcdefgh'[at % 8]}) Tj"

    path = tmp_path / "document.pdf"
    path.write_bytes(document(f"BT /F 1 Tf {' '.join(placed())} ET".encode()))
    began = time.process_time()
    PdfPages(path, None, LIMITS).page(1, 72, embedded_text=True)
    assert time.process_time() - began < 8
