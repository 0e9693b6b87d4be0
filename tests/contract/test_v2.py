"""The KServe V2 (open inference) protocol."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

URL = "/v2/models/ocr-model/infer"


def call(*images: bytes, **more: Any) -> dict[str, Any]:
    data = [base64.b64encode(image).decode() for image in images]
    return {"inputs": [{"name": "image", "shape": [len(data)], "datatype": "BYTES", "data": data}], **more}


def test_text_confidence_and_result_of_each_image(model: httpx.Client, label_png: bytes, page_png: bytes) -> None:
    answer = model.post(URL, json=call(label_png, page_png, id="mine")).json()
    assert (answer["id"], answer["model_name"]) == ("mine", "ocr-model")
    outputs = {output["name"]: output for output in answer["outputs"]}
    shapes = {name: (output["datatype"], output["shape"]) for name, output in outputs.items()}
    assert shapes == {"text": ("BYTES", [2]), "confidence": ("FP32", [2]), "result": ("BYTES", [2])}
    results = [json.loads(result) for result in outputs["result"]["data"]]
    assert [result["text"] for result in results] == outputs["text"]["data"]
    assert [result["confidence"] for result in results] == pytest.approx(outputs["confidence"]["data"])
    assert [result["width"] for result in results] == [300, 640]


def test_the_same_prediction_as_v1(model: httpx.Client, label_png: bytes) -> None:
    image = base64.b64encode(label_png).decode()
    v1 = model.post("/v1/models/ocr-model:predict", json={"instances": [{"image": {"b64": image}}]}).json()
    v2 = model.post(URL, json=call(label_png)).json()
    (first,) = v1["predictions"]
    second = json.loads(v2["outputs"][2]["data"][0])
    for result in (first, second):
        del result["duration_seconds"], result["decoding_seconds"]
    assert first == second


def test_parameters(model: httpx.Client, label_png: bytes) -> None:
    sent = call(label_png, parameters={"languages": "deu,eng", "psm": 6})
    result = json.loads(model.post(URL, json=sent).json()["outputs"][2]["data"][0])
    assert result["engine"]["languages"] == ["deu", "eng"]


def test_a_blank_page(model: httpx.Client, blank_png: bytes) -> None:
    outputs = model.post(URL, json=call(blank_png)).json()["outputs"]
    assert outputs[0]["data"] == [""]
    assert outputs[1]["data"] == [None]  # JSON has no NaN


def test_metadata_says_what_is_true(model: httpx.Client) -> None:
    found = model.get("/v2/models/ocr-model").json()
    assert found["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [-1]}]
    assert [(output["name"], output["datatype"]) for output in found["outputs"]] == [
        ("text", "BYTES"),
        ("confidence", "FP32"),
        ("result", "BYTES"),
    ]
    assert model.get("/v2/models/ocr-model/ready").json() == {"name": "ocr-model", "ready": True}


GOOD = call(b"\x89PNG\r\n\x1a\n")["inputs"][0]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"inputs": []},
        {"inputs": [{**GOOD, "name": "picture"}]},
        {"inputs": [{**GOOD, "datatype": "FP32", "data": [1.0]}]},
        {"inputs": [{**GOOD, "shape": [2]}]},
        {"inputs": [{**GOOD, "shape": [1, 1]}]},
        {"inputs": [{**GOOD, "data": []}]},
        {"inputs": [{**GOOD, "data": ["not base64!"]}]},
        {"inputs": [{**GOOD, "data": [1]}]},
        {"inputs": "x"},
    ],
)
def test_bad_calls(model: httpx.Client, body: dict[str, Any]) -> None:
    response = model.post(URL, json=body)
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")


def test_a_body_of_the_binary_extension_is_for_other_tensors(model: httpx.Client, label_png: bytes) -> None:
    head = json.dumps({"inputs": [{**GOOD, "data": None, "parameters": {"binary_data_size": len(label_png)}}]})
    response = model.post(
        URL,
        content=head.encode() + label_png,
        headers={"content-type": "application/octet-stream", "inference-header-content-length": str(len(head))},
    )
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")
    assert response.json()["error"] == "The call takes the inputs lang_type and image, not image."
