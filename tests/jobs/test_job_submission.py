"""POST /gateway/jobs and `Prefer: respond-async`, over HTTP."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from api_gateway.jobs.schemas import BatchSchema, JobList, JobSchema
from tests.conftest import Launch, Pair
from tests.documents import make
from tests.jobs.over_http import JOBS, Tables, ended, submit, submitted, until

ONE, TWO, THREE = "one-one-one-one-one", "two-two-two-two-two", "three-three-three-three"
MIB = 1 << 20
HELLO = make.digital("Hello job")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return Tables(tmp_path_factory.mktemp("jobs"))


@pytest.fixture(scope="module")
def served(launch: Launch, tables: Tables) -> Iterator[Pair]:
    keys = f"scans:{ONE},scans:{TWO},{THREE}"
    with launch(gateway={"JOBS_DIR": str(tables.folder), "API_KEYS": keys, "JOBS_MAX_FILES": "5"}) as started:
        yield started


def client_of(served: Pair, key: str) -> httpx.Client:
    return httpx.Client(
        base_url=served.gateway.url, timeout=60, trust_env=False, headers={"authorization": f"Bearer {key}"}
    )


@pytest.fixture(scope="module")
def client(served: Pair) -> Iterator[httpx.Client]:
    with client_of(served, ONE) as opened:
        yield opened


@pytest.fixture(scope="module")
def other(served: Pair) -> Iterator[httpx.Client]:
    with client_of(served, THREE) as opened:
        yield opened


def test_a_document_becomes_a_job(client: httpx.Client) -> None:
    answer = submit(client, HELLO, format="text", ttl="60")
    assert answer.status_code == 202
    job = JobSchema.model_validate_json(answer.content)
    assert answer.headers["location"] == answer.headers["operation-location"] == f"{JOBS}/{job.id}"
    assert answer.headers["retry-after"] == "1"
    assert "idempotency-replayed" not in answer.headers
    assert (job.batch, job.webhook, job.attempts) == (None, None, 0)
    end = JobSchema.model_validate(ended(client, job.id))
    assert (end.status, end.pages_total, end.pages_done, end.pages_failed) == ("complete", 1, 1, 0)
    assert end.created <= (end.started or "") <= (end.finished or "") < (end.expires or "")
    result = client.get(f"{answer.headers['location']}/result")
    assert (result.status_code, result.text) == (200, "Hello job\n")
    assert result.headers["content-type"] == "text/plain; charset=utf-8"


def test_several_files_are_a_batch_in_order(client: httpx.Client, label_png: bytes) -> None:
    locked = make.encrypted(HELLO, "secret")
    answer = submit(client, locked, label_png, make.digital("Third", "Fourth"), password="secret", format="text")
    assert answer.status_code == 202
    batch = BatchSchema.model_validate_json(answer.content)
    assert answer.headers["location"] == f"{JOBS}?batch={batch.batch}"
    ends = [ended(client, job.id) for job in batch.jobs]
    assert [end["status"] for end in ends] == ["complete"] * 3
    assert {end["batch"] for end in ends} == {batch.batch}
    texts = [client.get(f"{JOBS}/{job.id}/result").text for job in batch.jobs]
    assert texts[0] == "Hello job\n"
    assert texts[2].split() == ["Third", "Fourth"]
    listed = JobList.model_validate_json(client.get(answer.headers["location"]).content)
    assert {job.id for job in listed.jobs} == {job.id for job in batch.jobs}


@pytest.mark.parametrize(
    "prefer", [["respond-async"], ["wait=10, Respond-Async"], ['foo="a, b;c"; x=1', "respond-async; wait=5"]]
)
def test_a_request_may_prefer_a_job(client: httpx.Client, prefer: list[str]) -> None:
    headers = [("prefer", value) for value in prefer] + [("accept", "text/plain")]
    answer = client.post("/gateway/ocr", files={"image_file": HELLO}, headers=headers)
    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "respond-async")
    job = JobSchema.model_validate_json(answer.content)
    ended(client, job.id)
    assert client.get(f"{answer.headers['location']}/result").text == "Hello job\n"  # httpx accepts */*


@pytest.mark.parametrize("prefer", ["", "wait=1", 'x="respond-async"', "respond-asynchronously"])
def test_any_other_preference_is_ignored(client: httpx.Client, prefer: str) -> None:
    answer = client.post("/gateway/ocr?format=text", files={"image_file": HELLO}, headers={"prefer": prefer})
    assert (answer.status_code, answer.text) == (200, "Hello job\n")
    assert "preference-applied" not in answer.headers


def test_without_jobs_there_are_no_routes_and_the_preference_is_ignored(gateway: httpx.Client) -> None:
    assert submit(gateway, HELLO).status_code == 404
    answer = gateway.post("/gateway/ocr", files={"image_file": HELLO}, headers={"prefer": "respond-async"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("files", "query", "status", "code"),
    [
        ([], {}, 400, "no_file"),
        ([HELLO, b""], {}, 422, "empty_image"),
        ([HELLO] * 6, {}, 400, "bad_multipart"),
        ([HELLO], {"languages": "xyz"}, 400, "unknown_language"),
        ([HELLO], {"pages": "3-1"}, 400, "bad_pages"),
        ([HELLO], {"ttl": "0"}, 400, "bad_job_request"),
        ([HELLO], {"ttl": "604801"}, 400, "bad_job_request"),
        ([HELLO], {"ttl": "soon"}, 400, "bad_job_request"),
        ([HELLO], {"wait": "1"}, 400, "bad_parameter"),
        ([HELLO], {"webhook_url": "https://hooks.example.com/"}, 400, "bad_webhook_url"),  # no secrets are set
        ([HELLO, b"\x89PNG" + bytes(20 * MIB)], {}, 413, "image_too_large"),
        ([HELLO, b"\x89PNG"], {"pages": "2"}, 422, "no_such_page"),
    ],
)
def test_what_is_refused_leaves_nothing(
    client: httpx.Client, tables: Tables, files: list[bytes], query: dict[str, Any], status: int, code: str
) -> None:
    before = tables.counts
    answer = submit(client, *files, **query) if files else client.post(JOBS, files={"password": (None, "x")})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert tables.counts == before


def test_a_refused_parameter_names_those_that_there_are(client: httpx.Client) -> None:
    assert "webhook_url" in submit(client, HELLO, wait="1").json()["detail"]
    assert "allow_partial" in client.get(f"{JOBS}/x/result?wait=1").json()["detail"]
    assert "after" in client.get(f"{JOBS}?wait=1").json()["detail"]
    assert "webhook_url" not in client.post("/gateway/ocr?wait=1", files={"image_file": HELLO}).json()["detail"]


def test_documents_are_taken_up_to_their_limit(client: httpx.Client, tables: Tables) -> None:
    largest = HELLO + bytes(100 * MIB - len(HELLO))
    before = tables.counts
    answer = submit(client, largest + b"\0")
    assert (answer.status_code, answer.json()["code"]) == (413, "document_too_large")
    assert tables.counts == before
    job = submitted(client, largest)
    assert tables.count("inputs") == before[1] + 100
    assert ended(client, job["id"])["status"] in ("complete", "failed")
    assert client.delete(f"{JOBS}/{job['id']}").status_code == 204
    assert tables.counts == before


def test_an_upload_that_is_cut_off_leaves_nothing(served: Pair, tables: Tables) -> None:
    before = tables.counts
    head = (
        f"POST {JOBS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ONE}\r\nContent-Length: {80 * MIB}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    )
    part = b'--b\r\nContent-Disposition: form-data; name="image_file"; filename="x"\r\n\r\n'
    with socket.create_connection(("127.0.0.1", served.gateway.port), timeout=20) as wire:
        wire.sendall(head.encode() + part + HELLO + bytes(4 * MIB) + b"\r\n" + part + HELLO)
        until(lambda: tables.count("inputs") > before[1])
    until(lambda: tables.counts == before)


def test_twenty_requests_at_once_with_one_key_are_one_job(client: httpx.Client, tables: Tables) -> None:
    before = tables.count("jobs")
    document = make.digital("Twenty") + bytes(2 * MIB)

    def send(_: int) -> httpx.Response:
        return submit(client, document, headers={"idempotency-key": "twenty"})

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(send, range(20)))
    assert {answer.status_code for answer in answers} == {202}
    (job_id,) = {answer.json()["id"] for answer in answers}
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 19
    ended(client, job_id)
    assert tables.count("jobs") == before + 1
    again = send(0)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == client.get(f"{JOBS}/{job_id}").json()


@pytest.mark.parametrize(
    ("files", "more"),
    [
        ([make.digital("Another")], {}),
        ([HELLO, HELLO], {}),
        ([HELLO], {"format": "text"}),
        ([HELLO], {"ttl": "5"}),
        ([HELLO], {"password": "x"}),
    ],
)
def test_a_known_key_with_another_request_is_refused(
    client: httpx.Client, tables: Tables, files: list[bytes], more: dict[str, Any]
) -> None:
    headers = {"idempotency-key": f"mismatch-{len(files)}"}
    submitted(client, *[HELLO] * len(files), headers=headers, format="json", ttl="9")
    if len(files) > 1:
        files = [HELLO, make.digital("Other")]
    before = tables.counts[:2]
    query: dict[str, Any] = {"format": "json", "ttl": "9", **more}
    answer = submit(client, *files, headers=headers, **query)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")
    assert tables.counts[:2] == before


def test_a_batch_is_replayed_as_a_whole(client: httpx.Client, other: httpx.Client) -> None:
    headers = {"idempotency-key": "batch"}
    files = [make.digital("A"), make.digital("B") + bytes(2 * MIB)]
    first, again = (submit(client, *files, headers=headers) for _ in range(2))
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert [job["id"] for job in again.json()["jobs"]] == [job["id"] for job in first.json()["jobs"]]
    stranger = submit(other, *files, headers=headers)
    assert "idempotency-replayed" not in stranger.headers


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "schlüssel"])
def test_a_bad_idempotency_key(client: httpx.Client, key: str) -> None:
    answer = submit(client, HELLO, headers={b"idempotency-key": key.encode()})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_idempotency_key")


def test_a_job_belongs_to_the_name_of_its_key(served: Pair, client: httpx.Client, other: httpx.Client) -> None:
    job = submitted(client, HELLO, headers={"idempotency-key": "mine"})["id"]
    with client_of(served, TWO) as rotated:
        assert rotated.get(f"{JOBS}/{job}").status_code == 200
        assert submitted(rotated, HELLO, headers={"idempotency-key": "mine"})["id"] == job
    for method, path in (
        ("GET", f"{JOBS}/{job}"),
        ("GET", f"{JOBS}/{job}/result"),
        ("GET", f"{JOBS}/{job}/events"),
        ("DELETE", f"{JOBS}/{job}"),
    ):
        answer = other.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
        answer = httpx.request(method, f"{served.gateway.url}{path}", trust_env=False)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), path
    assert job not in other.get(JOBS).text
    assert submitted(other, HELLO, headers={"idempotency-key": "mine"})["id"] != job
    assert client.get(f"{JOBS}/{job}").status_code == 200


def test_the_log_has_a_line_for_each_submission(served: Pair, client: httpx.Client) -> None:
    job = submitted(client, HELLO)["id"]
    lines = [line for line in served.gateway_log.read_text().splitlines() if job in line and '"request"' in line]
    assert len(lines) == 1
    assert '"status": 202' in lines[0] or '"status":202' in lines[0]


def test_no_file_of_a_request_is_left_on_disk(served: Pair) -> None:
    until(lambda: not [*Path("/tmp").glob(f"ocr-document-{served.gateway.process.pid}-*")])
