"""`engine` and `languages=auto` through both services, with the neural engine and without it."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api_gateway.schemas import Languages, OcrAnswer
from tests.conftest import Launch, Pair, png
from tests.pictures import german

URL = "/gateway/ocr"


@pytest.fixture(scope="module")
def lean(launch: Launch) -> Iterator[httpx.Client]:
    """A gateway whose model server has no neural engine, and two languages that requests may have."""
    with launch(model={"NEURAL": "false", "LANGUAGES": "eng,deu"}) as pair, client(pair) as found:
        yield found


def client(pair: Pair) -> httpx.Client:
    return httpx.Client(base_url=pair.gateway.url, timeout=60, trust_env=False)


def send(gateway: httpx.Client, image: bytes, **query: str) -> httpx.Response:
    return gateway.post(URL, files={"image_file": ("x", image)}, params=query)


def read(gateway: httpx.Client, image: bytes, **query: str) -> OcrAnswer:
    response = send(gateway, image, **query)
    assert response.status_code == 200, response.text
    return OcrAnswer.model_validate_json(response.content)


@pytest.mark.parametrize(
    ("engine", "tesseract", "neural"),
    [("tesseract", True, False), ("neural", False, True), ("auto", True, True)],
)
def test_the_engine_that_is_asked_for(
    gateway: httpx.Client, label_png: bytes, engine: str, *, tesseract: bool, neural: bool
) -> None:
    answer = read(gateway, label_png, engine=engine)
    model = answer.pages[0].model
    assert model is not None
    assert (model.engine, model.tesseract is not None, model.neural is not None) == (engine, tesseract, neural)
    assert answer.model == model


def test_v1_and_v2_take_the_engine(model: httpx.Client, label_png: bytes) -> None:
    image = base64.b64encode(label_png).decode()
    given = {"engine": "tesseract", "orientation": "off"}
    v1 = {"instances": [{"image": {"b64": image}, "parameters": given}]}
    (first,) = model.post("/v1/models/ocr-model:predict", json=v1).json()["predictions"]
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [image]}
    v2 = {"inputs": [tensor], "parameters": given}
    outputs = model.post("/v2/models/ocr-model/infer", json=v2).json()["outputs"]
    second = json.loads(outputs[2]["data"][0])
    assert first["engine"]["name"] == second["engine"]["name"] == "tesseract"


def test_without_the_neural_engine(lean: httpx.Client, label_png: bytes) -> None:
    assert (model := read(lean, label_png, engine="auto").model) is not None
    assert (model.engine, model.neural) == ("tesseract", None)
    refused = send(lean, label_png, engine="neural")
    assert (refused.status_code, refused.json()["code"]) == (400, "engine_unavailable")
    assert "auto, tesseract" in refused.json()["detail"]


def test_an_engine_that_does_not_exist(gateway: httpx.Client, label_png: bytes) -> None:
    refused = send(gateway, label_png, engine="pytesseract")
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_engine")


def test_a_language_of_the_other_engine(gateway: httpx.Client, label_png: bytes) -> None:
    refused = send(gateway, label_png, engine="tesseract", languages="fra")
    assert (refused.status_code, refused.json()["code"]) == (400, "unknown_language")
    assert "Only the neural engine reads fra" in refused.json()["detail"]
    assert (model := read(gateway, label_png, languages="fra").model) is not None
    assert (model.engine, model.languages, model.tesseract) == ("neural", ["fra"], None)


def test_the_engines_and_their_data_are_listed(gateway: httpx.Client, lean: httpx.Client) -> None:
    found = Languages.model_validate_json(gateway.get("/gateway/languages").content)
    assert (found.engine, found.engines) == ("auto", ["auto", "tesseract", "neural"])
    assert found.engines_of["eng"] == ["tesseract", "neural"]
    assert found.engines_of["fra"] == ["neural"]
    data = Path(sys.prefix) / "share" / "tessdata" / "deu.traineddata"
    assert found.tesseract.languages["deu"] == hashlib.sha256(data.read_bytes()).hexdigest()
    assert found.neural is not None
    assert found.neural.weights
    allowed = Languages.model_validate_json(lean.get("/gateway/languages").content)
    assert (allowed.languages, allowed.engines, allowed.neural) == (["deu", "eng"], ["auto", "tesseract"], None)


def test_the_setting_allows_languages_for_both_engines(launch: Launch, label_png: bytes) -> None:
    with launch(model={"LANGUAGES": "eng,fra"}) as pair, client(pair) as gateway:
        found = Languages.model_validate_json(gateway.get("/gateway/languages").content)
        assert found.engines_of == {"eng": ["tesseract", "neural"], "fra": ["neural"]}
        assert [*found.tesseract.languages] == ["eng"]
        for engine in ("auto", "tesseract", "neural"):
            refused = send(gateway, label_png, engine=engine, languages="deu")
            assert (refused.status_code, refused.json()["code"]) == (400, "unknown_language")
            assert languages(read(gateway, png(german.page()), engine=engine, languages="auto")) != ["deu"]


@pytest.mark.parametrize("engine", ["tesseract", "neural", "auto"])
def test_the_language_of_each_page_is_found(gateway: httpx.Client, page_png: bytes, engine: str) -> None:
    found = [
        languages(read(gateway, page, engine=engine, languages="auto")) for page in (page_png, png(german.page()))
    ]
    assert found == [["eng"], ["deu"]]


def test_the_language_is_one_that_is_allowed(lean: httpx.Client, page_png: bytes) -> None:
    text = read(lean, png(german.page()), languages="auto")
    assert languages(text) == ["deu"]
    assert text.text.split() == german.page().text.split()
    assert languages(read(lean, page_png, languages="auto")) == ["eng"]


def languages(answer: OcrAnswer) -> list[str] | Any:
    assert answer.model is not None
    return answer.model.languages
