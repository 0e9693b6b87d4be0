"""The library, on the real service: both clients give the same."""

from __future__ import annotations

import asyncio
import io
import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from ocr_client import (
    AsyncClient,
    AuthError,
    BadOption,
    Client,
    NoSuchJob,
    OcrError,
    PagesFailed,
    ServerGone,
    UnsupportedFile,
)
from scripts.services import ROOT, Service
from tests.client import served
from tests.client.served import labels, pages_read
from tests.faults import engines
from tests.faults.pair import until

RECEIPT, RECEIPTS = ROOT / "docs" / "receipt.png", ROOT / "docs" / "receipts.pdf"


@pytest.fixture
def client(server: Service) -> Iterator[Client]:
    with Client(server.url) as opened:
        yield opened


def test_an_answer_is_typed(client: Client) -> None:
    answer = client.read(RECEIPT)
    assert answer.status == "complete"
    assert answer.text.startswith("Young Market\n")
    (page,) = answer.pages
    assert (page.number, page.width, page.height, page.rotation) == (1, 576, 840, 0)
    word = page.words[0]
    assert word.text == "Young"
    assert word.bbox[0] < word.bbox[2] <= 576
    assert answer.raw["pages"][0]["words"][0]["text"] == "Young"


@pytest.mark.parametrize("kind", ["path", "name", "bytes", "file", "pipe"])
def test_a_file_may_be_a_path_bytes_or_open(client: Client, kind: str) -> None:
    data = RECEIPT.read_bytes()
    if kind == "pipe":
        with subprocess.Popen(["cat", RECEIPT], stdout=subprocess.PIPE) as cat:
            assert cat.stdout is not None
            assert client.read(cast("BinaryIO", cat.stdout), format="text").startswith(b"Young Market")
        return
    files: dict[str, Any] = {"path": RECEIPT, "name": str(RECEIPT), "bytes": data, "file": io.BytesIO(data)}
    assert client.read(files[kind], format="text").startswith(b"Young Market")


def test_failed_pages_are_in_the_answer_or_raised(client: Client) -> None:
    answer = client.read(RECEIPTS)
    assert answer.status == "partial"
    assert [(page.page, page.code) for page in answer.failed] == [(4, "too_many_pixels")]
    with pytest.raises(PagesFailed) as caught:
        client.read(RECEIPTS, format="text")
    assert [page.page for page in caught.value.pages] == [4]
    target = io.BytesIO()
    written = client.read_into(RECEIPTS, target, format="text", allow_partial=True)
    assert (written.failed_pages, written.size) == ((4,), len(target.getvalue()))


def test_errors_are_exceptions_by_code(client: Client, engine: Service, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFile) as caught:
        client.read(b"not a picture")
    assert (caught.value.code, caught.value.status) == ("not_an_image", 415)
    with pytest.raises(BadOption):
        client.read(RECEIPT, languages="xyz")
    with pytest.raises(NoSuchJob):
        client.job("0" * 32)
    with pytest.raises(ServerGone), Client("http://127.0.0.1:1", patience=0) as nobody:
        nobody.read(RECEIPT)
    with pytest.raises(FileNotFoundError):
        client.read(tmp_path / "absent")
    with pytest.raises(ValueError, match="not an http or https URL"):
        Client("example.com")
    settings = {"API_KEYS": "0123456789abcdef"}
    with (tmp_path / "log").open("wb") as log, served.gateway(engine, log, settings) as locked:
        with Client(locked.url) as without, pytest.raises(AuthError):
            without.read(RECEIPT)
        with Client(locked.url, "0123456789abcdef") as right:
            assert right.read(RECEIPT).text


