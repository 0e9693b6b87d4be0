"""GET /gateway/jobs/{id}/result: what POST /gateway/ocr would have answered."""

from __future__ import annotations

import io
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from api_gateway.formats import FORMATS
from tests.conftest import Launch
from tests.documents import make
from tests.jobs.over_http import JOBS, ended, events, submit, submitted
from tests.pictures.formats import FORMATS as PICTURES
from tests.pictures.render import Picture

ROOT = Path(__file__).parents[2]
RECEIPTS = (ROOT / "docs" / "receipts.pdf").read_bytes()
ID = {"x-request-id": "one-id-for-both"}
_VOLATILE = re.compile(rb'("duration_seconds":)[0-9.e-]+|(/ID \[)<\w+><\w+>\]')
SAME_HEADERS = ("content-type", "content-disposition", "x-failed-pages")


@pytest.fixture(scope="module")
def client(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("jobs")
    with (
        launch(gateway={"JOBS_DIR": str(folder)}) as pair,
        httpx.Client(base_url=pair.gateway.url, timeout=60, trust_env=False, headers=ID) as opened,
    ):
        yield opened


@pytest.fixture(
    scope="module", params=["picture", "animation", "tiff of one page", "tiff", "pdf", "encrypted", "some failed"]
)
def handed_in(request: pytest.FixtureRequest, label: Picture) -> tuple[bytes, dict[str, str], str | None]:
    """A file, its parameters and its password."""
    pdf = make.joined(make.digital("First"), make.scanned(label), make.digital("Third"))
    found: tuple[bytes, dict[str, str], str | None] = {
        "picture": (PICTURES["png grey"].encode(label), {}, None),
        "animation": (animation(label), {}, None),
        "tiff of one page": (make.tiff([label]), {"pages": "1"}, None),
        "tiff": (make.tiff([label, label]), {}, None),
        "pdf": (pdf, {"pages": "3,1-2"}, None),
        "encrypted": (make.encrypted(pdf, "secret"), {"text_layer": "ignore", "dpi": "150"}, "secret"),
        "some failed": (RECEIPTS, {}, None),
    }[request.param]
    return found


def animation(picture: Picture) -> bytes:
    stream = io.BytesIO()
    grey = picture.image.convert("L")
    grey.save(stream, "GIF", save_all=True, append_images=[grey.point(lambda _: 255), grey.point(lambda _: 0)])
    return stream.getvalue()


@pytest.fixture(scope="module")
def job(client: httpx.Client, handed_in: tuple[bytes, dict[str, str], str | None]) -> str:
    file, query, password = handed_in
    job_id: str = submitted(client, file, password=password, **query)["id"]
    ended(client, job_id)
    return job_id


@pytest.mark.parametrize("allow_partial", ["false", "true"])
@pytest.mark.parametrize("name", FORMATS)
def test_a_result_is_the_answer_of_a_request(
    client: httpx.Client,
    handed_in: tuple[bytes, dict[str, str], str | None],
    job: str,
    name: str,
    allow_partial: str,
) -> None:
    file, query, password = handed_in
    form: list[tuple[str, Any]] = [("image_file", ("x", file))]
    if password:
        form.append(("password", (None, password)))
    asked = {"format": name, "allow_partial": allow_partial}
    expected = client.post("/gateway/ocr", files=form, params={**query, **asked})
    found = client.get(f"{JOBS}/{job}/result", params=asked)
    assert found.status_code == expected.status_code, found.text
    for header in SAME_HEADERS:
        assert found.headers.get(header) == expected.headers.get(header), header
    assert steady(found) == steady(expected)


def steady(answer: httpx.Response) -> bytes:
    """The body without times and a PDF's random id."""
    return _VOLATILE.sub(rb"\1\2", answer.content)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "text/plain"),
        ("application/alto+xml", "application/alto+xml"),
        ("image/png, */*;q=.1", "text/plain"),
    ],
)
def test_the_accept_header_chooses_else_the_jobs_format(
    client: httpx.Client, accept: str, media_type: str
) -> None:
    answer = client.post(
        "/gateway/ocr",
        files={"image_file": make.digital("Hello")},
        headers={"prefer": "respond-async", "accept": "text/plain"},
    )
    job_id = answer.json()["id"]
    ended(client, job_id)
    result = client.get(f"{JOBS}/{job_id}/result", headers={"accept": accept})
    assert result.headers["content-type"].startswith(media_type)
    refused = client.get(f"{JOBS}/{job_id}/result", headers={"accept": "image/png"})
    assert (refused.status_code, refused.json()["code"]) == (406, "not_acceptable")


