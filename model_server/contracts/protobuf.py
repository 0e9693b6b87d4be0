"""V2's gRPC messages. A request is taken apart here, so that its pixels are neither copied nor made a list.

Field numbers are those of KServe's `grpc_predict_v2.proto`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from model_server.contracts.tensors import InferCall, OutputTensor, Tensor, add, pack_texts
from service_kit.errors import BadRequest

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
_MOST_FIELDS = 32  # of a message; docling's has ten
_INPUTS, _RAW_INPUTS = 5, 7  # of ModelInferRequest
_CONTENTS = 5  # of InferInputTensor
_UINT_CONTENTS = 4  # of InferTensorContents


class NamedCall(NamedTuple):
    """A call, and the model that it names."""

    model: str
    version: str
    call: InferCall


def decode(message: bytes) -> NamedCall:
    """A ModelInferRequest with raw or typed contents. Raw bytes stay where they are.

    Raises:
        BadRequest.
    """
    raws: list[memoryview] = []
    pixels: list[memoryview | None] = []  # of each input, uint_contents
    small: list[bytes] = []
    for field in _fields(memoryview(message)):
        if field.number == _RAW_INPUTS and field.content is not None:
            raws.append(field.content)
        elif field.number == _INPUTS and field.content is not None:
            tensor, found = _without_pixels(field.content)
            small.append(_field(_INPUTS, tensor))
            pixels.append(found)
        else:
            small.append(bytes(field.whole))
    try:
        request = pb.ModelInferRequest.FromString(b"".join(small))
    except Exception as error:  # protobuf's DecodeError, and UnicodeDecodeError
        raise BadRequest("The message is no ModelInferRequest.") from error
    if raws and len(raws) != len(request.inputs):
        raise BadRequest(f"The call has {len(request.inputs)} inputs and {len(raws)} raw_input_contents.")
    inputs: dict[str, Tensor] = {}
    for at, given in enumerate(request.inputs):
        raw = raws[at] if raws else memoryview(_typed(given, pixels[at]))
        add(inputs, given.name, given.datatype, tuple(given.shape), raw)
    call = InferCall(
        inputs,
        tuple(output.name for output in request.outputs),
        None if raws else frozenset(),
        {
            name: getattr(value, value.WhichOneof("parameter_choice") or "", None)
            for name, value in request.parameters.items()
        },
        request.id,
    )
    return NamedCall(request.model_name, request.model_version, call)


def encode(call: InferCall, model: str, version: str, outputs: Iterable[OutputTensor]) -> bytes:
    """A ModelInferResponse, with raw contents if the call had them."""
    answer = pb.ModelInferResponse(model_name=model, model_version=version, id=call.id)
    for output in outputs:
        made = answer.outputs.add(name=output.name, datatype=output.datatype, shape=output.shape)
        if call.binary is None:
            answer.raw_output_contents.append(output.raw())
        elif output.datatype == "FP32":
            made.contents.fp32_contents.extend(output.data)
        else:
            made.contents.bytes_contents.extend(str(text).encode() for text in output.data)
    return bytes(answer.SerializeToString())


class _Field(NamedTuple):
    """`content` is None unless the field is of bytes."""

    number: int
    content: memoryview | None
    whole: memoryview


def _fields(message: memoryview) -> Iterator[_Field]:
    at = count = 0
    while at < len(message):
        begin = at
        count += 1
        if count > _MOST_FIELDS:
            raise BadRequest(f"The message, or a part of it, has more than {_MOST_FIELDS} fields.")
        key, at = _varint(message, at)
        content = None
        kind = key & 7
        if kind == _VARINT:
            _, at = _varint(message, at)
        elif kind == _BYTES:
            size, at = _varint(message, at)
            content = message[at : at + size]
            at += size
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise BadRequest("The message is no protobuf.")
        if at > len(message):
            raise BadRequest("The message ends within a field.")
        yield _Field(key >> 3, content, message[begin:at])


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number, and where it ends."""
    value = 0
    for shift, byte in enumerate(message[at : at + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, at + shift + 1
    raise BadRequest("The message ends within a number.")


def _field(number: int, content: bytes) -> bytes:
    head = bytearray([number << 3 | _BYTES])
    size = len(content)
    while size >= 0x80:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + content


def _without_pixels(tensor: memoryview) -> tuple[bytes, memoryview | None]:
    """An InferInputTensor without its packed `uint_contents`, and these."""
    kept: list[bytes] = []
    pixels = None
    for field in _fields(tensor):
        if field.number != _CONTENTS or field.content is None:
            kept.append(bytes(field.whole))
            continue
        contents: list[bytes] = []
        for inner in _fields(field.content):
            if inner.number == _UINT_CONTENTS and inner.content is not None and pixels is None:
                pixels = inner.content
            else:
                contents.append(bytes(inner.whole))
        kept.append(_field(_CONTENTS, b"".join(contents)))
    return b"".join(kept), pixels


def _typed(given: Any, pixels: memoryview | None) -> bytes:
    if given.datatype == "BYTES":
        return pack_texts(given.contents.bytes_contents)
    if given.datatype == "UINT8":
        if given.contents.uint_contents:
            raise BadRequest(f"The uint_contents of {given.name} are not packed.")
        return _octets(pixels or memoryview(b""))
    raise BadRequest(f"A tensor takes BYTES or UINT8, not {given.datatype}.")


def _octets(packed: memoryview) -> bytes:
    """Packed varints, all below 256: one from 128 on is followed by a 1, which belongs to it."""
    numbers = np.frombuffer(packed, np.uint8)
    follows = np.zeros(len(numbers), bool)
    follows[1:] = numbers[:-1] >= 0x80
    if (len(numbers) and numbers[-1] >= 0x80) or (numbers[follows] != 1).any():
        raise BadRequest("A UINT8 tensor takes numbers from 0 to 255.")
    return numbers[~follows].tobytes()