def test_read_many_gives_each_file_once_also_the_failed_ones(client: Client, tmp_path: Path) -> None:
    paths = labels(tmp_path, 20)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"not a picture")
    outcomes = list(client.read_many([*paths, bad, tmp_path / "absent.png"]))
    assert {outcome.file for outcome in outcomes} == {*paths, bad, tmp_path / "absent.png"}
    failed = {outcome.file.name: type(outcome.error) for outcome in outcomes if outcome.error}
    assert failed == {"bad.png": UnsupportedFile, "absent.png": FileNotFoundError}
    assert all(outcome.get().text for outcome in outcomes if not outcome.error)


def test_leaving_read_many_early_ends_its_work(client: Client, engine: Service, tmp_path: Path) -> None:
    """A source without an end is not read to its end."""
    (path,) = labels(tmp_path, 1)
    before = pages_read(engine)
    outcomes = client.read_many(itertools.repeat(path), format="text")
    assert next(outcomes).get()
    outcomes.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name == "ocr-client"]
    assert pages_read(engine) - before < 100


def test_a_job_is_handed_in_followed_fetched_and_deleted(client: Client) -> None:
    job = client.submit(RECEIPTS, format="text", idempotency_key="receipts-1")
    assert client.submit(RECEIPTS, format="text", idempotency_key="receipts-1").id == job.id
    seen: list[int] = []
    job = client.wait(job, seconds=30, on_change=lambda found: seen.append(found.pages_done))
    assert (job.status, job.pages_failed, seen[-1]) == ("partial", 1, 4)
    assert client.result(job, format="text", allow_partial=True).startswith(b"Young Market")
    assert client.result(job.id).pages[3].code == "too_many_pixels"
    assert job.id in [found.id for found in client.jobs()]
    client.delete(job)
    with pytest.raises(NoSuchJob):
        client.result(job)


def test_waiting_for_a_job_has_a_limit(client: Client) -> None:
    job = client.submit(engines.slow(20))
    assert client.wait(job, seconds=0.1).status in ("queued", "running")
    client.delete(job)


def test_the_asynchronous_client_does_the_same(server: Service, tmp_path: Path) -> None:
    paths = labels(tmp_path, 10)

    async def main() -> None:
        async with AsyncClient(server.url) as client:
            answer, text = await asyncio.gather(client.read(RECEIPT), client.read(RECEIPT, format="text"))
            assert answer.text == text.decode()
            found = [outcome async for outcome in client.read_many(paths)]
            assert {outcome.file for outcome in found if outcome.get().text} == {*paths}
            job = await client.submit(RECEIPTS, pages="1")
            job = await client.wait(job)
            assert (await client.result(job)).text.startswith("Young Market")
            await client.delete(job)
            with pytest.raises(OcrError):
                await client.read(b"")

    asyncio.run(main())


def test_a_cancelled_call_frees_the_server(server: Service, engine: Service) -> None:
    """The gateway notices that the client has gone."""

    async def main() -> None:
        async with AsyncClient(server.url) as client:
            reading = asyncio.create_task(client.read(engines.slow(20)))
            await asyncio.sleep(0.5)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading

    asyncio.run(main())
    with Client(server.url) as client:
        until(lambda: client.read(RECEIPT), "a worker is free", 10)


def test_a_large_file_is_not_read_into_memory(server: Service, tmp_path: Path) -> None:
    """It is sent in pieces: the peak of the process stays far below the file's size."""
    large = tmp_path / "large.pdf"
    with large.open("wb") as file:
        file.write(b"%PDF-1.7\n")
        file.truncate(90 << 20)
    program = (
        "import resource, sys; from ocr_client import Client, OcrError\n"
        "with Client(sys.argv[1]) as client:\n"
        "    client.read(sys.argv[3], format='text')\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "    try: client.read(sys.argv[2])\n"
        "    except OcrError as error: print(error.code)\n"
        "    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, server.url, str(large), str(RECEIPT)],
        env={**os.environ, "PYTHONPATH": str(served.SOURCE)},
        capture_output=True,
        text=True,
        check=True,
    )
    code, grown = done.stdout.split()
    assert code == "damaged_document"
    assert int(grown) < 20
