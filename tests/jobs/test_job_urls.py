"""`input_url` and `result_url`, over HTTP, with a server that stands for S3."""

from __future__ import annotations

import gzip
import http.server
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import httpx
import pytest

from api_gateway.errors import BadInputUrl, BadResultUrl
from api_gateway.jobs.webhooks.request import check_input, check_result
from api_gateway.settings import GatewaySettings
from tests.conftest import Launch, Pair
from tests.documents import make
from tests.jobs.over_http import JOBS, Tables, ended, until

HELLO = make.digital("Hello from a URL")
MIB = 1 << 20


class Storage(http.server.BaseHTTPRequestHandler):
    """Serves and takes files; each misbehaviour has a path."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[str]] = []
    put: ClassVar[dict[str, list[tuple[dict[str, str], bytes]]]] = {}
    end = threading.Event()

    def do_GET(self) -> None:
        self.asked.append(self.path)
        name = self.path.partition("?")[0]
        if name == "/moved":
            self._answer(302, b"", location="/hello.pdf")
        elif name == "/forbidden":
            self._answer(403, b"<Error>secret</Error>")
        elif name == "/gzip":
            self._answer(200, gzip.compress(HELLO), **{"content-encoding": "gzip"})
        elif name == "/endless":
            self._head(200)
            self._write_on(bytes(MIB))
        elif name == "/cut":
            self._head(200, **{"content-length": str(len(HELLO) + 1)})
            self.wfile.write(HELLO)
            self.close_connection = True
        elif name == "/slow":
            self._head(200, **{"content-length": str(MIB)})
            self._write_on(b"%", 0.1)
        elif name == "/hang":
            self.end.wait()
        elif name == "/large.pdf":
            self._answer(200, HELLO + b"\n%" + bytes(3 * MIB))
        else:
            self._answer(200, HELLO)

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        tries = self.put.setdefault(self.path.partition("?")[0], [])
        tries.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self._answer(503 if self.path.startswith("/busy") and len(tries) == 1 else 200, b"")

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self._head(status, **{"content-length": str(len(body)), **headers})
        self.wfile.write(body)

    def _head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _write_on(self, piece: bytes, pause: float = 0) -> None:
        self.close_connection = True
        try:
            while not self.end.wait(pause):
                self.wfile.write(piece)
        except OSError:
            pass


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Storage) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        Storage.end.set()
        server.shutdown()


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return Tables(tmp_path_factory.mktemp("jobs"))


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spool")


@pytest.fixture(scope="module")
def served(launch: Launch, tables: Tables, spool: Path) -> Iterator[Pair]:
    settings = {
        "JOBS_DIR": str(tables.folder),
        "JOBS_URL_ALLOW": "127.0.0.1,*.storage.example",
        "SPOOL_DIR": str(spool),
        "MAX_UPLOAD_MIB": "1",
        "MAX_DOCUMENT_MIB": "4",
        "BODY_IDLE_TIMEOUT_SECONDS": "2",
    }
    with launch(gateway=settings) as started:
        yield started


@pytest.fixture(scope="module")
def client(served: Pair) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.gateway.url, timeout=60, trust_env=False) as opened:
        yield opened


def test_a_document_is_downloaded_and_read(client: httpx.Client, storage: str, tables: Tables) -> None:
    url = f"{storage}/hello.pdf?X-Amz-Signature=a%2Fb"
    answer = client.post(JOBS, params={"input_url": url, "format": "text"})
    assert answer.status_code == 202, answer.text
    job = answer.json()["id"]
    assert ended(client, job)["status"] == "complete"
    assert client.get(f"{JOBS}/{job}/result").text == "Hello from a URL\n"
    assert Storage.asked[-1] == "/hello.pdf?X-Amz-Signature=a%2Fb"


def test_a_large_document_arrives_in_pieces(client: httpx.Client, storage: str, spool: Path) -> None:
    answer = client.post(JOBS, params={"input_url": f"{storage}/large.pdf", "format": "text"})
    assert ended(client, answer.json()["id"])["status"] == "complete"
    until(lambda: not [*spool.iterdir()])


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.2/a.pdf", "not one that the operator has allowed"),
        ("http://[::ffff:127.0.0.1]/a.pdf", "not one that the operator has allowed"),
        ("https://93.184.216.34/a.pdf", "not one that the operator has allowed"),
        ("file:///etc/passwd", "does not begin with https"),
        ("http://user:word@127.0.0.1/", "user name or a password"),
    ],
)
def test_other_hosts_are_refused(client: httpx.Client, url: str, why: str) -> None:
    for name in ("input_url", "result_url"):
        answer = client.post(JOBS, params={name: url})
        assert (answer.status_code, answer.json()["code"]) == (400, f"bad_{name}")
        assert why in answer.json()["detail"]
        assert url not in answer.text


@pytest.mark.parametrize("url", ["https://other.example/", "http://storage.example/", "http://localhost/"])
def test_other_names_are_refused_without_a_look_up(url: str) -> None:
    settings = GatewaySettings(jobs_url_allow=("*.storage.example", "bucket.example"))
    check_input("https://a.storage.example/scan.pdf", settings)
    check_result("http://bucket.example/", settings)
    with pytest.raises(BadInputUrl, match="not one that the operator has allowed"):
        check_input(url, settings)
    with pytest.raises(BadResultUrl, match="not one that the operator has allowed"):
        check_result(url, settings)


def test_a_name_with_an_address_outside_the_networks_is_refused_when_it_is_looked_up(
    launch: Launch, tmp_path: Path
) -> None:
    with launch(gateway={"JOBS_DIR": str(tmp_path), "JOBS_URL_ALLOW": "10.0.0.0/8"}) as started:
        answer = httpx.post(
            f"{started.gateway.url}{JOBS}", params={"input_url": "http://localhost/"}, trust_env=False
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_input_url")
        assert "not one that the operator has allowed" in answer.json()["detail"]


def test_a_body_beside_the_url_is_refused(client: httpx.Client, storage: str) -> None:
    answer = client.post(JOBS, params={"input_url": storage}, files={"image_file": HELLO})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_input_url")


@pytest.mark.parametrize(
    ("path", "status", "code", "why"),
    [
        ("forbidden", 422, "input_url_failed", "answered 403"),
        ("moved", 422, "input_url_failed", "answered 302"),
        ("gzip", 422, "input_url_failed", "Content-Encoding"),
        ("endless", 422, "input_url_failed", "how long"),
        ("cut", 422, "input_url_failed", "not valid HTTP"),
        ("slow", 422, "input_url_failed", "no answer in time"),
        ("hang", 422, "input_url_failed", "too slow"),
    ],
)
def test_a_download_that_fails_leaves_nothing(
    client: httpx.Client, storage: str, tables: Tables, spool: Path, path: str, status: int, code: str, why: str
) -> None:
    before = tables.counts
    began = time.monotonic()
    answer = client.post(JOBS, params={"input_url": f"{storage}/{path}"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert why in answer.json()["detail"]
    assert "secret" not in answer.text
    assert time.monotonic() - began < 10
    assert tables.counts == before
    assert not [*spool.iterdir()]


def test_a_server_that_is_not_there(client: httpx.Client) -> None:
    answer = client.post(JOBS, params={"input_url": "http://127.0.0.1:1/a.pdf"})
    assert (answer.status_code, answer.json()["code"]) == (422, "input_url_failed")
    answer = client.post(JOBS, params={"input_url": "https://nowhere.storage.example/a.pdf"})
    assert (answer.status_code, answer.json()["code"]) == (422, "input_url_failed")


def test_the_limits_of_uploads_hold(launch: Launch, tmp_path: Path, storage: str) -> None:
    settings = {"JOBS_DIR": str(tmp_path), "JOBS_URL_ALLOW": "127.0.0.1", "MAX_DOCUMENT_MIB": "1"}
    with (
        launch(gateway=settings) as started,
        httpx.Client(base_url=started.gateway.url, trust_env=False) as client,
    ):
        answer = client.post(JOBS, params={"input_url": f"{storage}/large.pdf"})
        assert (answer.status_code, answer.json()["code"]) == (413, "document_too_large")


def test_the_same_file_again_is_the_same_job(client: httpx.Client, storage: str) -> None:
    headers = {"idempotency-key": "url-1"}
    first, second = (
        client.post(JOBS, params={"input_url": f"{storage}/{name}"}, headers=headers)
        for name in ("a.pdf", "b.pdf?x")
    )
    assert first.json()["id"] == second.json()["id"]
    other = client.post(
        JOBS, params={"input_url": f"{storage}/a.pdf", "result_url": f"{storage}/x"}, headers=headers
    )
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


def test_a_client_that_goes_ends_the_download(client: httpx.Client, storage: str, spool: Path) -> None:
    with ThreadPoolExecutor() as pool, pytest.raises(httpx.ReadTimeout):
        pool.submit(client.post, JOBS, params={"input_url": f"{storage}/slow?gone"}, timeout=0.5).result()
    until(lambda: not [*spool.iterdir()])


@pytest.mark.parametrize(
    ("format_", "media_type", "begins"),
    [
        ("json", "application/json", b"{"),
        ("text", "text/plain; charset=utf-8", b"Hello"),
        ("pdf", "application/pdf", b"%PDF"),
    ],
)
def test_the_result_is_put_in_the_jobs_format(
    client: httpx.Client, storage: str, format_: str, media_type: str, begins: bytes
) -> None:
    url = f"{storage}/{format_}?X-Amz-Signature=b"
    answer = client.post(JOBS, params={"result_url": url, "format": format_}, files={"image_file": HELLO})
    job = answer.json()["id"]
    assert answer.json()["result_put"] is None
    until(lambda: client.get(f"{JOBS}/{job}").json()["result_put"] == "delivered")
    ((headers, body),) = Storage.put[f"/{format_}"]
    assert headers["content-type"] == media_type
    assert headers["content-length"] == str(len(body))
    assert "authorization" not in headers
    assert body.startswith(begins)
    if format_ == "text":
        assert body == client.get(f"{JOBS}/{job}/result").content


def test_a_put_that_failed_is_repeated(client: httpx.Client, storage: str) -> None:
    params = {"result_url": f"{storage}/busy", "input_url": f"{storage}/hello.pdf", "format": "text"}
    job = client.post(JOBS, params=params).json()["id"]
    ended(client, job)
    assert client.get(f"{JOBS}/{job}").json()["result_put"] == "pending"
    until(lambda: client.get(f"{JOBS}/{job}").json()["result_put"] == "delivered")
    assert [body for _, body in Storage.put["/busy"]] == [b"Hello from a URL\n"] * 2


def test_a_job_that_failed_has_nothing_to_put(client: httpx.Client, storage: str) -> None:
    answer = client.post(JOBS, params={"result_url": f"{storage}/never"}, files={"image_file": b"%PDF-1.7 broken"})
    end = ended(client, answer.json()["id"])
    assert (end["status"], end["result_put"]) == ("failed", None)
    assert "/never" not in Storage.put


def test_without_the_setting_neither_exists(gateway: httpx.Client, launch: Launch, tmp_path: Path) -> None:
    with launch(gateway={"JOBS_DIR": str(tmp_path)}) as started:
        for name in ("input_url", "result_url"):
            answer = httpx.post(
                f"{started.gateway.url}{JOBS}", params={name: "https://bucket.example/"}, trust_env=False
            )
            assert (answer.status_code, answer.json()["code"]) == (400, f"bad_{name}")
            assert "has not allowed any host" in answer.json()["detail"]
