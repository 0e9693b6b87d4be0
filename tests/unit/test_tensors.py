"""V2's tensors in a body of the binary extension and in a gRPC message: what is taken, what is refused."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from model_server.contracts import protobuf, tensors
from model_server.contracts.tensors import InferCall, OutputTensor
from service_kit.errors import BadRequest

PIXELS = bytes(range(256)) * 3
LANG = struct.pack("<I", 7) + b"english"
INPUTS = [
    {"name": "lang_type", "shape": [1, 1], "datatype": "BYTES", "parameters": {"binary_data_size": len(LANG)}},
    {
        "name": "image",
        "shape": [1, 16, 16, 3],
        "datatype": "UINT8",
        "parameters": {"binary_data_size": len(PIXELS)},
    },
]
OUTPUTS = [
    OutputTensor("boxes", "FP32", (1, 2), (1.5, 2.0)),
    OutputTensor("txts", "BYTES", (2,), ("Grüße", "")),
]


def body(head: Any, rest: bytes = LANG + PIXELS) -> tuple[bytes, int]:
    encoded = json.dumps(head).encode()
    return encoded + rest, len(encoded)


def message(**more: Any) -> bytes:
    inputs = [
        {"name": "lang_type", "datatype": "BYTES", "shape": [1, 1]},
        {"name": "image", "datatype": "UINT8", "shape": [1, 16, 16, 3]},
    ]
    sent = {"model_name": "ocr-model", "inputs": inputs, "raw_input_contents": [LANG, PIXELS], **more}
    return bytes(pb.ModelInferRequest(**sent).SerializeToString())


def test_tensors_stay_in_the_body() -> None:
    sent, length = body({"inputs": INPUTS, "id": "mine"})
    call = tensors.decode(sent, length)
    assert call.id == "mine"
    assert call.inputs["lang_type"].texts() == [b"english"]
    assert call.inputs["image"].raw == PIXELS
    assert call.inputs["image"].raw.obj is sent, "6 MB of pixels are not copied"


def test_data_in_json_beside_raw_bytes() -> None:
    inputs = [{"name": "lang_type", "shape": [1, 1], "datatype": "BYTES", "data": [["english"]]}, INPUTS[1]]
    call = tensors.decode(*body({"inputs": inputs}, PIXELS))
    assert call.inputs["lang_type"].texts() == [b"english"]


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ([], "takes an object"),
        ({"inputs": {}}, "inputs takes a list of objects"),
        ({"inputs": [1]}, "inputs takes a list of objects"),
        ({"inputs": [{**INPUTS[0], "name": 1}, INPUTS[1]]}, "The name of an input takes a text"),
        ({"inputs": [INPUTS[1], {**INPUTS[0], "name": "image"}]}, "is there twice"),
        ({"inputs": [{**INPUTS[0], "shape": [-1]}, INPUTS[1]]}, "The shape of lang_type"),
        ({"inputs": [{**INPUTS[0], "shape": [True]}, INPUTS[1]]}, "The shape of lang_type"),
        ({"inputs": [{**INPUTS[0], "shape": [1.0]}, INPUTS[1]]}, "The shape of lang_type"),
        ({"inputs": [{**INPUTS[0], "datatype": None}, INPUTS[1]]}, "The datatype of lang_type"),
        ({"inputs": [{**INPUTS[0], "parameters": {"binary_data_size": 10**9}}]}, "bytes follow"),
        ({"inputs": [{**INPUTS[0], "parameters": {"binary_data_size": -1}}]}, "bytes follow"),
        ({"inputs": [{**INPUTS[0], "parameters": {"binary_data_size": "11"}}]}, "bytes follow"),
        ({"inputs": [{**INPUTS[0], "parameters": []}]}, "0 bytes|takes data|left over"),
        ({"inputs": [{**INPUTS[0], "parameters": 1}]}, "parameters takes an object"),
        ({"inputs": INPUTS[:1]}, "bytes are left over"),
        ({"inputs": INPUTS, "outputs": [{"name": 1}]}, "The name of an output"),
        ({"inputs": INPUTS, "id": 1}, "id takes a text"),
    ],
)
def test_a_wrong_head_is_refused_with_a_reason(head: Any, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        tensors.decode(*body(head))


@pytest.mark.parametrize("length", [0, -1, 2, 10**9, tensors.MAX_HEADER_BYTES + 1])
def test_a_wrong_length_of_the_head_is_refused(length: int) -> None:
    with pytest.raises(BadRequest):
        tensors.decode(body({"inputs": INPUTS})[0] + bytes(tensors.MAX_HEADER_BYTES), length)


@pytest.mark.parametrize(
    ("texts", "shape"),
    [(b"\x01\0\0\0", [1]), (LANG[:3], [1]), (LANG, [2]), (LANG * 2, [1]), (LANG + b"\xff", [2])],
)
def test_elements_that_do_not_fit_their_shape(texts: bytes, shape: list[int]) -> None:
    given = {"name": "t", "shape": shape, "datatype": "BYTES", "parameters": {"binary_data_size": len(texts)}}
    call = tensors.decode(*body({"inputs": [given]}, texts))
    with pytest.raises(BadRequest):
        call.inputs["t"].texts()


def test_outputs_as_the_client_wants_them() -> None:
    wanted = [{"name": "txts", "parameters": {"binary_data": True}}, {"name": "boxes"}]
    call = tensors.decode(*body({"inputs": INPUTS, "outputs": wanted, "id": "7"}))
    length, sent = tensors.encode(call, "m", "1", call.chosen(OUTPUTS))
    assert length is not None
    answer = json.loads(sent[:length])
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("m", "1", "7")
    assert [output["name"] for output in answer["outputs"]] == ["txts", "boxes"]
    raw = tensors.pack_texts(["Grüße".encode(), b""])
    assert answer["outputs"][0]["parameters"]["binary_data_size"] == len(raw) == len(sent) - length
    assert sent[length:] == raw, "no bytes are left over"
    assert (answer["outputs"][1]["shape"], answer["outputs"][1]["data"]) == ([1, 2], [1.5, 2.0])


@pytest.mark.parametrize(("asked", "raw"), [({}, False), ({"parameters": {"binary_data_output": True}}, True)])
def test_without_a_list_of_outputs_all_are_sent(asked: dict[str, Any], raw: bool) -> None:
    call = tensors.decode(*body({"inputs": INPUTS, **asked}))
    length, sent = tensors.encode(call, "m", "1", call.chosen(OUTPUTS))
    assert (length is not None) is raw
    assert len(json.loads(sent[:length])["outputs"]) == 2


def test_an_output_that_does_not_exist() -> None:
    call = tensors.decode(*body({"inputs": INPUTS, "outputs": [{"name": "words"}]}))
    with pytest.raises(BadRequest, match=r"no output words\. There are: boxes, txts"):
        call.chosen(OUTPUTS)


def test_raw_contents_stay_in_the_message() -> None:
    sent = message(outputs=[{"name": "txts"}], id="9", model_version="1")
    model, version, call = protobuf.decode(sent)
    assert (model, version, call.id, call.outputs) == ("ocr-model", "1", "9", ("txts",))
    assert call.inputs["lang_type"].texts() == [b"english"]
    assert call.inputs["image"].raw == PIXELS
    assert call.inputs["image"].raw.obj is sent


def test_typed_contents_are_the_same_call() -> None:
    inputs = [
        {"name": "lang_type", "datatype": "BYTES", "shape": [1, 1], "contents": {"bytes_contents": [b"english"]}},
        {"name": "image", "datatype": "UINT8", "shape": [1, 16, 16, 3], "contents": {"uint_contents": [*PIXELS]}},
    ]
    call = protobuf.decode(message(inputs=inputs, raw_input_contents=[])).call
    raw = protobuf.decode(message()).call
    assert call.inputs == raw.inputs
    assert (call.binary, raw.binary) == (frozenset(), None)


def test_parameters_of_a_message() -> None:
    parameters = {"psm": pb.InferParameter(int64_param=6), "engine": pb.InferParameter(string_param="auto")}
    assert protobuf.decode(message(parameters=parameters)).call.parameters == {"psm": 6, "engine": "auto"}


@pytest.mark.parametrize("numbers", [[256], [1, 300, 2], [128, 2**32 - 1]])
def test_numbers_that_are_no_bytes(numbers: list[int]) -> None:
    inputs = [{"name": "image", "datatype": "UINT8", "shape": [1], "contents": {"uint_contents": numbers}}]
    with pytest.raises(BadRequest, match="0 to 255"):
        protobuf.decode(message(inputs=inputs, raw_input_contents=[]))


def test_a_message_of_many_small_fields_is_refused_before_they_are_read() -> None:
    with pytest.raises(BadRequest, match="more than 32 fields"):
        protobuf.decode(b"\x1a\x00" * 1_000_000)


@pytest.mark.parametrize("raw", [True, False])
def test_an_answer_has_the_form_of_the_call(raw: bool) -> None:
    call = InferCall({}, binary=None if raw else frozenset(), id="3")
    answer = pb.ModelInferResponse.FromString(protobuf.encode(call, "m", "1", OUTPUTS))
    assert [(output.name, output.datatype, [*output.shape]) for output in answer.outputs] == [
        ("boxes", "FP32", [1, 2]),
        ("txts", "BYTES", [2]),
    ]
    if raw:
        assert [*answer.raw_output_contents] == [struct.pack("<2f", 1.5, 2.0), OUTPUTS[1].raw()]
    else:
        assert not answer.raw_output_contents
        assert [*answer.outputs[0].contents.fp32_contents] == [1.5, 2.0]
        assert [*answer.outputs[1].contents.bytes_contents] == ["Grüße".encode(), b""]


WORDS = ("inputs", "outputs", "name", "shape", "datatype", "data", "parameters", "binary_data_size", "id")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from([*INPUTS]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300)
@given(JSON, st.binary(max_size=20))
def test_any_json_is_read_or_refused(head: Any, rest: bytes) -> None:
    sent, length = body({"inputs": head} if not isinstance(head, dict) else head, rest)
    read_or_refuse(lambda: tensors.decode(sent, length))


@settings(max_examples=300)
@given(st.data())
def test_a_damaged_body_is_read_or_refused(data: st.DataObject) -> None:
    sent, length = body({"inputs": INPUTS})
    read_or_refuse(lambda: tensors.decode(damaged(data, sent), length))


@settings(max_examples=300)
@given(st.data())
def test_a_damaged_message_is_read_or_refused(data: st.DataObject) -> None:
    read_or_refuse(lambda: protobuf.decode(damaged(data, message())).call)


def damaged(data: st.DataObject, sent: bytes) -> bytes:
    """With another byte somewhere, or without the end; most of it is pixels, which are never wrong."""
    at = data.draw(st.one_of(st.integers(0, min(len(sent), 300) - 1), st.integers(0, len(sent) - 1)))
    if data.draw(st.booleans()):
        return sent[:at]
    return sent[:at] + bytes([data.draw(st.integers(0, 255))]) + sent[at + 1 :]


def read_or_refuse(decode: Any) -> None:
    try:
        call = decode()
        for tensor in call.inputs.values():
            tensor.texts()
    except BadRequest:
        pass
