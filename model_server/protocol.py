"""The two shapes of the KServe protocols, to and from pages.

V1: {"instances": [{"image": {"b64": "..."}, "parameters": {"languages": ["eng"], "psm": 3}}]}
    -> {"predictions": [page, ...]}
V2: a BYTES tensor `image` of shape [N] holding base64; `parameters` of the request: languages ("eng,deu"), psm
    -> `text` BYTES [N], `confidence` FP32 [N] (NaN without words), `result` BYTES [N] (the page as JSON)
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import orjson
import pybase64
from kserve import InferOutput, InferRequest, InferResponse

from model_server.errors import BadPsm, BadRequest, UnknownLanguage, UnsupportedMediaType
from model_server.page import Parameters
from service_kit.context import current

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PSMS = frozenset({1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13})  # 0 and 2 find no text
DEFAULTS = Parameters()
_MOST_LANGUAGES = 4

Payload: TypeAlias = dict[str, Any] | InferRequest | bytes


class PageRequest(NamedTuple):
    data: bytes
    parameters: Parameters


class Decoder:
    """Turns a call into page requests, or says what is wrong with it."""

    def __init__(self, offered: Sequence[str], max_instances: int) -> None:
        self._offered = offered
        self._max_instances = max_instances

    def decode(self, payload: Payload, headers: Mapping[str, str] | None) -> list[PageRequest]:
        """The images of a V1 or V2 call with the parameters of each, at least one.

        Raises:
            BadRequest, UnknownLanguage, BadPsm, UnsupportedMediaType.
        """
        if isinstance(payload, InferRequest):
            return self._v2(payload)
        if isinstance(payload, bytes):  # KServe parses nothing but an exact application/json
            payload = _parse(payload, headers or {})
        return self._v1(payload)

    def _v1(self, payload: Any) -> list[PageRequest]:
        if not isinstance(payload, dict) or not isinstance(payload.get("instances"), list):
            raise BadRequest('The body takes {"instances": [{"image": {"b64": "..."}}]}.')
        instances = payload["instances"]
        self._check_count(len(instances))
        requests = []
        for number, instance in enumerate(instances):
            where = f"instances[{number}]"
            image = instance.get("image") if isinstance(instance, dict) else None
            encoded = image.get("b64") if isinstance(image, dict) else None
            if not isinstance(encoded, str):
                raise BadRequest(f'{where} takes {{"image": {{"b64": "..."}}}}.')
            given = instance.get("parameters") or {}
            if not isinstance(given, dict):
                raise BadRequest(f"{where}.parameters takes an object.")
            requests.append(PageRequest(_unbase64(encoded, where), self._parameters(given)))
        return requests

    def _v2(self, request: InferRequest) -> list[PageRequest]:
        inputs = {tensor.name: tensor for tensor in request.inputs}
        tensor = inputs.get("image")
        if tensor is None or tensor.datatype != "BYTES" or len(tensor.shape) != 1:
            raise BadRequest("The call takes one input: image, BYTES, of shape [N].")
        data = tensor.data
        if not isinstance(data, list) or len(data) != tensor.shape[0]:
            raise BadRequest("The data of image does not have the shape that it says.")
        self._check_count(len(data))
        parameters = self._parameters(request.parameters or {})
        return [PageRequest(_unbase64(item, f"image[{n}]"), parameters) for n, item in enumerate(data)]

    def _check_count(self, count: int) -> None:
        if not 1 <= count <= self._max_instances:
            raise BadRequest(f"A call takes 1 to {self._max_instances} images, not {count}.")

    def _parameters(self, given: Mapping[str, Any]) -> Parameters:
        return Parameters(
            self._languages(given.get("languages", DEFAULTS.languages)), _psm(given.get("psm", DEFAULTS.psm))
        )

    def _languages(self, given: Any) -> tuple[str, ...]:
        names = given.split(",") if isinstance(given, str) else given
        if not isinstance(names, (list, tuple)) or not 1 <= len(names) <= _MOST_LANGUAGES:
            raise UnknownLanguage(f"languages takes 1 to {_MOST_LANGUAGES} of: {', '.join(self._offered)}.")
        for name in names:
            if not isinstance(name, str) or name not in self._offered:
                raise UnknownLanguage(f"Languages offered here: {', '.join(self._offered)}.")
        return tuple(dict.fromkeys(names))


def encode(payload: Payload, name: str, pages: list[dict[str, Any]]) -> dict[str, Any] | InferResponse:
    """The answer in the protocol of the call."""
    if not isinstance(payload, InferRequest):
        return {"predictions": pages}
    confidences = [page["confidence"] for page in pages]
    results = [orjson.dumps(page).decode() for page in pages]
    outputs = [
        _output("text", "BYTES", [page["text"] for page in pages]),
        _output("confidence", "FP32", [float("nan") if value is None else value for value in confidences]),
        _output("result", "BYTES", results),
    ]
    return InferResponse(response_id=payload.id or current().id, model_name=name, infer_outputs=outputs)


INPUT_TYPES = [{"name": "image", "datatype": "BYTES", "shape": [-1]}]
OUTPUT_TYPES = [
    {"name": "text", "datatype": "BYTES", "shape": [-1]},
    {"name": "confidence", "datatype": "FP32", "shape": [-1]},
    {"name": "result", "datatype": "BYTES", "shape": [-1]},
]


def _output(name: str, datatype: str, data: list[Any]) -> InferOutput:
    return InferOutput(name=name, datatype=datatype, shape=[len(data)], data=data)


def _parse(body: bytes, headers: Mapping[str, str]) -> Any:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in ("application/json", ""):
        raise UnsupportedMediaType
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from None


def _unbase64(encoded: Any, where: str) -> bytes:
    try:
        return pybase64.b64decode(encoded, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise BadRequest(f"{where} is not base64.") from None


def _psm(given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or given not in PSMS:
        raise BadPsm
    return given
