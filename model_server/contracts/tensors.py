"""V2's tensors and their raw bytes, as the binary extension and gRPC send them.

A BYTES element is a length of four bytes (little-endian), then the bytes. Numbers are little-endian too.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from service_kit.errors import BadRequest

Buffer = bytes | bytearray | memoryview

LENGTH_HEADER = "inference-header-content-length"
MAX_HEADER_BYTES = 64 * 1024  # of the JSON in front of the raw bytes
_LENGTH = struct.Struct("<I")
_MOST_DIMENSIONS = 8
_LARGEST_DIMENSION = 1 << 31


class Tensor(NamedTuple):
    name: str
    datatype: str
    shape: tuple[int, ...]
    raw: memoryview

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    def texts(self) -> list[bytes]:
        """The elements of a BYTES tensor.

        Raises:
            BadRequest: the raw bytes are not as many elements as the shape says.
        """
        found: list[bytes] = []
        at = 0
        while at < len(self.raw) and len(found) <= self.elements:
            end = at + _LENGTH.size
            if end > len(self.raw) or (size := _LENGTH.unpack_from(self.raw, at)[0]) > len(self.raw) - end:
                raise BadRequest(f"The data of {self.name} end within an element.")
            found.append(bytes(self.raw[end : end + size]))
            at = end + size
        if len(found) != self.elements:
            raise BadRequest(f"{self.name} does not have {self.elements} elements, as its shape says.")
        return found


class OutputTensor(NamedTuple):
    """`data` are numbers or texts in the order of the shape, not nested."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: Sequence[float] | Sequence[str]

    def raw(self) -> bytes:
        if self.datatype == "FP32":
            return struct.pack(f"<{len(self.data)}f", *self.data)
        return pack_texts(text.encode() for text in self.data if isinstance(text, str))


@dataclass(frozen=True, slots=True)
class InferCall:
    """A call of a model: inputs by name, and the outputs that are wanted, in order; `binary` as raw bytes."""

    inputs: Mapping[str, Tensor]
    outputs: tuple[str, ...] = ()  # none: all
    binary: frozenset[str] | None = None  # names of outputs; None: all
    parameters: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""

    def chosen(self, outputs: Iterable[OutputTensor]) -> list[OutputTensor]:
        """The outputs that the call wants, in its order.

        Raises:
            BadRequest: there is no such output.
        """
        found = {output.name: output for output in outputs}
        if unknown := [name for name in self.outputs if name not in found]:
            raise BadRequest(f"There is no output {unknown[0]}. There are: {', '.join(found)}.")
        return [found[name] for name in self.outputs] if self.outputs else list(found.values())


def pack_texts(texts: Iterable[bytes]) -> bytes:
    return b"".join(_LENGTH.pack(len(text)) + text for text in texts)


def decode(body: Buffer, header_bytes: int) -> InferCall:
    """A body of the binary extension: JSON of `header_bytes`, then the raw bytes of the tensors, which stay there.

    Raises:
        BadRequest.
    """
    if not 0 < header_bytes <= min(len(body), MAX_HEADER_BYTES):
        raise BadRequest(
            f"Inference-Header-Content-Length takes the bytes of the JSON in front of the tensors, at most "
            f"{MAX_HEADER_BYTES}, not {header_bytes}."
        )
    view = memoryview(body).toreadonly()
    try:
        header = orjson.loads(view[:header_bytes])
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The JSON in front of the tensors is damaged: {error}.") from None
    if not isinstance(header, dict):
        raise BadRequest("The JSON in front of the tensors takes an object.")
    inputs: dict[str, Tensor] = {}
    at = header_bytes
    for given in _objects(header, "inputs"):
        size = _parameters(given).get("binary_data_size")
        if size is None:
            raw = memoryview(_raw_of_json(given))
        elif isinstance(size, int) and 0 <= size <= len(view) - at:
            raw = view[at : at + size]
            at += size
        else:
            raise BadRequest(f"binary_data_size is {size}, and {len(view) - at} bytes follow.")
        add(inputs, given.get("name"), given.get("datatype"), given.get("shape"), raw)
    if at != len(view):
        raise BadRequest(f"{len(view) - at} bytes are left over behind the tensors.")
    wanted = _objects(header, "outputs")
    names = tuple(_text(output.get("name"), "The name of an output") for output in wanted)
    parameters = _parameters(header)
    binary = frozenset(
        name for name, output in zip(names, wanted, strict=True) if _parameters(output).get("binary_data") is True
    )
    every = parameters.get("binary_data_output") is True
    return InferCall(inputs, names, None if every else binary, parameters, _text(header.get("id", ""), "id"))