@pytest.mark.parametrize(
    ("file", "query", "code"),
    [
        (b"not a picture", {}, "not_an_image"),
        (b"%PDF-1.4 nothing", {}, "damaged_document"),
        (make.encrypted(make.digital("x"), "secret"), {}, "password_required"),
        (make.digital("x"), {"pages": "2"}, "no_such_page"),
    ],
)
def test_a_failed_job_answers_as_the_request_would(
    client: httpx.Client, file: bytes, query: dict[str, Any], code: str
) -> None:
    expected = client.post("/gateway/ocr", files={"image_file": file}, params=query)
    assert expected.json()["code"] == code
    job = ended(client, submitted(client, file, **query)["id"])
    assert (job["status"], job["code"], job["detail"]) == ("failed", code, expected.json()["detail"])
    for name in FORMATS:
        found = client.get(f"{JOBS}/{job['id']}/result?format={name}")
        assert (found.status_code, steady(found)) == (expected.status_code, steady(expected))


def test_a_document_without_any_page_answers_as_the_request_would(client: httpx.Client) -> None:
    query: dict[str, Any] = {"pages": "4", "dpi": "600"}  # the page that is too large
    job = ended(client, submitted(client, RECEIPTS, **query)["id"])
    assert job["status"] == "failed"
    for name in FORMATS:
        asked = {"format": name, "allow_partial": "true"}
        expected = client.post(
            "/gateway/ocr", files={"image_file": RECEIPTS}, params={**query, "dpi": "600", **asked}
        )
        found = client.get(f"{JOBS}/{job['id']}/result", params=asked)
        assert (found.status_code, steady(found)) == (expected.status_code, steady(expected)), name


def test_before_the_end_there_are_the_pages_so_far(client: httpx.Client, page: Picture) -> None:
    job = submitted(client, make.scanned(*[page] * 4))["id"]
    for event in events(client, job):
        if event.data["pages_done"] >= 1:
            break
    early = client.get(f"{JOBS}/{job}/result?format=json")
    assert (early.status_code, early.json()["code"], early.headers["retry-after"]) == (409, "not_finished", "1")
    so_far = client.get(f"{JOBS}/{job}/result?format=ndjson")
    assert so_far.status_code == 200
    lines = [orjson.loads(line) for line in so_far.text.splitlines()]
    assert 1 <= len(lines) < 4
    assert all("page" in line for line in lines)
    assert client.delete(f"{JOBS}/{job}").status_code == 204
    cancelled = client.get(f"{JOBS}/{job}")
    assert cancelled.json()["status"] == "cancelled"
    gone = client.get(f"{JOBS}/{job}/result?format=ndjson")
    assert (gone.status_code, gone.json()["code"]) == (409, "job_cancelled")
    assert client.delete(f"{JOBS}/{job}").status_code == 204
    assert client.delete(f"{JOBS}/{job}").status_code == 404
    assert client.get(f"{JOBS}/{job}/result").status_code == 404


def test_a_download_during_which_the_job_is_removed_ends_whole(client: httpx.Client) -> None:
    words = "\n".join(f"line {number} of the page, which is long enough" for number in range(60))
    job = submitted(client, make.digital(*[words] * 40), ttl="3600")["id"]
    ended(client, job)
    whole = client.get(f"{JOBS}/{job}/result?format=hocr")
    url = client.base_url
    with socket.create_connection((url.host, url.port), timeout=30) as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        wire.sendall(f"GET {JOBS}/{job}/result?format=hocr HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        begun = wire.recv(1000)
        assert begun.startswith(b"HTTP/1.1 200")
        assert client.delete(f"{JOBS}/{job}").status_code == 204
        assert client.get(f"{JOBS}/{job}").status_code == 404
        rest = b"".join(iter(lambda: wire.recv(1 << 16), b""))
    body = (begun + rest).split(b"\r\n\r\n", 1)[1]
    assert len(body) > 1 << 20
    assert body == whole.content


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/result"), ("GET", "/events"), ("DELETE", "")])
def test_there_is_no_such_job(client: httpx.Client, method: str, path: str) -> None:
    for job in ("0" * 32, "x", "%00", "a" * 64, "%F0%9F%98%80"):
        answer = client.request(method, f"{JOBS}/{job}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_jobs_are_listed_in_pages(client: httpx.Client) -> None:
    batch = submit(client, *(make.digital(str(number)) for number in range(5))).json()
    made = {job["id"] for job in batch["jobs"]}
    found: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = client.get(JOBS, params={"batch": batch["batch"], "limit": "2", **after}).json()
        found += [job["id"] for job in page["jobs"]]
        if page["next"] is None:
            break
        assert len(page["jobs"]) == 2
        after = {"after": page["next"]}
    assert len(found) == 5
    assert set(found) == made
    for job in made:
        ended(client, job)
    params = [("batch", batch["batch"]), ("status", "queued"), ("status", "complete")]
    assert len(client.get(JOBS, params=params).json()["jobs"]) == 5
    assert client.get(JOBS, params={"batch": batch["batch"], "status": "failed"}).json() == {
        "jobs": [],
        "next": None,
    }
    for query in ("limit=0", "limit=101", "status=done", "after=x", "after=%00", "batch=%00"):
        answer = client.get(f"{JOBS}?{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter"), query


def test_the_example_of_the_documentation_runs(client: httpx.Client) -> None:
    text = (ROOT / "docs" / "jobs.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    example = example.replace("http://127.0.0.1:8001", str(client.base_url).rstrip("/"))
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Young Market\n")
