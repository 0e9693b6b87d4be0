"""KServe's V2, the open inference protocol.

A BYTES tensor `image` of shape [N] that holds base64; the request's `parameters`: languages ("eng,deu"), psm,
engine, orientation
-> `text` BYTES [N], `confidence` FP32 [N] (NaN without words), `result` BYTES [N] (the page as JSON)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from kserve import InferOutput, InferRequest, InferResponse

from model_server.contracts.fields import Offer, PageRequest, unbase64
from model_server.prediction import Prediction
from service_kit.context import current
from service_kit.errors import BadRequest

INPUT_TYPES = [{"name": "image", "datatype": "BYTES", "shape": [-1]}]
OUTPUT_TYPES = [
    {"name": "text", "datatype": "BYTES", "shape": [-1]},
    {"name": "confidence", "datatype": "FP32", "shape": [-1]},
    {"name": "result", "datatype": "BYTES", "shape": [-1]},
]


def decode(request: InferRequest, _headers: Mapping[str, str], offer: Offer) -> list[PageRequest]:
    """The images of a call, at least one, with the call's parameters.

    Raises:
        BadRequest, UnknownLanguage, BadPsm, BadEngine, NoSuchEngine.
    """
    tensor = next((tensor for tensor in request.inputs if tensor.name == "image"), None)
    if tensor is None or tensor.datatype != "BYTES" or len(tensor.shape) != 1:
        raise BadRequest("The call takes one input: image, BYTES, of shape [N].")
    data = tensor.data
    if not isinstance(data, list) or len(data) != tensor.shape[0]:
        raise BadRequest("The data of image does not have the shape that it says.")
    offer.check_count(len(data))
    parameters = offer.parameters(request.parameters or {})
    return [PageRequest(unbase64(item, f"image[{number}]"), parameters) for number, item in enumerate(data)]


def encode(request: InferRequest, name: str, pages: Sequence[Prediction]) -> InferResponse:
    confidences = [page["confidence"] for page in pages]
    outputs = [
        _output("text", "BYTES", [page["text"] for page in pages]),
        _output("confidence", "FP32", [float("nan") if value is None else value for value in confidences]),
        _output("result", "BYTES", [orjson.dumps(page).decode() for page in pages]),
    ]
    return InferResponse(response_id=request.id or current().id, model_name=name, infer_outputs=outputs)


def _output(name: str, datatype: str, data: list[Any]) -> InferOutput:
    return InferOutput(name=name, datatype=datatype, shape=[len(data)], data=data)