def encode(call: InferCall, model: str, version: str, outputs: Iterable[OutputTensor]) -> tuple[int | None, bytes]:
    """The body of an answer, and the length of its JSON; None without raw bytes."""
    raws, described = [], []
    for output in outputs:
        entry = {"name": output.name, "datatype": output.datatype, "shape": output.shape}
        if call.binary is None or output.name in call.binary:
            raws.append(output.raw())
            described.append({**entry, "parameters": {"binary_data_size": len(raws[-1])}})
        else:
            described.append({**entry, "data": output.data})
    header = orjson.dumps({"model_name": model, "model_version": version, "id": call.id, "outputs": described})
    return len(header) if raws else None, b"".join([header, *raws])


def add(inputs: dict[str, Tensor], name: Any, datatype: Any, shape: Any, raw: Buffer) -> None:
    """Check what a client says about a tensor, and keep it.

    Raises:
        BadRequest.
    """
    name = _text(name, "The name of an input")
    if name in inputs:
        raise BadRequest(f"The input {name} is there twice.")
    if (
        not isinstance(shape, (list, tuple))
        or len(shape) > _MOST_DIMENSIONS
        or not all(type(size) is int and 0 <= size < _LARGEST_DIMENSION for size in shape)
    ):
        raise BadRequest(f"The shape of {name} takes up to {_MOST_DIMENSIONS} whole numbers.")
    datatype = _text(datatype, f"The datatype of {name}")
    inputs[name] = Tensor(name, datatype, tuple(shape), memoryview(raw))


def raw_of(datatype: Any, data: Any) -> bytes:
    """Raw bytes of JSON's `data`, nested or not, of BYTES or UINT8.

    Raises:
        BadRequest.
    """
    if not isinstance(data, list):
        raise BadRequest("The data of a tensor take a list.")
    try:
        if datatype == "BYTES":
            return pack_texts(item if isinstance(item, bytes) else item.encode() for item in _flat(data))
        if datatype == "UINT8":
            return bytes(_flat(data) if data and isinstance(data[0], list) else data)
    except (AttributeError, TypeError, ValueError):
        raise BadRequest(f"The data of a tensor are not {datatype}.") from None
    raise BadRequest(f"A tensor takes BYTES or UINT8, not {datatype}.")


def _raw_of_json(given: Mapping[str, Any]) -> bytes:
    if "data" not in given:
        raise BadRequest("Each input takes data, or parameters.binary_data_size.")
    return raw_of(given.get("datatype"), given["data"])


def _flat(data: list[Any], depth: int = 0) -> list[Any]:
    if not any(isinstance(item, list) for item in data):
        return data
    if depth == _MOST_DIMENSIONS:
        raise BadRequest("The data of a tensor are nested too deeply.")
    if not all(isinstance(item, list) for item in data):
        raise BadRequest("The data of a tensor are nested unevenly.")
    return [element for item in data for element in _flat(item, depth + 1)]


def _objects(holder: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    found = holder.get(key, [])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise BadRequest(f"{key} takes a list of objects.")
    return found


def _parameters(holder: Mapping[str, Any]) -> dict[str, Any]:
    found = holder.get("parameters") or {}
    if not isinstance(found, dict):
        raise BadRequest("parameters takes an object.")
    return found


def _text(given: Any, what: str) -> str:
    if not isinstance(given, str):
        raise BadRequest(f"{what} takes a text.")
    return given
