"""The KServe V1 protocol, as its clients know it."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.pictures import render

URL = "/v1/models/ocr-model:predict"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def instance(data: bytes, **parameters: Any) -> dict[str, Any]:
    return {"image": {"b64": b64(data)}, **({"parameters": parameters} if parameters else {})}


def test_one_prediction_an_instance_in_order(model: httpx.Client, label_png: bytes, page_png: bytes) -> None:
    response = model.post(URL, json={"instances": [instance(label_png), instance(page_png), instance(label_png)]})
    assert response.status_code == 200
    first, second, third = response.json()["predictions"]
    assert (first["width"], first["height"]) == (300, 100)
    assert (second["width"], second["height"]) == (640, 480)
    assert first["text"] == third["text"] != second["text"]


def test_what_a_prediction_holds(model: httpx.Client, label_png: bytes) -> None:
    (found,) = model.post(URL, json={"instances": [instance(label_png)]}).json()["predictions"]
    assert set(found) == {
        "text", "confidence", "width", "height", "format", "page_count", "words", "engine",
        "decoding_seconds", "duration_seconds", "warnings", "rotation", "skew", "lines", "lines_read_again",
    }  # fmt: skip
    assert set(found["engine"]) == {"name", "tesseract", "languages", "traineddata", "neural"}
    assert set(found["words"][0]) == {"text", "confidence", "bbox", "block", "paragraph", "line"}
    assert found["format"] == "png"
    assert 0 < found["confidence"] <= 100
    assert 0 < found["decoding_seconds"] < found["duration_seconds"] < 10


def test_parameters_reach_the_engine(model: httpx.Client, label_png: bytes) -> None:
    sent = {"instances": [instance(label_png, languages=["deu", "eng"], psm=6)]}
    (found,) = model.post(URL, json=sent).json()["predictions"]
    assert found["engine"]["languages"] == ["deu", "eng"]


@pytest.mark.parametrize("media_type", ["application/json", "application/json; charset=utf-8"])
def test_json_by_its_usual_names(model: httpx.Client, label_png: bytes, media_type: str) -> None:
    content = b'{"instances": [{"image": {"b64": "%b"}}]}' % base64.b64encode(label_png)
    assert model.post(URL, content=content, headers={"content-type": media_type}).status_code == 200


@pytest.mark.parametrize(("priority", "status"), [("document", 200), ("interactive", 200), ("urgent", 400)])
def test_a_call_may_step_back_behind_others(
    model: httpx.Client, label_png: bytes, priority: str, status: int
) -> None:
    answer = model.post(URL, json={"instances": [instance(label_png)]}, headers={"x-priority": priority})
    assert answer.status_code == status


GOOD = {"image": {"b64": b64(b"\x89PNG\r\n\x1a\n")}}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "bad_request"),
        (b"", 400, "bad_request"),
        (b"\xff\xfe", 400, "bad_request"),
        (b"null", 400, "bad_request"),
        (b'"text"', 400, "bad_request"),
        (b"[]", 400, "bad_request"),
        (b"{}", 400, "bad_request"),
        (b'{"instances": {}}', 400, "bad_request"),
        (b'{"instances": []}', 400, "bad_request"),
        (b'{"instances": [1]}', 400, "bad_request"),
        (b'{"instances": [{"image": "x"}]}', 400, "bad_request"),
        (b'{"instances": [{"image": {"b64": 1}}]}', 400, "bad_request"),
        (b'{"instances": [{"image": {"b64": "not base64!"}}]}', 400, "bad_request"),
        (b'{"instances": [{"image": {"b64": "\\u00e4\\u00f6"}}]}', 400, "bad_request"),
        (b'{"instances": [{"image": {"b64": "aGVsbG8="}}]}', 415, "not_an_image"),
        (b'{"instances": [{"image": {"b64": ""}}]}', 422, "empty_image"),
    ],
)
def test_bad_calls(model: httpx.Client, body: bytes, status: int, code: str) -> None:
    check_error(model.post(URL, content=body, headers={"content-type": "application/json"}), status, code)


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"psm": 0}, "bad_psm"),
        ({"psm": "6"}, "bad_psm"),
        ({"psm": True}, "bad_psm"),
        ({"psm": 14}, "bad_psm"),
        ({"languages": []}, "unknown_language"),
        ({"languages": ["xyz"]}, "unknown_language"),
        ({"languages": ["../eng"]}, "unknown_language"),
        ({"languages": [1]}, "unknown_language"),
        ({"languages": ["eng"] * 5}, "unknown_language"),
        ({"languages": "eng+xyz"}, "unknown_language"),
        ({"languages": ["osd"]}, "unknown_language"),
        ({"languages": ["auto", "eng"]}, "unknown_language"),
        ({"engine": "tesserocr"}, "bad_engine"),
        ({"engine": ["neural"]}, "bad_engine"),
        ({"engine": True}, "bad_engine"),
        ({"orientation": "up"}, "bad_request"),
        ({"orientation": ["auto"]}, "bad_request"),
    ],
)
def test_bad_parameters(model: httpx.Client, parameters: dict[str, Any], code: str) -> None:
    check_error(model.post(URL, json={"instances": [{**GOOD, "parameters": parameters}]}), 400, code)


@pytest.mark.parametrize(
    "written",
    [
        lambda data: base64.encodebytes(data).decode(),
        lambda data: base64.encodebytes(data).replace(b"\n", b"\r\n").decode(),
        lambda data: f"data:image/png;base64,{b64(data)}",
        lambda data: base64.urlsafe_b64encode(data).decode(),
        lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
    ],
    ids=["lines", "lines of DOS", "data URL", "URL alphabet", "URL alphabet without padding"],
)
def test_base64_as_programs_write_it(
    model: httpx.Client, label: render.Picture, written: Callable[[bytes], str]
) -> None:
    file = io.BytesIO()
    label.image.save(file, "PNG", compress_level=0)  # has each character of the alphabet
    sent = {"instances": [{"image": {"b64": written(file.getvalue())}}]}
    (found,) = model.post(URL, json=sent).json()["predictions"]
    assert found["text"].split() == label.text.split()


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("aGVsbG8%", "'%' at 7"),
        ("aGVs=bG8", "'=' at 4"),
        ("aGVsbG8=aGVsbG8=", "'=' at 7"),
        ("aGVsb", "cut short"),
        ("aGVsbG8", "padding"),
        ("aGVs bG8=", "' ' at 4"),
        ("data:image/png,aGVs", ";base64"),
        ("aGVs\u00e4", "'\u00e4' at 4"),
    ],
)
def test_the_refusal_says_what_is_wrong_with_base64(model: httpx.Client, written: str, why: str) -> None:
    answer = model.post(URL, json={"instances": [{"image": {"b64": written}}]})
    assert answer.status_code == 400
    assert "instances[0] is not base64: " in answer.json()["error"]
    assert why in answer.json()["error"]


@pytest.mark.parametrize("languages", ["eng+deu", "eng,deu", "eng deu"])
def test_languages_in_one_text(model: httpx.Client, label_png: bytes, languages: str) -> None:
    (found,) = model.post(URL, json={"instances": [instance(label_png, languages=languages)]}).json()[
        "predictions"
    ]
    assert found["engine"]["languages"] == ["eng", "deu"]


def test_too_many_instances(model: httpx.Client) -> None:
    check_error(model.post(URL, json={"instances": [GOOD] * 9}), 400, "bad_request")


def test_one_bad_instance_fails_the_call(model: httpx.Client, label_png: bytes) -> None:
    sent = {"instances": [instance(label_png), instance(label_png[:200])]}
    check_error(model.post(URL, json=sent), 422, "damaged_image")


def test_another_media_type(model: httpx.Client) -> None:
    check_error(
        model.post(URL, content=b"x", headers={"content-type": "image/png"}), 415, "unsupported_media_type"
    )


def test_an_unknown_model(model: httpx.Client) -> None:
    check_error(model.post("/v1/models/other:predict", json={"instances": [GOOD]}), 404, "not_found")
    check_error(model.get("/v1/models/other"), 404, "not_found")


def test_metadata(model: httpx.Client) -> None:
    assert model.get("/v1/models").json() == {"models": ["ocr-model"]}
    assert model.get("/v1/models/ocr-model").json() == {"name": "ocr-model", "ready": True}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/repository/models/ocr-model/unload"),
        ("POST", "/v2/repository/models/ocr-model/load"),
        ("POST", "/v1/models/ocr-model:explain"),
        ("GET", "/openapi.json"),
        ("GET", "/docs"),
    ],
)
def test_what_kserve_opens_and_we_close(model: httpx.Client, method: str, path: str) -> None:
    check_error(model.request(method, path, json={"instances": [GOOD]}), 404, "not_found")
    assert model.get("/v1/models/ocr-model").status_code == 200


def check_error(response: httpx.Response, status: int, code: str) -> None:
    found = response.json()
    assert (response.status_code, found["code"]) == (status, code)
    assert set(found) == {"error", "code", "request_id"}
    assert found["error"]
    assert found["request_id"] == response.headers["x-request-id"]
