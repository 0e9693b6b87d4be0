"""Pages that lie on their side, upside down or askew: the same words as upright, with boxes on their ink."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image, ImageDraw

from model_server.reading import engines, model_files, skew
from model_server.reading.choice import Reading
from model_server.reading.image import PageImage
from model_server.reading.reader import Reader, orientation_model
from service_kit.page import Parameters, Word
from tests.pictures import degrade, render, text, turn
from tests.pictures.layout import SANS, Line, draw

TESSDATA = Path(sys.prefix) / "share" / "tessdata"
PICTURES = {
    "label": render.label(11),
    "page": render.page(11),
    "receipt": render.receipt(11),
    "sheet": render.a4(11, 150),
}
TURNS = [(90, 0), (180, 0), (270, 0), (0, 7), (0, -7), (0, 2), (0, -2), (90, 5), (180, -4), (270, 3)]


@pytest.fixture(scope="module")
def tesseract() -> engines.Engine:
    os.environ["OMP_THREAD_LIMIT"] = "1"
    return engines.make("tesserocr", TESSDATA)


@pytest.fixture(scope="module")
def reader(tesseract: engines.Engine) -> Reader:
    model, notes = orientation_model()
    assert not notes
    return Reader(tesseract, None, model, "tesseract")


def grey(image: Image.Image, dpi: int = 0) -> PageImage:
    return PageImage(image.tobytes(), image.width, image.height, dpi)


def read(reader: Reader, image: Image.Image, dpi: int = 0, **parameters: object) -> Reading:
    return reader.read(grey(image, dpi), Parameters(**parameters))[0]  # type: ignore[arg-type]


def f1(words: Sequence[Word], truth: str) -> float:
    found, there = Counter(word["text"] for word in words), Counter(truth.split())
    return 2 * (found & there).total() / (found.total() + there.total())


@pytest.mark.parametrize(
    ("name", "rotation", "degrees"),
    [(name, *turned) for name in PICTURES for turned in (TURNS if name != "sheet" else [(90, 0), (180, -4)])],
)
def test_a_turned_page_has_the_words_of_the_upright_one_at_their_places(
    reader: Reader, name: str, rotation: int, degrees: float
) -> None:
    picture = PICTURES[name]
    upright = read(reader, picture.image, picture.dpi)
    image = turn.turned(picture.image, rotation, degrees)
    found = read(reader, image, picture.dpi)
    assert found.turn.rotation == rotation
    assert found.turn.skew == pytest.approx(degrees, abs=0.5)
    assert f1(found.words, picture.text) >= f1(upright.words, picture.text) - 0.01
    places = {word["text"]: word["bbox"] for word in upright.words}
    seen = Counter(word["text"] for word in upright.words)
    for word in found.words:
        x0, y0, x1, y1 = word["bbox"]
        assert all(isinstance(side, int) for side in word["bbox"])
        assert 0 <= x0 < x1 <= image.width
        assert 0 <= y0 < y1 <= image.height
        if seen[word["text"]] == 1:
            a, b, c, d = places[word["text"]]
            x, y = turn.place(((a + c) / 2, (b + d) / 2), picture.image.size, image.size, rotation, degrees)
            near = 0.25 * min(c - a, d - b) + 3
            assert abs((x0 + x1) / 2 - x) < near, word
            assert abs((y0 + y1) / 2 - y) < near, word


@pytest.mark.parametrize(("rotation", "degrees"), TURNS)
def test_boxes_cover_the_ink_and_little_else(reader: Reader, rotation: int, degrees: float) -> None:
    picture = PICTURES["page"]
    image = turn.turned(picture.image, rotation, degrees)
    covered = np.zeros((image.height, image.width), np.int32)
    for word in read(reader, image, picture.dpi).words:
        x0, y0, x1, y1 = word["bbox"]
        covered[y0:y1, x0:x1] += 1
    ink = np.asarray(image) < 128
    assert (covered[ink] > 0).mean() > 0.97
    assert (covered > 1).mean() < 0.01  # hardly any pixel in the boxes of two words


def drawing(seed: int, labels: int) -> Image.Image:
    rng = Random(seed)
    lines = [Line(rng.choice(text.WORDS), 60 + 90 * at, rng.randrange(800), SANS, 24) for at in range(labels)]
    image = draw(lines, (1200, 900))
    pen = ImageDraw.Draw(image)
    for _ in range(20):
        pen.line([rng.randrange(900) for _ in range(4)], fill=0, width=3)
        x, y = rng.randrange(800), rng.randrange(600)
        pen.ellipse((x, y, x + rng.randrange(20, 300), y + rng.randrange(20, 300)), outline=0, width=3)
    return image


def table(seed: int) -> Image.Image:
    rng = Random(seed)
    rows = range(60, 1000, 60)
    lines = [Line(text.price(rng), x + 20, y + 12, SANS, 26) for y in rows[:-1] for x in range(60, 860, 200)]
    image = draw(lines, (920, 1040))
    pen = ImageDraw.Draw(image)
    for y in rows:
        pen.line((60, y, 860, y), fill=0, width=3)
    for x in range(60, 880, 200):
        pen.line((x, 60, x, rows[-1]), fill=0, width=3)
    return image


def photograph(seed: int) -> Image.Image:
    """Light and dark areas without any text."""
    areas = np.random.default_rng(seed).integers(0, 255, (12, 16), dtype=np.uint8)
    return degrade.noise(Image.fromarray(areas).resize((960, 720), Image.Resampling.BICUBIC), seed, 12)


def illustrated(seed: int) -> Image.Image:
    image = render.a4(seed, 100).image.copy()
    image.paste(photograph(seed).resize((600, 500)), (110, 300))
    return image


def words(seed: int, count: int) -> Image.Image:
    rng = Random(seed)
    places = [(rng.randrange(50, 500), 60 + 160 * at) for at in range(count)]
    return draw([Line(rng.choice(text.WORDS), x, y, SANS, 34) for x, y in places], (800, 1000))


def screenshot(seed: int) -> Image.Image:
    rng = Random(seed)
    menu = [Line(rng.choice(text.WORDS), 20, 20 + 40 * at, SANS, 18) for at in range(12)]
    rows = [Line(text.sentence(rng), 260, 30 + 34 * at, SANS, 16) for at in range(16)]
    return draw([*menu, *rows], (1000, 600)).point(lambda level: 255 - level)


UPRIGHT: dict[str, Callable[[int], Image.Image]] = {
    "label": lambda seed: render.label(seed).image,
    "page": lambda seed: render.page(seed).image,
    "receipt": lambda seed: render.receipt(seed).image,
    "blurred": lambda seed: degrade.blur(render.page(seed).image, seed, 2.5),
    "noisy": lambda seed: degrade.noise(render.page(seed).image, seed, 90),
    "unlit": lambda seed: degrade.uneven_light(render.receipt(seed).image, seed, 0.8),
    "strip": lambda seed: draw([Line(text.paragraph(Random(seed), 4), 20, 30, SANS, 30)], (3000, 100)),
    "blank": lambda seed: degrade.noise(Image.new("L", (600, 800), 235), seed, 8),
    "drawing": lambda seed: drawing(seed, 0),
    "drawing with labels": lambda seed: drawing(seed, 12),
    "table": table,
    "photograph": photograph,
    "illustrated": illustrated,
    "few words": lambda seed: words(seed, 1 + seed % 5),
    "screenshot": screenshot,
}


@pytest.mark.parametrize("name", UPRIGHT)
def test_an_upright_page_is_not_turned(reader: Reader, name: str) -> None:
    for seed in range(200, 206):
        found = read(reader, UPRIGHT[name](seed))
        assert found.turn.rotation == 0, seed
        assert found.turn.skew == 0, seed


def test_a_page_in_a_language_that_was_not_asked_for_is_left_as_it_is(reader: Reader) -> None:
    rng = Random(1)
    hebrew = ["".join(chr(rng.randrange(0x5D0, 0x5EB)) for _ in range(40)) for _ in range(16)]
    page = draw([Line(line, 60, 40 + 50 * at, SANS, 30) for at, line in enumerate(hebrew)], (1200, 900))
    assert read(reader, page).turn.rotation == 0  # the model takes Hebrew for upside down


def test_who_asks_for_no_turn_gets_none(reader: Reader, tesseract: engines.Engine) -> None:
    picture = PICTURES["label"]
    image = turn.turned(picture.image, 180)
    bare = tesseract.read(grey(image, picture.dpi), Parameters())
    found = read(reader, image, picture.dpi, orientation="off")
    assert (found.turn.rotation, found.words) == (0, bare)
    for own in (1, 12):
        assert read(reader, image, picture.dpi, psm=own).turn.rotation == 0


@pytest.mark.parametrize("damaged", [False, True])
def test_without_the_model_only_the_skew_is_corrected(
    tesseract: engines.Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damaged: bool
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    file = tmp_path / "share" / "ocr-models" / model_files.ORIENTATION.name
    if damaged:
        file.parent.mkdir(parents=True)
        file.write_bytes(b"no model")
    model, notes = orientation_model()
    assert model is None
    (note,) = notes
    assert str(file) in note
    assert ("damaged" in note) == damaged
    reader = Reader(tesseract, None, model, "tesseract", notes=notes)
    assert reader.info["orientation"] is None
    assert note in reader.info["notes"]
    picture = PICTURES["page"]
    assert read(reader, turn.turned(picture.image, 180)).turn.rotation == 0
    slanting = read(reader, turn.turned(picture.image, 0, -6), picture.dpi)
    assert slanting.turn.skew == pytest.approx(-6, abs=0.5)
    assert f1(slanting.words, picture.text) > 0.99


@pytest.mark.parametrize("degrees", [-10, -6.5, -3, -1.5, 1.5, 3, 6.5, 10])
def test_the_skew_is_found(degrees: float) -> None:
    for picture in PICTURES.values():
        found = skew.look(turn.turned(picture.image, 0, degrees)).skew
        assert found == pytest.approx(degrees, abs=0.5)
