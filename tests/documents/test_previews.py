"""Previews of documents and pictures by the gateway: places, orientations, failures, limits."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from typing import Any

import pikepdf
import psutil
import pytest
from PIL import Image, ImageDraw

from tests.documents import make
from tests.documents.conftest import Front, Gateway
from tests.documents.faulty_splitter import Fault
from tests.documents.previewing import URL, Box, error, ink, noise, parsed, previews, send
from tests.documents.stand_in import ModelServer, until
from tests.documents.test_fanout import whole_again
from tests.documents.test_page_geometry import BOXES, changed
from tests.faults.wire import Wire, multipart, upload_head
from tests.gateway.test_operation import samples
from tests.pictures import formats
from tests.pictures.render import Picture

SIZE = (1200, 800)
MARK: Box = (900, 100, 1080, 160)  # unlike itself in any other orientation
NEAR = 2  # pixels


def marked() -> Picture:
    image = Image.new("L", SIZE, 255)
    ImageDraw.Draw(image).rectangle((MARK[0], MARK[1], MARK[2] - 1, MARK[3] - 1), fill=0)
    return Picture(image, "", 150)


def scaled(box: tuple[float, ...], scale: float) -> Any:
    return pytest.approx([value * scale for value in box], abs=NEAR)


@pytest.fixture(scope="module")
def gateway(front: Front) -> Iterator[Gateway]:
    with front(ModelServer(), MAX_UPLOAD_MIB="2", MAX_DOCUMENT_MIB="3", MAX_PAGES="5") as started:
        yield started


def pdf_of_mark(degrees: int = 0, **entries: Any) -> bytes:
    """Letter, with a black rectangle from (100, 600) to (220, 640) in points."""
    content = b"100 600 120 40 re f"
    pdf = pikepdf.open(io.BytesIO(make.turned(make.sized(612, 792, content), degrees)))
    for name, value in entries.items():
        pdf.pages[0].obj[f"/{name}"] = value
    return make.saved(pdf)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_rotated_page_is_drawn_as_it_is_read(gateway: Gateway, degrees: int) -> None:
    """The embedded words are where the ink is, after scaling by the width."""
    data = make.turned(make.digital("Word"), degrees)
    (page,) = gateway.post("/gateway/ocr", files={"image_file": ("x", data)}).json()["pages"]
    (word,) = page["words"]
    (image,) = previews(gateway, data, width="900").images
    scale = image.width / page["width"]
    assert image.height / page["height"] == pytest.approx(scale, rel=0.002)
    x0, y0, x1, y1 = ink(image)
    left, top, right, bottom = (value * scale for value in word["bbox"])
    assert left - NEAR <= x0 < x1 <= right + NEAR
    assert top - NEAR <= y0 < y1 <= bottom + NEAR


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_mark_is_where_it_was_drawn_on_a_rotated_page(gateway: Gateway, degrees: int) -> None:
    (image,) = previews(gateway, pdf_of_mark(degrees), width="1224").images
    x0, y0, x1, y1 = (100, 792 - 640, 220, 792 - 600)
    across, down = 612, 792
    turned = {
        0: (x0, y0, x1, y1),
        90: (down - y1, x0, down - y0, x1),
        180: (across - x1, down - y1, across - x0, down - y0),
        270: (y0, across - x1, y1, across - x0),
    }[degrees]
    assert ink(image) == scaled(turned, image.width / (down if degrees % 180 else across))


@pytest.mark.parametrize("name", BOXES)
def test_odd_boxes_are_those_of_the_page_that_is_read(gateway: Gateway, name: str) -> None:
    entries, (left, bottom, right, top) = BOXES[name]
    boxes: dict[str, Any] = {key: box and pikepdf.Array(box) for key, box in entries.items()}
    data = changed(**boxes)
    (image,) = previews(gateway, data, width="1000").images
    scale = 1000 / (right - left)
    assert image.width == 1000
    assert image.height == pytest.approx((top - bottom) * scale, abs=1)
    x0, _, _, y1 = ink(image)
    assert (x0 / scale, y1 / scale) == pytest.approx((100 - left, top - 600), abs=3)


def test_the_user_unit_changes_only_the_limit(gateway: Gateway) -> None:
    (image,) = previews(gateway, pdf_of_mark(UserUnit=2)).images
    assert image.size == (1000, 1294)
    (page,) = previews(gateway, pdf_of_mark(UserUnit=10)).pages
    assert page.said["code"] == "page_too_large"


def test_a_page_has_its_colours_and_its_annotations(gateway: Gateway) -> None:
    data = make.sized(100, 100, b"1 0 0 rg 0 0 50 100 re f")
    (image,) = previews(gateway, data, width="100").images
    red, white = image.getpixel((20, 50)), image.getpixel((80, 50))
    assert red == pytest.approx((255, 0, 0), abs=6)
    assert white == pytest.approx((255, 255, 255), abs=6)
    (filled,) = previews(gateway, make.form("Name", "Value")).images
    assert ink(filled)


@pytest.mark.parametrize(
    "name",
    ["png 16 bits", "png rgba", "heic", "tiff 16 bits", "tiff group 4", "pbm plain", "jpeg rgb", "gif animated"],
)
def test_a_picture_that_browsers_do_not_show_has_its_mark(gateway: Gateway, name: str) -> None:
    found = previews(gateway, formats.FORMATS[name].encode(marked()), width="600")
    (image,) = found.images
    assert image.size == (600, 400)
    assert ink(image) == scaled(MARK, 0.5)
    assert (found.total["page_count"], found.total["pages_ok"]) == (1, 1)


@pytest.mark.parametrize("orientation", formats.ORIENTATIONS)
def test_exif_is_applied(gateway: Gateway, orientation: int) -> None:
    (image,) = previews(gateway, formats.jpeg_turned(marked(), orientation), width="300").images
    assert image.size == (300, 200)
    assert ink(image) == scaled(MARK, 0.25)


@pytest.mark.parametrize("pages", [1, 2])
def test_the_orientation_of_a_tiff_is_applied(gateway: Gateway, pages: int) -> None:
    sideways = marked().image.transpose(Image.Transpose.ROTATE_90)
    data = make.tiff([Picture(sideways, "", 72)] * pages, tiffinfo={274: 6})
    for image in previews(gateway, data, width="300").images:
        assert image.size == (300, 200)
        assert ink(image) == scaled(MARK, 0.25)


def test_a_tiff_of_several_pages_has_one_preview_for_each(gateway: Gateway) -> None:
    small = Picture(marked().image.resize((300, 200)), "", 72)
    found = previews(gateway, formats.tiff_pages([marked(), small, marked()]), pages="2,1", width="600")
    assert [page.said["page"] for page in found.pages] == [2, 1]
    assert found.total["page_count"] == 3
    second, first = found.images
    assert second.size == (300, 200), "it is not enlarged"
    assert ink(first) == scaled(MARK, 0.5)


def test_very_long_pages_are_bounded(gateway: Gateway) -> None:
    (strip,) = previews(gateway, make.sized(50, 4000), width="2000").images
    assert strip.size == (200, 16_000)
    (wide,) = previews(gateway, make.sized(4000, 100), width="2000").images
    assert wide.size == (2000, 50)
    (square,) = previews(gateway, make.sized(612, 2000), width="2000").images
    assert square.width * square.height == pytest.approx(6_000_000, rel=0.01)


def test_the_answer_has_the_requests_id_and_its_number_of_pages(gateway: Gateway) -> None:
    response = send(gateway, make.joined(*[make.sized(100, 100)] * 2))
    assert response.headers["x-pages-total"] == "2"
    assert response.text.splitlines()[-1] == (
        f'{{"request_id":"{response.headers["x-request-id"]}","status":"complete","page_count":2,'
        '"pages_ok":2,"pages_failed":0}'
    )


@pytest.mark.parametrize(
    ("data", "query", "expected"),
    [
        (b"no picture at all", {}, (415, "not_an_image")),
        (b"PK\x03\x04 a document of an office", {}, (415, "unsupported_media_type")),
        (b"\x89PNG\r\n\x1a\nand then nothing", {}, (422, "damaged_image")),
        (b"", {}, (422, "empty_image")),
        (b"%PDF-1.7 and then nothing", {}, (422, "damaged_document")),
        (make.joined(*[make.sized(100, 100)] * 6), {}, (422, "too_many_pages")),
        (make.sized(100, 100), {"pages": "2"}, (422, "no_such_page")),
        (make.sized(100, 100), {"pages": "0"}, (400, "bad_pages")),
        (make.sized(100, 100), {"width": "99"}, (400, "bad_parameter")),
        (make.sized(100, 100), {"width": "2001"}, (400, "bad_parameter")),
        (make.sized(100, 100), {"dpi": "100"}, (400, "bad_parameter")),
        (b"%PDF-1.7" + bytes(4 << 20), {}, (413, "payload_too_large")),
        (b"\x89PNG\r\n\x1a\n" + bytes((2 << 20) + 1), {}, (413, "image_too_large")),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_bad_requests_have_the_codes_of_ocr(
    gateway: Gateway, data: bytes, query: dict[str, str], expected: tuple[int, str]
) -> None:
    before = samples(gateway)
    assert error(send(gateway, data, **query)) == expected
    after = samples(gateway)
    changed = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    changed.pop("gateway_received_bytes_total", None)
    assert {name: value for name, value in changed.items() if name.startswith("gateway_")} == {
        f"gateway_previews_total,outcome={expected[1]}": 1
    }


def test_a_password_is_needed_and_used(gateway: Gateway) -> None:
    data = make.encrypted(pdf_of_mark(), "secret")
    assert error(send(gateway, data)) == (422, "password_required")
    assert error(send(gateway, data, password="other")) == (422, "wrong_password")
    assert send(gateway, data, password="secret").status_code == 200


def test_too_many_pixels(front: Front) -> None:
    png = formats.FORMATS["png 1 bit"].encode(Picture(Image.new("L", (1500, 1500), 255), "", 72))
    with front(ModelServer(), MAX_PAGE_MEGAPIXELS="2") as gateway:
        assert error(send(gateway, png)) == (422, "too_many_pixels")
        large = formats.tiff_pages([Picture(Image.new("L", (1500, 1500), 255), "", 72), marked()])
        assert [page.said.get("code") for page in previews(gateway, large).pages] == ["too_many_pixels", None]
        pages = make.joined(make.sized(1600, 1600), make.sized(612, 792))
        assert [page.said.get("code") for page in previews(gateway, pages).pages] == ["too_many_pixels", None]


def test_pages_that_kill_or_hang_the_splitter_fail_alone_and_hold_no_other_back(front: Front) -> None:
    faulty = {
        "ENVIRONMENT": "test",
        "TEST_SPLITTER": "tests.documents.faulty_splitter",
        "SPLITTER_TIMEOUT_SECONDS": "1",
        "SPLITTER_KILL_MIB": "300",
    }
    widths = (100, Fault.SEGFAULT, Fault.SPIN, 101)
    data = make.joined(*(make.sized(width, 50) for width in widths))
    with front(ModelServer(), **faulty) as gateway:
        with gateway.stream("POST", URL, files={"image_file": ("x", data)}) as response:
            lines = [(time.monotonic(), line) for line in response.iter_lines()]
        found = parsed("\n".join(line for _, line in lines).encode())
        assert [page.said.get("code", "ok") for page in found.pages] == [
            "ok", "damaged_page", "page_too_complex", "ok",
        ]  # fmt: skip
        assert lines[2][0] - lines[0][0] > 0.9, "the first page was sent while a later one hung"
        assert (found.total["status"], found.total["pages_ok"], found.total["pages_failed"]) == ("partial", 2, 2)
        whole_again(gateway)


def test_a_client_that_does_not_read_holds_the_drawing_back_and_is_dropped(front: Front) -> None:
    body = multipart(noise(60))
    head = upload_head(len(body), path=f"{URL}?width=2000")
    with (
        front(ModelServer(), BODY_IDLE_TIMEOUT_SECONDS="1") as gateway,
        Wire(gateway.service.port, head, body),
    ):
        until(lambda: '"outcome":"client_too_slow"' in gateway.log.read_text(), 30)
        (line,) = [found for found in gateway.log.read_text().splitlines() if '"event":"request"' in found]
        drawn = int(line.partition('"pages":')[2].partition(",")[0])
        assert 0 < drawn < 20, "of 60"
        whole_again(gateway)
        assert samples(gateway)["gateway_previews_total,outcome=client_too_slow"] == 1


def test_a_client_that_leaves_ends_everything(front: Front) -> None:
    body = multipart(noise(60))
    with front(ModelServer()) as gateway:
        with Wire(gateway.service.port, upload_head(len(body), path=f"{URL}?width=2000"), body) as wire:
            assert wire.socket.recv(4096).startswith(b"HTTP/1.1 200")
            assert psutil.Process(gateway.service.pid).children()
            wire.reset()
        whole_again(gateway)
        assert samples(gateway)["gateway_previews_total,outcome=client_gone"] == 1
        assert len(previews(gateway, noise(2)).pages) == 2


def test_previews_leave_places_for_documents(front: Front) -> None:
    """Two of four places; a third request is refused at once, and is served when one has ended."""
    data = make.digital("Text")
    body = multipart(data + bytes(10_000))
    head = upload_head(len(body), path=URL)
    with front(ModelServer()) as gateway:
        with (
            Wire(gateway.service.port, head, body[:2000]),
            Wire(gateway.service.port, head, body[:2000]),
        ):
            until(lambda: samples(gateway)["gateway_documents_in_flight"] == 2)
            assert samples(gateway)["gateway_in_flight"] == 0, "they are no OCR requests"
            refused = send(gateway, data)
            assert error(refused) == (429, "overloaded")
            assert int(refused.headers["retry-after"]) >= 1
            assert gateway.post("/gateway/ocr", files={"image_file": ("x", data)}).status_code == 200
        whole_again(gateway)
        assert send(gateway, data).status_code == 200


def test_a_request_for_previews_is_logged_and_counted_as_such(gateway: Gateway) -> None:
    before = samples(gateway)
    answer = send(gateway, make.joined(make.sized(100, 100), make.sized(10_000, 100)))
    after = samples(gateway)
    moved = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    moved = {name: value for name, value in moved.items() if name.startswith("gateway_")}
    assert moved.pop("gateway_received_bytes_total") > 0
    assert moved == {"gateway_previews_total,outcome=ok": 1}
    (line,) = (found for found in gateway.log.read_text().splitlines() if answer.headers["x-request-id"] in found)
    said = json.loads(line)
    assert (said["path"], said["outcome"], said["pages"], said["pages_failed"]) == (URL, "ok", 2, 1)


def test_without_the_page_there_are_no_previews(front: Front) -> None:
    with front(ModelServer(), PAGE="false") as gateway:
        assert error(send(gateway, make.sized(100, 100))) == (404, "not_found")


def test_previews_need_a_key(front: Front) -> None:
    with front(ModelServer(), API_KEYS="a-key-of-twenty-letters") as gateway:
        assert error(send(gateway, make.sized(100, 100))) == (401, "unauthorized")
        gateway.headers["authorization"] = "Bearer a-key-of-twenty-letters"
        assert send(gateway, make.sized(100, 100)).status_code == 200
