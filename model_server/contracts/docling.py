"""docling's `kserve_v2_ocr`: one picture of RGB tensors in, lines out.

`lang_type` BYTES [1,1], `image` UINT8 [1,H,W,3]; the request's `parameters`: psm, engine, orientation
-> `boxes` FP32 [N,4,2] in pixels, clockwise from the top left corner, `txts` BYTES [N], `scores` FP32 [N], 0 to 1
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from kserve import InferOutput, InferRequest, InferResponse

from model_server.contracts import rgb_tiff
from model_server.contracts.fields import Offer, PageRequest
from model_server.contracts.languages import tesseract_name
from model_server.contracts.tensors import InferCall, OutputTensor, Tensor, add, raw_of
from model_server.prediction import Prediction
from service_kit.context import current
from service_kit.errors import BadRequest
from service_kit.page import Word

INPUTS = ("lang_type", "image")
VERSION = "1"  # the only one
_CHANNELS = 3


def is_docling(request: InferRequest) -> bool:
    """Whether it is docling's call in plain JSON, not a call of the contract `v2`."""
    return any(tensor.name == "lang_type" for tensor in request.inputs)


def decode(request: InferRequest, _headers: Mapping[str, str], offer: Offer) -> list[PageRequest]:
    """A call in plain JSON, which KServe has decoded."""
    return [page_request(_call(request), offer)]


def encode(request: InferRequest, name: str, pages: Sequence[Prediction]) -> InferResponse:
    outputs = [
        InferOutput(name=output.name, datatype=output.datatype, shape=list(output.shape), data=list(output.data))
        for output in _call(request, data=False).chosen(lines_of(pages[0]))
    ]
    return InferResponse(response_id=request.id or current().id, model_name=name, infer_outputs=outputs)


def page_request(call: InferCall, offer: Offer) -> PageRequest:
    """The picture as an uncompressed TIFF of two pieces, of which the second is the tensor itself.

    Raises:
        BadRequest, UnknownLanguage, BadPsm, BadEngine, NoSuchEngine.
    """
    if set(call.inputs) != set(INPUTS):
        raise BadRequest(
            f"The call takes the inputs {' and '.join(INPUTS)}, not {', '.join(call.inputs) or 'none'}."
        )
    language, image = (call.inputs[name] for name in INPUTS)
    width, height = _size(image)
    parameters = offer.parameters({**call.parameters, "languages": tesseract_name(_only_text(language))})
    return PageRequest((rgb_tiff.head(width, height), image.raw), parameters)


def lines_of(page: Prediction) -> list[OutputTensor]:
    """The three outputs: a line is the words of the same block, paragraph and line."""
    lines = list(_lines(page["words"]))
    boxes = [edge for line in lines for edge in _corners(line)]
    texts = [" ".join(word["text"] for word in line) for line in lines]
    scores = [sum(word["confidence"] for word in line) / len(line) / 100 for line in lines]
    return [
        OutputTensor("boxes", "FP32", (len(lines), 4, 2), boxes),
        OutputTensor("txts", "BYTES", (len(lines),), texts),
        OutputTensor("scores", "FP32", (len(lines),), scores),
    ]


def _lines(words: Sequence[Word]) -> Iterator[list[Word]]:
    for _, line in groupby(words, key=lambda word: (word["block"], word["paragraph"], word["line"])):
        yield list(line)


def _corners(line: Sequence[Word]) -> tuple[float, ...]:
    left, top = (min(word["bbox"][at] for word in line) for at in (0, 1))
    right, bottom = (max(word["bbox"][at] for word in line) for at in (2, 3))
    return tuple(map(float, (left, top, right, top, right, bottom, left, bottom)))


def _size(image: Tensor) -> tuple[int, int]:
    """Width and height."""
    if image.datatype != "UINT8":
        raise BadRequest(f"image takes UINT8, not {image.datatype}.")
    shape = image.shape
    if len(shape) != 4 or shape[0] != 1 or shape[3] != _CHANNELS or 0 in shape:
        raise BadRequest(f"image takes the shape [1, height, width, 3], not {list(shape)}.")
    if len(image.raw) != image.elements:
        raise BadRequest(f"image has {len(image.raw)} bytes, and its shape says {image.elements}.")
    return shape[2], shape[1]


def _only_text(language: Tensor) -> str:
    if language.datatype != "BYTES" or language.elements != 1:
        raise BadRequest("lang_type takes one text: BYTES, of shape [1, 1].")
    try:
        return language.texts()[0].decode()
    except UnicodeDecodeError:
        raise BadRequest("lang_type is not UTF-8.") from None


def _call(request: InferRequest, *, data: bool = True) -> InferCall:
    """What KServe has decoded; without `data`, only what is wanted."""
    inputs: dict[str, Tensor] = {}
    for tensor in request.inputs if data else ():
        add(inputs, tensor.name, tensor.datatype, tensor.shape, raw_of(tensor.datatype, tensor.data))
    wanted: Sequence[Any] = request.request_outputs or ()
    return InferCall(inputs, tuple(output.name for output in wanted), frozenset(), request.parameters or {})
