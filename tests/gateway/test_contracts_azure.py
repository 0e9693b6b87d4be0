"""The life of an operation of Azure Document Intelligence, which is a job."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

import httpx
import pytest

from tests.contracts import CONTRACTS, azure_cause, operation
from tests.documents import make
from tests.documents.stand_in import Verdict, until
from tests.gateway.conftest import PDF, PICTURE, StoodIn

AZURE = CONTRACTS["azure"]
OVERLOADED: Verdict = 429, {"error": "full", "code": "overloaded"}, {"Retry-After": "1"}
DAMAGED: Verdict = 422, {"error": "The picture is damaged.", "code": "damaged_image"}, {}
SOUND, BAD = 72, 144  # points of width
PIXELS = 300 / 72


def begun(client: httpx.Client, data: bytes, **query: str) -> str:
    """Where the operation is."""
    answer = client.post(
        AZURE.path.partition("?")[0],
        params=query,
        content=data,
        headers={"content-type": "application/octet-stream"},
    )
    assert (answer.status_code, answer.content, answer.headers["retry-after"]) == (202, b"", "1")
    return answer.headers["operation-location"]


def missing(client: httpx.Client, where: str, method: str = "GET") -> None:
    answer = client.request(method, where)
    assert AZURE.outcome(client, answer).failure == (404, "not_found")


@pytest.mark.parametrize("prefix", ["documentintelligence", "formrecognizer"])
@pytest.mark.parametrize("model", ["prebuilt-read", "prebuilt-layout"])
def test_an_operation_is_where_paperless_looks_for_it(red: httpx.Client, prefix: str, model: str) -> None:
    way = AZURE._replace(path=f"/{prefix}/documentModels/{model}:analyze?api-version=2023-07-31")
    answer = red.send(way.request(red, PICTURE))
    where = answer.headers["operation-location"]
    start = re.escape(f"{str(red.base_url).rstrip('/')}/{prefix}/documentModels/{model}/analyzeResults/")
    assert re.fullmatch(start + r"[0-9a-f]{32}\?api-version=2023-07-31&\S+", where)
    result = operation(red, where).json()["analyzeResult"]
    assert (result["apiVersion"], result["modelId"]) == ("2023-07-31", model)


def test_an_operation_and_its_pdf_until_they_are_removed(red: httpx.Client, blue: httpx.Client) -> None:
    where = begun(
        red, PDF, output="pdf", stringIndexType="utf16CodeUnit", outputContentFormat="markdown", pages="2,1"
    )
    found = operation(red, where).json()
    assert found["status"] == "succeeded"
    times = [datetime.fromisoformat(found[name]) for name in ("createdDateTime", "lastUpdatedDateTime")]
    assert times == sorted(times)
    result = found["analyzeResult"]
    assert (result["stringIndexType"], result["contentFormat"]) == ("utf16CodeUnit", "markdown")
    assert "<!-- PageBreak -->" in result["content"]
    assert [(page["pageNumber"], page["unit"]) for page in result["pages"]] == [(2, "inch"), (1, "inch")]
    path = httpx.URL(where).path
    pdf = red.get(f"{path}/pdf")
    assert (pdf.status_code, pdf.headers["content-type"]) == (200, "application/pdf")
    assert pdf.content.startswith(b"%PDF-")
    for client, at in (
        (blue, path),
        (red, path.replace("read", "invoice")),
        (red, path[:-1]),
        (red, f"{path[:-1]}G"),
    ):
        missing(client, at)
        missing(client, f"{at}/pdf")
        missing(client, at, "DELETE")
    answer = red.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    missing(red, path)
    missing(red, f"{path}/pdf")
    missing(red, path, "DELETE")


def test_an_id_may_have_hyphens(red: httpx.Client) -> None:
    where = httpx.URL(begun(red, PICTURE)).path
    operation(red, where)
    start, _, found = where.rpartition("/")
    hyphens = "-".join((found[:8], found[8:12], found[12:16], found[16:20], found[20:]))
    assert red.get(f"{start}/{hyphens}").json()["status"] == "succeeded"


@pytest.mark.parametrize("host", ["bad host", "a/b", "user@host"])
def test_a_bad_host_stores_nothing(red: httpx.Client, host: str) -> None:
    before = len(red.get("/gateway/jobs").json()["jobs"])
    found = AZURE.read(red, PICTURE, {"host": host})
    assert found.failure == (400, "bad_request")
    assert len(red.get("/gateway/jobs").json()["jobs"]) == before


@pytest.fixture
def waiting(stood_in: StoodIn) -> Iterator[StoodIn]:
    """The model server refuses every page, until the test lets it read."""
    stood_in.server.verdict = lambda _width, _times: OVERLOADED
    yield stood_in
    stood_in.server.verdict = lambda _width, _times: None


def pages(*widths: float) -> bytes:
    return make.joined(*(make.sized(width, 50) for width in widths))


def test_an_operation_runs_while_the_model_server_is_busy(waiting: StoodIn) -> None:
    client = waiting.client
    where = begun(client, pages(SOUND))
    until(lambda: waiting.server.calls)
    answer = client.get(where)
    assert (answer.json()["status"], answer.headers["retry-after"]) == ("running", "1")
    assert "analyzeResult" not in answer.json()
    pdf = client.get(f"{httpx.URL(where).path}/pdf")
    assert AZURE.outcome(client, pdf).failure == (409, "not_finished")
    assert "ndjson" not in pdf.text
    waiting.server.verdict = lambda _width, _times: None
    assert operation(client, where).json()["status"] == "succeeded"


def test_a_running_operation_can_be_removed(waiting: StoodIn) -> None:
    where = begun(waiting.client, pages(SOUND))
    until(lambda: waiting.server.calls)
    assert waiting.client.delete(where).status_code == 204
    missing(waiting.client, where)


@pytest.mark.parametrize(
    ("widths", "named"),
    [
        ([SOUND, BAD, SOUND, BAD], "Pages 2, 4: The picture is damaged."),
        ([BAD], "Page 1: The picture is damaged."),
    ],
)
def test_pages_that_cannot_be_read_are_named(stood_in: StoodIn, widths: list[float], named: str) -> None:
    """The operation fails: clients would take a content without them for the whole."""
    stood_in.server.verdict = lambda width, _times: DAMAGED if width == BAD * PIXELS else None
    answer = operation(stood_in.client, begun(stood_in.client, pages(*widths), output="pdf"))
    found = answer.json()
    assert (answer.status_code, found["status"]) == (200, "failed")
    assert "analyzeResult" not in found
    assert azure_cause(found["error"]) == ("pages_failed", f"Some pages could not be read. {named}")
    path = httpx.URL(str(answer.url)).path
    pdf = AZURE.outcome(stood_in.client, stood_in.client.get(f"{path}/pdf"))
    assert (pdf.failure, pdf.text) == ((422, "pages_failed"), f"Some pages could not be read. {named}")
