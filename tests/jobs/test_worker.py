"""A worker reads what was handed in, stores what each page came to, and lets go of what it cannot read now."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api_gateway.documents import fanout
from api_gateway.documents.document import Document
from api_gateway.documents.record import Record
from api_gateway.order import Order
from service_kit.deadline import Deadline
from service_kit.page import Parameters
from tests.documents import make
from tests.documents.stand_in import ModelServer, Verdict
from tests.jobs.desk import TENANT, Desks, document, picture, until, widths

pytestmark = pytest.mark.anyio


def failing(status: int, code: str, *which: int) -> Callable[[int, int], Verdict | None]:
    def verdict(width: int, _times: int) -> Verdict | None:
        return (status, {"error": "broken", "code": code}, {}) if not which or width in which else None

    return verdict


async def test_a_picture(desks: Desks, server: ModelServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    desk = desks()
    async with desk.working() as worker:
        job_id = await desk.hand_in(picture(), "picture")
        worker.wake()
        job = await desk.end(job_id)
        await until(lambda: desk.outcomes)
    assert (job.state, job.page_count, job.pages_total, job.pages_done) == ("complete", 1, 1, 1)
    assert (job.attempts, job.pages_failed) == (0, 0)
    (page,) = await desk.pages(job_id)
    assert (page["page"], page["text"], page["width"], page["attempts"]) == (1, "w100\n", 100, 1)
    ((headers, width),) = server.calls
    assert (headers["x-request-id"], headers["x-priority"], width) == (f"{job_id}.1", "document", 100)
    (line,) = [record for record in caplog.records if record.message == "job"]
    told = (line.job, line.tenant, line.outcome, line.pages, line.attempt)  # type: ignore[attr-defined]
    assert told == (job_id, TENANT, "finished", 1, 1)


async def test_the_pages_that_are_asked_for(desks: Desks, server: ModelServer) -> None:
    desk = desks()
    async with desk.working():
        job = await desk.end(await desk.hand_in(document(*range(100, 105)), pages="4,2"))
    assert (job.state, job.page_count, job.pages_total, job.pages_done) == ("complete", 5, 2, 2)
    assert [page["text"] for page in await desk.pages(job.id)] == ["w101\n", "w103\n"]
    assert sorted(widths(server.calls)) == [101, 103]


async def test_jobs_are_read_at_once_and_no_more_than_allowed(desks: Desks, server: ModelServer) -> None:
    server.seconds = 60
    desk = desks(jobs_at_once=3)
    job_ids = [await desk.hand_in(picture(100 + n), "picture") for n in range(5)]
    async with desk.working() as worker:
        await until(lambda: server.at_once == 2)  # as many calls as the gateway begins with
        await until(lambda: worker.running == 3)
        states = [(await desk.job(job_id)).state for job_id in job_ids]
        assert states == ["running"] * 3 + ["queued"] * 2
    server.seconds = 0
    async with desk.working():
        for job_id in job_ids:
            assert (await desk.end(job_id)).state == "complete"


async def test_a_page_that_fails_has_an_outcome_and_the_others_are_read(desks: Desks, server: ModelServer) -> None:
    server.verdict = failing(422, "damaged_image", 101)
    desk = desks()
    async with desk.working():
        some = await desk.end(await desk.hand_in(document(100, 101, 102)))
        every = await desk.end(await desk.hand_in(document(101)))
    assert (some.state, some.pages_done, some.pages_failed, some.code) == ("partial", 3, 1, None)
    assert [page.get("code") for page in await desk.pages(some.id)] == [None, "damaged_image", None]
    assert (every.state, every.code) == ("failed", "pages_failed")


@pytest.mark.parametrize(
    ("data", "kind", "order", "code"),
    [
        (b"%PDF-1.4", "pdf", {}, "damaged_document"),
        (make.encrypted(document(100), "secret"), "pdf", {}, "password_required"),
        (document(100), "pdf", {"pages": "2"}, "no_such_page"),
        (document(*range(100, 104)), "pdf", {}, "too_many_pages"),
        (picture(), "picture", {"pages": "2"}, "no_such_page"),
    ],
)
async def test_a_file_that_cannot_be_read_fails_its_job(
    desks: Desks, data: bytes, kind: Any, order: dict[str, Any], code: str
) -> None:
    desk = desks(max_pages=3)
    async with desk.working():
        job = await desk.end(await desk.hand_in(data, kind, **order))
        await until(lambda: desk.outcomes)
    assert (job.state, job.code, job.pages_done) == ("failed", code, 0)
    assert job.detail
    assert desk.outcomes == ["failed"]


async def test_a_password_opens_the_document(desks: Desks) -> None:
    desk = desks()
    async with desk.working():
        data = make.encrypted(document(100), "secret")
        assert (await desk.end(await desk.hand_in(data, password="secret"))).state == "complete"


@pytest.mark.parametrize(
    ("status", "code", "data", "kind"),
    [
        (422, "damaged_image", picture(), "picture"),
        (415, "not_an_image", picture(), "picture"),
        (400, "unknown_language", picture(), "picture"),
        (400, "unknown_language", document(100, 101), "pdf"),
    ],
)
async def test_what_the_model_server_says_of_the_file_fails_its_job(
    desks: Desks, server: ModelServer, status: int, code: str, data: bytes, kind: Any
) -> None:
    server.verdict = failing(status, code)
    desk = desks()
    async with desk.working():
        job = await desk.end(await desk.hand_in(data, kind))
    assert (job.state, job.code, job.detail) == ("failed", code, "broken")


async def test_a_refused_page_is_no_outcome_and_the_job_waits_as_long_as_it_must(
    desks: Desks, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout, "_PATIENCE_SECONDS", 0.1)
    server.verdict = failing(503, "not_ready")
    desk = desks()
    async with desk.working():
        job_ids = [await desk.hand_in(picture(), "picture"), await desk.hand_in(document(101, 102))]
        await until(lambda: desk.outcomes.count("refused") >= 4)
        for job_id in job_ids:
            job = await desk.job(job_id)
            assert (job.is_final, job.pages_done, job.attempts) == (False, 0, 0)
        server.verdict = lambda _width, _times: None
        for job_id in job_ids:
            assert (await desk.end(job_id)).state == "complete"


async def test_a_full_disk_is_waited_for(desks: Desks) -> None:
    desk = desks()
    full = desk.admission.disk.take(desk.admission.disk.free)
    job_id = await desk.hand_in(document(100))
    async with desk.working():
        await until(lambda: desk.outcomes)
        assert desk.outcomes == ["refused"]
        assert (await desk.job(job_id)).attempts == 0
        full.give_back()
        assert (await desk.end(job_id)).state == "complete"


async def test_jobs_take_no_place_of_documents_that_are_requests(desks: Desks) -> None:
    desk = desks(max_documents=1)
    with desk.admission.document():
        async with desk.working():
            job_id = await desk.hand_in(document(100))
            assert (await desk.end(job_id)).state == "complete"


async def test_requests_overtake_jobs(desks: Desks, server: ModelServer, tmp_path: Path) -> None:
    """A request's pages are read as if there were no job, but for the calls that are being made."""

    server.seconds = 0.03
    desk = desks()
    path = tmp_path / "request.pdf"
    path.write_bytes(document(*range(300, 310)))
    async with desk.working():
        jobs = [await desk.hand_in(document(*range(100, 160))) for _ in range(3)]
        await until(lambda: len(server.calls) >= 20)
        order = Order(Parameters(("eng",), 3), "json", dpi=72)
        shared = desk.documents(for_jobs=False)
        async with Document(shared, "request", Deadline(60)) as opened:
            numbers = await opened.open(path, "pdf", None, order.pages)
            with Record(tmp_path / "record", desk.admission.disk, numbers) as record:
                async with opened.pages(order, record) as pages:
                    assert [number async for number in pages] == [*range(1, 11)]
        order_of_calls = widths(server.calls)
        first = order_of_calls.index(300)
        between = [width for width in order_of_calls[first : order_of_calls.index(309)] if width < 300]
        assert len(between) <= 3, between
        for job_id in jobs:
            await desk.store.remove(TENANT, job_id)
