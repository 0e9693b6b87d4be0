"""docling's `kserve_v2_ocr`: tensors in, lines out, over HTTP and gRPC."""

from __future__ import annotations

import base64

import grpc
import httpx
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from PIL import Image, ImageDraw

from tests.conftest import Pair
from tests.pictures import render
from tests.tensor_calls import (
    TRANSPORTS,
    Client,
    Picture,
    Refused,
    http_call,
    infer_request,
    stub,
    tensor_of,
    white,
)


@pytest.fixture(params=TRANSPORTS)
def client(request: pytest.FixtureRequest, pair: Pair) -> Client:
    return Client(pair.model, request.param)


def refusal(status: str) -> int | str:
    return {"INVALID_ARGUMENT": 400, "NOT_FOUND": 404}[status]


def is_refused(client: Client, error: Refused, status: str) -> bool:
    return error.status == (status if client.transport.startswith("grpc") else refusal(status))


def darkest(image: Image.Image) -> int:
    return min(image.tobytes())


def test_lines_of_a_page_and_the_boxes_around_them(client: Client, page: render.Picture) -> None:
    lines = client.read(tensor_of(page.image))
    assert lines.texts == page.text.splitlines()
    assert all(0.5 < score <= 1 for score in lines.scores)
    rest = page.image.copy()
    for left, top, right, bottom in lines.boxes:
        assert darkest(page.image.crop((int(left), int(top), int(right), int(bottom)))) < 64, "ink"
        ImageDraw.Draw(rest).rectangle((left - 2, top - 2, right + 2, bottom + 2), fill=255)
    assert darkest(rest) > 128, "no ink is outside of the boxes"


def test_a_blank_page_has_no_lines(client: Client) -> None:
    lines = client.read(white(300, 200))
    assert (lines.texts, lines.shapes) == ([], [[0, 4, 2], [0], [0]])


def test_the_words_are_those_of_v1(client: Client, page: render.Picture, page_png: bytes, pair: Pair) -> None:
    sent = {"instances": [{"image": {"b64": base64.b64encode(page_png).decode()}}]}
    url = f"{pair.model.url}/v1/models/ocr-model:predict"
    (result,) = httpx.post(url, json=sent, timeout=60, trust_env=False).json()["predictions"]
    assert client.read(tensor_of(page.image)).texts == [line for line in result["text"].splitlines() if line]


def test_one_version(client: Client, label: render.Picture) -> None:
    assert client.read(tensor_of(label.image), version="1").texts == label.text.splitlines()
    with pytest.raises(Refused) as refused:
        client.read(tensor_of(label.image), version="2")
    assert is_refused(client, refused.value, "NOT_FOUND")
    assert refused.value.text == "The model has one version, 1."


def test_one_model(client: Client, label: render.Picture) -> None:
    with pytest.raises(Refused) as refused:
        client.read(tensor_of(label.image), model="ocr")
    assert is_refused(client, refused.value, "NOT_FOUND")


@pytest.mark.parametrize("language", ["latin", "en", "deu", "german"])
def test_names_of_languages(client: Client, label: render.Picture, language: str) -> None:
    assert client.read(tensor_of(label.image), language).texts == label.text.splitlines()


@pytest.mark.parametrize("language", ["klingon", "arabic", ""])
def test_an_unknown_language_is_an_error(client: Client, label: render.Picture, language: str) -> None:
    with pytest.raises(Refused) as refused:
        client.read(tensor_of(label.image), language)
    assert is_refused(client, refused.value, "INVALID_ARGUMENT")
    assert refused.value.code == "unknown_language"
    assert refused.value.text.startswith("Languages offered here: ")


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (Picture(bytes(300), [10, 10, 3]), "image takes the shape [1, height, width, 3], not [10, 10, 3]."),
        (Picture(bytes(299), [1, 10, 10, 3]), "image has 299 bytes, and its shape says 300."),
    ],
)
def test_a_wrong_shape(client: Client, picture: Picture, said: str) -> None:
    with pytest.raises(Refused) as refused:
        client.read(picture)
    assert is_refused(client, refused.value, "INVALID_ARGUMENT")
    assert refused.value.code == "bad_request"
    if client.transport != "http in json":  # KServe itself compares shape and data there
        assert refused.value.text == said


def test_parameters_are_those_of_v2(pair: Pair, label: render.Picture) -> None:
    read = Client(pair.model, "http").read
    assert read(tensor_of(label.image), parameters={"psm": 6}).texts
    with pytest.raises(Refused) as refused:
        read(tensor_of(label.image), parameters={"psm": 0})
    assert refused.value.code == "bad_psm"


def test_a_body_without_the_length_of_its_json(model: httpx.Client, label: render.Picture) -> None:
    body, _ = http_call(tensor_of(label.image))
    response = model.post(
        "/v2/models/ocr-model/infer", content=body, headers={"content-type": "application/octet-stream"}
    )
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")
    assert "Inference-Header-Content-Length" in response.json()["error"]


def test_a_body_in_chunks(model: httpx.Client, label: render.Picture) -> None:
    body, headers = http_call(tensor_of(label.image))
    pieces = (body[at : at + 1000] for at in range(0, len(body), 1000))
    response = model.post("/v2/models/ocr-model/versions/1/infer", content=pieces, headers=headers)
    assert response.status_code == 200


def test_each_call_is_counted_and_logged_with_its_id(client: Client, pair: Pair, label: render.Picture) -> None:
    def count() -> float:
        text = httpx.get(f"{pair.model.url}/metrics", trust_env=False).text
        return float(text.partition("\nkserve_inference_request_count ")[2].partition("\n")[0])

    before = count()
    lines = client.read(tensor_of(label.image))
    assert count() == before + 1
    assert f'"request_id":"{lines.request_id}"' in pair.model_log.read_text()


def test_grpc_tells_readiness_and_nothing_that_kserve_would_let_everyone_do(pair: Pair) -> None:
    with stub(pair.model) as service:
        assert service.ServerLive(pb.ServerLiveRequest(), timeout=10).live
        assert service.ServerReady(pb.ServerReadyRequest(), timeout=10).ready
        assert service.ModelReady(pb.ModelReadyRequest(name="ocr-model", version="1"), timeout=10).ready
        assert not service.ModelReady(pb.ModelReadyRequest(name="ocr"), timeout=10).ready
        for name, sent in (
            ("RepositoryModelUnload", pb.RepositoryModelUnloadRequest(model_name="ocr-model")),
            ("RepositoryModelLoad", pb.RepositoryModelLoadRequest(model_name="ocr-model")),
            ("ServerMetadata", pb.ServerMetadataRequest()),
        ):
            with pytest.raises(grpc.RpcError) as failed:
                getattr(service, name)(sent, timeout=10)
            assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert service.ModelReady(pb.ModelReadyRequest(name="ocr-model"), timeout=10).ready


def test_grpc_takes_the_client_s_request_id(pair: Pair) -> None:
    with stub(pair.model) as service:
        sent = infer_request(tensor_of(Image.new("L", (50, 50), 255)))
        _, call = service.ModelInfer.with_call(sent, timeout=60, metadata=(("x-request-id", "mine"),))
    assert dict(call.trailing_metadata())["request-id"] == "mine"


def test_a_message_that_is_no_request(pair: Pair) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{pair.model.grpc_port}") as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        with pytest.raises(grpc.RpcError) as failed:
            call(b"\xff\xff\xff", timeout=10)
    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
