"""What clients of contracts get when there is too much work, no model server, or a page that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from scripts.services import Service, free_port
from tests.contracts import AT_ONCE, UPLOAD, WAYS, Outcome, Way, counts
from tests.documents import make
from tests.documents.stand_in import Verdict, until
from tests.faults.wire import Wire, head
from tests.gateway.conftest import PICTURE, StoodIn, client_of

ONCE = pytest.mark.parametrize("way", AT_ONCE.values(), ids=AT_ONCE)
BUSY: Verdict = 429, {"error": "full", "code": "overloaded"}, {"Retry-After": "7"}
DAMAGED: Verdict = 422, {"error": "The picture is damaged.", "code": "damaged_image"}, {}
CRASHED: Verdict = 503, {"error": "The page crashed its worker.", "code": "worker_crashed"}, {}
BAD_PIXELS = 600
OFFERED = ("azure", "mistral", "openwebui")
DOCUMENT = make.joined(make.sized(72, 50), make.sized(144, 50), make.sized(72, 50))


def told(way: Way, found: Outcome, status: int, code: str) -> None:
    assert found.failure == (status, None if way.contract == "tika" else code), found


@ONCE
def test_a_busy_model_server(stood_in: StoodIn, way: Way) -> None:
    stood_in.server.verdict = lambda _width, _times: BUSY
    found = way.read(stood_in.client, PICTURE)
    told(way, found, 429, "overloaded")
    assert found.headers["retry-after"] == "7"


@pytest.mark.parametrize("way", [*WAYS.values(), UPLOAD], ids=[*WAYS, "mistral, upload"])
def test_a_busy_gateway(stood_in: StoodIn, way: Way) -> None:
    client = stood_in.client
    with Wire(client.base_url.port or 0, head("/process", "Content-Length: 100", method="PUT") + b"x"):
        until(lambda: "\ngateway_in_flight 1.0\n" in client.get("/metrics").text)
        found = way.read(client, PICTURE)
        told(way, found, 429, "overloaded")
        assert int(found.headers["retry-after"]) >= 1
        answer = client.put("/meta", content=PICTURE)
        assert (answer.status_code, answer.content) == (429, b"")
        answer = client.put("/process", content=b"text", headers={"content-type": "text/plain"})
        assert answer.status_code == 429
    until(lambda: "\ngateway_in_flight 0.0\n" in client.get("/metrics").text)


@ONCE
def test_a_deadline_passes(stood_in: StoodIn, way: Way) -> None:
    stood_in.server.seconds = 30
    told(way, way.read(stood_in.client, PICTURE, {"x-request-timeout": "0.3"}), 504, "deadline_exceeded")
    until(lambda: not stood_in.server.at_once)


@pytest.mark.parametrize(
    ("name", "verdict", "status", "why"),
    [
        *((name, DAMAGED, 422, "The picture is damaged.") for name in AT_ONCE),
        *((name, CRASHED, 503, "The page crashed its worker.") for name in ("open webui", "tika")),
    ],
)
def test_a_page_that_cannot_be_read_is_named(
    stood_in: StoodIn, name: str, verdict: Verdict, status: int, why: str
) -> None:
    """The whole document is refused: its client would take a text without the page for all of it."""
    stood_in.server.verdict = lambda width, _times: verdict if width == BAD_PIXELS else None
    way = AT_ONCE[name]
    found = way.read(stood_in.client, DOCUMENT)
    told(way, found, status, "pages_failed")
    assert found.text == ("" if way.contract == "tika" else f"Some pages could not be read. Page 2: {why}")
    assert ("retry-after" in found.headers) is (status == 503)


def test_errors_are_counted_by_contract(stood_in: StoodIn) -> None:
    stood_in.server.verdict = lambda _width, _times: BUSY
    before = counts(stood_in.client)
    for way in AT_ONCE.values():
        way.read(stood_in.client, PICTURE)
    found = counts(stood_in.client) - before
    assert {key[1:] for key in found} == {(429, "overloaded")}
    assert found.total() == len(AT_ONCE)


@pytest.fixture(scope="module")
def alone() -> Iterator[httpx.Client]:
    """A gateway without a model server, without jobs, and with a few contracts."""
    env = {
        "MODEL_SERVER_URL": f"http://127.0.0.1:{free_port()}",
        "SHUTDOWN_DELAY_SECONDS": "0",
        "CONTRACTS": ",".join(OFFERED),
    }
    service = Service("api_gateway", "/health/live", {f"API_GATEWAY_{name}": value for name, value in env.items()})
    with service, client_of(service) as client:
        yield client


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_no_model_server_and_contracts_that_are_switched_off(alone: httpx.Client, way: Way) -> None:
    """Azure's operations are jobs."""
    is_there = way.contract in OFFERED and not way.asks_later
    status, code = (503, "model_server_unreachable") if is_there else (404, "not_found")
    told(way, way.read(alone, PICTURE), status, code)
    described = alone.get("/openapi.json").json()["paths"]
    start = f"/{way.path.split('/')[1]}/"
    assert bool([path for path in described if f"{path}/".startswith(start)]) is is_there


def test_files_of_mistral_need_jobs(alone: httpx.Client) -> None:
    told(UPLOAD, UPLOAD.read(alone, PICTURE), 404, "not_found")
    referred = alone.post("/v1/ocr", json={"document": {"document_url": f"{alone.base_url}v1/files/{32 * 'a'}"}})
    found = UPLOAD.outcome(alone, referred)
    told(UPLOAD, found, 400, "bad_request")
    assert "data URL" in found.text
    described = alone.get("/openapi.json").json()["paths"]
    assert not [path for path in described if path.startswith("/v1/files")]
