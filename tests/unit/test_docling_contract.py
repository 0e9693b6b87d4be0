"""docling's tensors become a page that a worker reads, and its words become lines."""

from __future__ import annotations

import io
import struct
from typing import Any

import pytest
from PIL import Image

from model_server.contracts import docling, rgb_tiff
from model_server.contracts.fields import Offer
from model_server.contracts.languages import tesseract_name
from model_server.contracts.tensors import InferCall, Tensor, pack_texts
from model_server.image_header import ImageHeader, read_header
from service_kit.errors import BadPsm, BadRequest, UnknownLanguage
from service_kit.frames import pieces_of
from service_kit.offered import Offered
from service_kit.page import Word

OFFER = Offer(Offered(["eng", "deu"], ["eng", "chi_sim"], "auto"), 8)
WIDTH, HEIGHT = 5, 3
PIXELS = bytes(range(3 * WIDTH * HEIGHT))


def call(language: bytes = b"english", **more: Any) -> InferCall:
    inputs = {
        "lang_type": Tensor("lang_type", "BYTES", (1, 1), memoryview(pack_texts([language]))),
        "image": Tensor("image", "UINT8", (1, HEIGHT, WIDTH, 3), memoryview(PIXELS)),
    }
    return InferCall({**inputs, **more.pop("inputs", {})}, **more)


def test_the_page_is_a_picture_with_these_pixels_that_are_not_copied() -> None:
    head, pixels = pieces_of(docling.page_request(call(), OFFER).data)
    assert isinstance(pixels, memoryview)
    assert pixels.obj is PIXELS
    assert len(head) == rgb_tiff.HEAD_BYTES
    assert read_header(bytes(head)) == ImageHeader("tiff", WIDTH, HEIGHT)
    with Image.open(io.BytesIO(bytes(head) + bytes(pixels))) as image:
        assert (image.format, image.mode, image.size, image.tobytes()) == ("TIFF", "RGB", (WIDTH, HEIGHT), PIXELS)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("english", ("eng",)),
        ("EN", ("eng",)),
        ("eng", ("eng",)),
        ("ch", ("chi_sim",)),
        ("chinese", ("chi_sim",)),
        ("german", ("deu",)),
        ("deu", ("deu",)),
        ("eng+deu", ("eng", "deu")),
        ("latin", ("auto",)),
        ("auto", ("auto",)),
    ],
)
def test_languages_by_docling_s_names(sent: str, read: tuple[str, ...]) -> None:
    assert docling.page_request(call(sent.encode()), OFFER).parameters.languages == read


@pytest.mark.parametrize("sent", [b"klingon", b"", b"arabic", b"korean", b"cyrillic", b"english "[:0]])
def test_a_language_that_is_not_installed_is_not_read_as_english(sent: bytes) -> None:
    with pytest.raises(UnknownLanguage):
        docling.page_request(call(sent), OFFER)


def test_names_of_docling_s_own_tests() -> None:
    names = ("english", "en", "ch", "arabic", "korean", "latin", "chinese", "deu")
    assert [tesseract_name(name) for name in names] == [
        *("eng", "eng", "chi_sim", "ara", "kor", "auto", "chi_sim", "deu")
    ]


def test_parameters_of_the_call_are_those_of_v1_and_v2() -> None:
    found = docling.page_request(call(parameters={"psm": 6, "orientation": "off"}), OFFER).parameters
    assert (found.psm, found.orientation) == (6, "off")
    with pytest.raises(BadPsm):
        docling.page_request(call(parameters={"psm": 0}), OFFER)


def image(shape: tuple[int, ...] = (1, HEIGHT, WIDTH, 3), datatype: str = "UINT8", raw: bytes = PIXELS) -> Any:
    return {"image": Tensor("image", datatype, shape, memoryview(raw))}


def language(shape: tuple[int, ...] = (1, 1), datatype: str = "BYTES", raw: bytes = b"") -> Any:
    return {"lang_type": Tensor("lang_type", datatype, shape, memoryview(raw))}


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (image((HEIGHT, WIDTH, 3)), r"the shape \[1, height, width, 3\], not \[3, 5, 3\]"),
        (image((1, 3, HEIGHT, WIDTH)), "the shape"),
        (image((2, HEIGHT, WIDTH, 3)), "the shape"),
        (image((1, 0, WIDTH, 3), raw=b""), "the shape"),
        (image(datatype="FP32"), "takes UINT8, not FP32"),
        (image(raw=PIXELS[:-1]), "image has 44 bytes, and its shape says 45"),
        (language((2,), raw=pack_texts([b"en", b"de"])), "one text"),
        (language(datatype="UINT8", raw=b"e"), "one text"),
        (language(raw=b"english"), "end within an element"),
        (language(raw=pack_texts([b"\xff"])), "not UTF-8"),
        ({"third": Tensor("third", "BYTES", (0,), memoryview(b""))}, "takes the inputs lang_type and image, not"),
    ],
)
def test_wrong_tensors_are_refused_with_a_reason(inputs: dict[str, Tensor], said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        docling.page_request(call(inputs=inputs), OFFER)


def word(text: str, box: tuple[int, int, int, int], place: tuple[int, int, int], confidence: float = 90) -> Word:
    block, paragraph, line = place
    return {
        "text": text, "bbox": box, "confidence": confidence, "block": block, "paragraph": paragraph, "line": line
    }  # fmt: skip


def test_words_of_a_line_are_one_text_with_the_box_around_them() -> None:
    words = [
        word("Two", (10, 22, 30, 40), (1, 1, 1), 80),
        word("words", (35, 20, 60, 38), (1, 1, 1), 100),
        word("below", (10, 50, 40, 60), (1, 1, 2)),
        word("aside", (90, 50, 99, 60), (2, 1, 2)),
    ]
    boxes, texts, scores = docling.lines_of({"words": words})  # type: ignore[typeddict-item]
    assert texts.data == ["Two words", "below", "aside"]
    assert (boxes.shape, texts.shape, scores.shape) == ((3, 4, 2), (3,), (3,))
    assert boxes.data[:8] == [10, 20, 60, 20, 60, 40, 10, 40], "clockwise from the top left corner"
    assert scores.data == pytest.approx([0.9, 0.9, 0.9])
    assert struct.unpack("<24f", boxes.raw())[:2] == (10, 20)


def test_a_blank_page_has_no_lines() -> None:
    outputs = docling.lines_of({"words": []})  # type: ignore[typeddict-item]
    assert [(output.shape, output.raw()) for output in outputs] == [((0, 4, 2), b""), ((0,), b""), ((0,), b"")]
