"""Pages of a PDF whose boxes, units or size are unusual: they are drawn as viewers show them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from tests.documents import make
from tests.documents.composing import compose, in_pdfium, page, poppler, word
from tests.documents.conftest import Front, Gateway
from tests.documents.stand_in import ModelServer

TEXT = b"BT /F 20 Tf 100 600 Td (Hello world) Tj ET"


@pytest.fixture(scope="module")
def server() -> ModelServer:
    return ModelServer()


@pytest.fixture(scope="module")
def gateway(front: Front, server: ModelServer) -> Iterator[Gateway]:
    with front(server, MAX_PAGE_MEGAPIXELS="2") as started:
        yield started


def changed(inherited: bool = False, packed: bool = False, **entries: Any) -> bytes:
    """A page of Letter size with text and these entries; with `inherited`, its page tree has them."""
    pdf = pikepdf.open(io.BytesIO(make.sized(612, 792, TEXT)))
    only = pdf.pages[0].obj
    font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
    only.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F=font))
    for name, value in entries.items():
        if inherited or value is None:
            del only[f"/{name}"]
        if value is not None:
            (pdf.Root.Pages if inherited else only)[f"/{name}"] = value
    streams = pikepdf.ObjectStreamMode.generate if packed else pikepdf.ObjectStreamMode.disable
    return make.saved(pdf, object_stream_mode=streams)


def read(gateway: Gateway, data: bytes, **query: str) -> dict[str, Any]:
    answer = gateway.post("/gateway/ocr", files={"image_file": ("x", data)}, params=query)
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["pages"]
    return found  # type: ignore[no-any-return]


# Boxes, and the area that is shown: left, bottom, right, top.
BOXES: dict[str, tuple[dict[str, list[int] | None], tuple[int, int, int, int]]] = {
    "crop box outside": ({"CropBox": [700, 0, 900, 792]}, (0, 0, 612, 792)),
    "crop box outside, media box elsewhere": (
        {"MediaBox": [50, 50, 500, 700], "CropBox": [-99, -99, -9, -9]},
        (50, 50, 500, 700),
    ),
    "crop box without area": ({"CropBox": [100, 100, 100, 400]}, (0, 0, 612, 792)),
    "crop box partly outside": ({"CropBox": [50, 300, 900, 900]}, (50, 300, 612, 792)),
    "media box without area": ({"MediaBox": [0, 0, 0, 0]}, (0, 0, 612, 792)),
    "no media box": ({"MediaBox": None}, (0, 0, 612, 792)),
    "media box reversed": ({"MediaBox": [612, 792, 0, 0]}, (0, 0, 612, 792)),
    "crop box reversed": ({"CropBox": [500, 700, 50, 50]}, (50, 50, 500, 700)),
}


@pytest.mark.parametrize("inherited", [False, True])
@pytest.mark.parametrize("name", BOXES)
def test_odd_boxes_are_taken_as_viewers_take_them(
    name: str, inherited: bool, gateway: Gateway, tmp_path: Path
) -> None:
    entries, (left, bottom, right, top) = BOXES[name]
    if None in entries.values() and inherited:
        entries = {"MediaBox": [0, 0, 0, 792]}
    boxes: dict[str, Any] = {"inherited": inherited and "CropBox" not in entries}
    boxes.update((name, box and pikepdf.Array(box)) for name, box in entries.items())
    data = changed(**boxes)
    found = read(gateway, data, dpi="72")
    assert (found["width"], found["height"]) == (right - left, top - bottom)
    assert found["text"] == "Hello world\n"
    x0, _, _, y1 = found["words"][0]["bbox"]
    assert (x0, y1) == pytest.approx((100 - left, top - 600), abs=3)
    size = found["width"], found["height"]
    words = [word("Ours", (200, 100, 260, 120))]
    made = compose(tmp_path, data, page(words, *size))
    assert in_pdfium(made, words, size)["Ours"] == [pytest.approx((200, 100, 260, 120), abs=2)]
    assert "Ours" in [text for text, _ in poppler(made, tmp_path)[0]]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("unit", "expected"), [(1.5, (918, 1188)), (0.5, (306, 396)), (-1, (612, 792))])
def test_the_user_unit_scales_a_page(
    unit: float, expected: tuple[int, int], packed: bool, gateway: Gateway, tmp_path: Path
) -> None:
    data = changed(packed=packed, UserUnit=unit)
    found = read(gateway, data, dpi="72")
    assert (found["width"], found["height"], found["dpi"]) == (*expected, 72)
    scale = expected[0] / 612
    x0, _, _, y1 = found["words"][0]["bbox"]
    assert (x0, y1) == pytest.approx((100 * scale, 192 * scale), abs=3)
    words = [word("Ours", (100, 100, 160, 120))]
    made = compose(tmp_path, data, page(words, *expected))
    assert in_pdfium(made, words, expected)["Ours"] == [pytest.approx((100, 100, 160, 120), abs=2)]


def test_limits_follow_the_user_unit(gateway: Gateway) -> None:
    answer = gateway.post("/gateway/ocr", files={"image_file": ("x", changed(UserUnit=10))})
    assert [page["code"] for page in answer.json()["pages"]] == ["page_too_large"]


@pytest.mark.parametrize("side", [612, 900, 1018])
def test_a_page_too_large_for_the_usual_dpi_is_drawn_with_fewer(
    side: int, gateway: Gateway, server: ModelServer
) -> None:
    """2 megapixels: Letter fits at 146 dpi."""
    server.calls.clear()
    found = read(gateway, make.sized(side, side))
    assert 100 <= found["dpi"] < 300
    assert 1.9e6 < found["width"] * found["height"] <= 2e6
    assert found["width"] == pytest.approx(side * found["dpi"] / 72, abs=1)
    assert [width for _, width in server.calls] == [found["width"]]


@pytest.mark.parametrize(("side", "query"), [(612, {"dpi": "300"}), (612, {"dpi": "200"}), (1030, {})])
def test_a_page_is_refused_rather_than_drawn_with_other_or_very_few_dpi(
    side: int, query: dict[str, str], gateway: Gateway
) -> None:
    answer = gateway.post("/gateway/ocr", files={"image_file": ("x", make.sized(side, side))}, params=query)
    assert [page["code"] for page in answer.json()["pages"]] == ["too_many_pixels"]


def test_drawings_of_a0_are_read_with_the_default_settings(front: Front) -> None:
    with front(ModelServer()) as gateway:
        for size in ((2384, 3370), (17 * 72, 27 * 72), (1684, 2384)):
            found = read(gateway, make.sized(*size))
            assert (found["status"], found["dpi"] >= 150) == ("ok", True)
