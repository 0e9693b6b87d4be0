"""Calls with docling's tensors as its client makes them: over HTTP or gRPC, with raw bytes or without."""

from __future__ import annotations

import contextlib
import json
import struct
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import grpc
import httpx
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc as stubs
from PIL import Image

from scripts.services import Service

Transport = Literal["http", "http in json", "grpc", "grpc typed"]
TRANSPORTS: tuple[Transport, ...] = ("http", "http in json", "grpc", "grpc typed")
OUTPUTS = ("boxes", "txts", "scores")
_CHANNEL = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", 64 << 20)]

Box = tuple[float, float, float, float]


class Refused(Exception):
    """`status` is HTTP's number or gRPC's name."""

    def __init__(self, status: int | str, code: str | None, text: str) -> None:
        super().__init__(f"{status} {code}: {text}")
        self.status = status
        self.code = code
        self.text = text


class Lines(NamedTuple):
    """`boxes` are left, top, right and bottom of each line."""

    boxes: list[Box]
    texts: list[str]
    scores: list[float]
    request_id: str
    shapes: list[list[int]]


class Picture(NamedTuple):
    """The tensor `image`; `shape` may be wrong on purpose."""

    rgb: bytes
    shape: list[int]


def tensor_of(image: Image.Image) -> Picture:
    return Picture(image.convert("RGB").tobytes(), [1, image.height, image.width, 3])


def white(width: int, height: int) -> Picture:
    return Picture(b"\xff" * (3 * width * height), [1, height, width, 3])


class Client:
    """One model server over one transport.

    Raises:
        Refused: by each call that is not answered with lines.
    """

    def __init__(self, service: Service, transport: Transport) -> None:
        self.transport = transport
        self._service = service

    def read(
        self,
        picture: Picture,
        language: str = "english",
        *,
        seconds: float = 60,
        model: str = "ocr-model",
        version: str = "",
        parameters: dict[str, Any] | None = None,
    ) -> Lines:
        if self.transport.startswith("grpc"):
            with stub(self._service) as service:
                try:
                    sent = infer_request(picture, language, model, version, raw=self.transport == "grpc")
                    answer, call = service.ModelInfer.with_call(sent, timeout=seconds)
                except grpc.RpcError as error:
                    raise refused(error) from None
            return _of_grpc(answer, dict(call.trailing_metadata())["request-id"])
        path = f"/v2/models/{model}{f'/versions/{version}' if version else ''}/infer"
        body, headers = http_call(picture, language, binary=self.transport == "http", parameters=parameters)
        response = httpx.post(
            self._service.url + path, content=body, headers=headers, timeout=seconds, trust_env=False
        )
        if response.status_code != 200:
            raise Refused(response.status_code, response.json()["code"], response.json()["error"])
        return _of_http(response)


@contextlib.contextmanager
def stub(service: Service) -> Iterator[stubs.GRPCInferenceServiceStub]:
    with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}", options=_CHANNEL) as channel:
        yield stubs.GRPCInferenceServiceStub(channel)


def refused(error: grpc.RpcError) -> Refused:
    trailing = dict(error.trailing_metadata() or ())
    return Refused(error.code().name, trailing.get("code"), error.details())


def infer_request(
    picture: Picture, language: str = "english", model: str = "ocr-model", version: str = "", *, raw: bool = True
) -> pb.ModelInferRequest:
    text: dict[str, Any] = {"name": "lang_type", "datatype": "BYTES", "shape": [1, 1]}
    image: dict[str, Any] = {"name": "image", "datatype": "UINT8", "shape": picture.shape}
    more: dict[str, Any] = {"raw_input_contents": [_packed(language), picture.rgb]}
    if not raw:
        text["contents"] = {"bytes_contents": [language.encode()]}
        image["contents"] = {"uint_contents": [*picture.rgb]}
        more = {}
    return pb.ModelInferRequest(
        model_name=model,
        model_version=version,
        inputs=[text, image],
        outputs=[{"name": name} for name in OUTPUTS],
        **more,
    )


def http_call(
    picture: Picture, language: str = "english", *, binary: bool = True, parameters: dict[str, Any] | None = None
) -> tuple[bytes, dict[str, str]]:
    """A body and its headers."""
    text: dict[str, Any] = {"name": "lang_type", "datatype": "BYTES", "shape": [1, 1]}
    image: dict[str, Any] = {"name": "image", "datatype": "UINT8", "shape": picture.shape}
    head: dict[str, Any] = {"inputs": [text, image], "outputs": [{"name": name} for name in OUTPUTS]}
    if parameters:
        head["parameters"] = parameters
    if not binary:
        text["data"], image["data"] = [language], [*picture.rgb]
        return json.dumps(head).encode(), {"content-type": "application/json"}
    packed = _packed(language)
    text["parameters"] = {"binary_data_size": len(packed)}
    image["parameters"] = {"binary_data_size": len(picture.rgb)}
    for output in head["outputs"]:
        output["parameters"] = {"binary_data": True}
    encoded = json.dumps(head).encode()
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(encoded))}
    return encoded + packed + picture.rgb, headers


def _of_http(response: httpx.Response) -> Lines:
    length = response.headers.get("inference-header-content-length")
    head = json.loads(response.content[: int(length) if length else None])
    at = int(length or 0)
    found: dict[str, Any] = {}
    for output in head["outputs"]:
        if (size := (output["parameters"] or {}).get("binary_data_size")) is None:
            found[output["name"]] = output["data"]
        else:
            found[output["name"]] = _unpacked(output["datatype"], response.content[at : at + size])
            at += size
    assert length is None or at == len(response.content), "bytes are left over"
    return _lines(found, response.headers["x-request-id"], [output["shape"] for output in head["outputs"]])


def _of_grpc(answer: pb.ModelInferResponse, request_id: str) -> Lines:
    found: dict[str, Any] = {}
    for number, output in enumerate(answer.outputs):
        if answer.raw_output_contents:
            found[output.name] = _unpacked(output.datatype, answer.raw_output_contents[number])
        elif output.datatype == "FP32":
            found[output.name] = list(output.contents.fp32_contents)
        else:
            found[output.name] = [text.decode() for text in output.contents.bytes_contents]
    return _lines(found, request_id, [list(output.shape) for output in answer.outputs])


def _lines(found: dict[str, Any], request_id: str, shapes: list[list[int]]) -> Lines:
    assert tuple(found) == OUTPUTS
    edges = found["boxes"]
    corners = [edges[at : at + 8] for at in range(0, len(edges), 8)]
    boxes = [(min(box[::2]), min(box[1::2]), max(box[::2]), max(box[1::2])) for box in corners]
    count = len(found["txts"])
    assert shapes == [[count, 4, 2], [count], [count]]
    return Lines(boxes, found["txts"], found["scores"], request_id, shapes)


def _packed(text: str) -> bytes:
    return struct.pack("<I", len(text.encode())) + text.encode()


def _unpacked(datatype: str, raw: bytes) -> list[Any]:
    if datatype == "FP32":
        return list(struct.unpack(f"<{len(raw) // 4}f", raw))
    texts = []
    while raw:
        (size,) = struct.unpack_from("<I", raw)
        texts.append(raw[4 : 4 + size].decode())
        raw = raw[4 + size :]
    return texts
