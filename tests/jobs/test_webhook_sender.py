"""Webhooks on their way: a real store, real receivers with TLS, and a process that is killed."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal, Self

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook

from api_gateway.errors import StoreUnavailable
from api_gateway.jobs.job import Hook, Job
from api_gateway.jobs.sql.drivers import Driver
from api_gateway.jobs.sql.sqlite import SqliteDriver
from api_gateway.jobs.sql_store import SqlStore
from api_gateway.jobs.webhooks import schedule, sender
from api_gateway.jobs.webhooks.addresses import Address, Allowed
from api_gateway.jobs.webhooks.event import event_body
from api_gateway.jobs.webhooks.sender import Webhooks
from api_gateway.jobs.webhooks.transport import CheckedTransport
from api_gateway.settings import GatewaySettings
from tests.jobs.receivers import Answer, Certified, Received, hang, receiver, status
from tests.jobs.stores import claimed, event, handed_in, read

pytestmark = pytest.mark.anyio

SECRET = f"whsec_{base64.b64encode(b's' * 32).decode()}"
LOCAL = "127.0.0.0/8"


@pytest.fixture
def tls(tmp_path: Path) -> Certified:
    return Certified(tmp_path)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tries within a second, and looks for due ones every twentieth of it."""
    monkeypatch.setattr(schedule, "_AFTER_SECONDS", (0, 0.1, 0.2, 0.3))
    monkeypatch.setattr(sender, "_POLL_SECONDS", 0.05)


async def here(_host: str, _port: int) -> list[Address]:
    return [ipaddress.ip_address("127.0.0.1")]


class Sending:
    """A running sender; `outcomes` are those of its tries."""

    def __init__(self, store: SqlStore, tls: Certified, **values: object) -> None:
        known = {"webhook_secrets": (SecretStr(SECRET),), "webhook_timeout_seconds": 5.0, **values}
        settings = GatewaySettings(webhook_allow=(LOCAL,), **known)  # type: ignore[arg-type]
        self.outcomes: Counter[str] = Counter()
        self._changed = asyncio.Condition()
        transport = CheckedTransport(Allowed([LOCAL]), tls.client, here)
        self.webhooks = Webhooks(store, settings, self._count, transport)

    def _count(self, outcome: str) -> None:
        self.outcomes[outcome] += 1

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self.webhooks.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


async def ended(store: SqlStore, url: str, **values: object) -> Job:
    """A complete job with a webhook."""
    job = await handed_in(store, webhook_url=url, **values)  # type: ignore[arg-type]
    await read(store, await claimed(store), [1])
    return job


async def delivery(store: SqlStore, job: Job, *states: str) -> Job:
    """The job, as soon as its webhook has ended."""
    async with asyncio.timeout(20):
        while True:
            found = await store.job(job.tenant, job.id)
            assert found is not None
            if found.webhook_state in (states or ("delivered", "failed")):
                return found
            await asyncio.sleep(0.02)


def answers(*found: Answer) -> Answer:
    """One after the other; the last one stays."""
    left = [*found]

    async def answer(request: Received, writer: asyncio.StreamWriter) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(request, writer)

    return answer


def verified(request: Received) -> object:
    return Webhook(SECRET).verify(request.body, request.headers)


async def test_a_job_that_ended_is_announced_once_signed(driver: Driver, tls: Certified) -> None:
    store = SqlStore(driver, lambda job: event_body(job, "https://ocr.example"), 1 << 30)
    await store.open()
    async with receiver(tls.server) as found, Sending(store, tls) as sending:
        job = await ended(store, found.url("hooks.example"))
        sending.webhooks.wake()
        assert (await delivery(store, job)).webhook_state == "delivered"
        (request,) = found.requests
        assert verified(request) == json.loads(request.body)
        assert json.loads(request.body)["type"] == "ocr.job.complete"
        assert json.loads(request.body)["data"]["url"] == f"https://ocr.example/gateway/jobs/{job.id}"
        assert request.line == "POST /hook?a=b HTTP/1.1"
        assert request.headers["content-type"] == "application/json"
        assert request.headers["host"] == f"hooks.example:{found.port}"
    assert sending.outcomes == {"delivered": 1}
    await store.close()


@pytest.mark.usefixtures("quick")
async def test_a_failed_try_is_repeated_with_the_same_id_until_it_is_delivered(
    store: SqlStore, tls: Certified
) -> None:
    async with receiver(tls.server, answers(status(500), status(429), status(204))) as found:
        async with Sending(store, tls) as sending:
            job = await ended(store, found.url())
            await delivery(store, job)
        assert sending.outcomes == {"retried": 2, "delivered": 1}
        assert len({request.headers["webhook-id"] for request in found.requests}) == 1
        assert [bool(verified(request)) for request in found.requests] == [True] * 3


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("code", "outcomes"),
    [(410, {"failed": 1}), (500, {"retried": 3, "failed": 1}), (302, {"retried": 3, "failed": 1})],
)
async def test_a_webhook_fails_at_410_or_when_the_schedule_ends(
    store: SqlStore, tls: Certified, code: int, outcomes: dict[str, int]
) -> None:
    async with receiver(None) as private:
        answer = status(code, f"Location: http://127.0.0.1:{private.port}/")
        async with receiver(tls.server, answer) as found, Sending(store, tls) as sending:
            job = await ended(store, found.url())
            assert (await delivery(store, job)).webhook_state == "failed"
        assert sending.outcomes == outcomes
        assert len(found.requests) == sum(outcomes.values())
        assert not private.connections


async def test_a_webhook_fails_when_the_job_expires_before_the_next_try(store: SqlStore, tls: Certified) -> None:
    async with receiver(tls.server, status(500)) as found, Sending(store, tls) as sending:
        job = await ended(store, found.url(), ttl_seconds=4.0)
        assert (await delivery(store, job)).webhook_state == "failed"
    assert sending.outcomes == {"failed": 1}


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    hour = 3600
    due = [0.0]
    while (pause := schedule.pause_after(len(due))) is not None:
        due.append(due[-1] + pause)
    about = [0, 5, 300, 1800, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour]
    assert due == pytest.approx(about, rel=0.1)
    assert len({schedule.pause_after(3) for _ in range(10)}) > 5


async def test_slow_receivers_take_four_places_each_and_sixteen_in_all(store: SqlStore, tls: Certified) -> None:
    async with (
        receiver(tls.server, hang) as slow,
        receiver(tls.server) as well,
        Sending(store, tls, webhook_timeout_seconds=60) as sending,
    ):
        for number in range(30):
            await ended(store, slow.url(f"host{number % 3}.many.example"), tenant=f"t{number}")
        sending.webhooks.wake()
        await slow.received(12)
        job = await ended(store, well.url())
        sending.webhooks.wake()
        began = time.monotonic()
        await delivery(store, job)
        assert time.monotonic() - began < 2
        assert slow.most == 12
        hosts = Counter(request.headers["host"] for request in slow.requests)
        assert [*hosts.values()] == [4, 4, 4]
        for number in range(20):
            await ended(store, slow.url(f"other{number}.many.example"), tenant=f"t{number}")
        sending.webhooks.wake()
        await slow.received(16)
    assert slow.most == 16


async def test_two_senders_share_the_work(store: SqlStore, tls: Certified) -> None:
    async with receiver(tls.server) as found, Sending(store, tls), Sending(store, tls):
        jobs = [await ended(store, found.url()) for _ in range(20)]
        for job in jobs:
            await delivery(store, job)
    assert len({request.headers["webhook-id"] for request in found.requests}) == len(found.requests) == 20


async def drip(_request: Received, writer: asyncio.StreamWriter) -> None:
    """A good status, and a body that goes on as long as somebody reads it."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.1)


async def test_a_good_status_counts_whatever_the_body_is(store: SqlStore, tls: Certified) -> None:
    written = 0

    async def flood(_request: Received, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(64 * 1024))
            await writer.drain()
            written += 64 * 1024

    async with receiver(tls.server, answers(flood, drip)) as found, Sending(store, tls) as sending:
        for _ in range(2):
            job = await ended(store, found.url())
            began = time.monotonic()
            assert (await delivery(store, job)).webhook_state == "delivered"
            assert time.monotonic() - began < 4
    assert sending.outcomes == {"delivered": 2}
    assert written < 16 * 1024 * 1024  # what the sockets' buffers take


async def test_the_log_has_a_line_per_try_with_the_host_alone(
    store: SqlStore, tls: Certified, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="webhooks")
    async with receiver(tls.server, status(418, "X-Secret: answer")) as found, Sending(store, tls):
        job = await ended(store, found.url("hooks.example") + "&token=hidden", ttl_seconds=3.0)
        await delivery(store, job)
    (line,) = [record for record in caplog.records if record.name == "webhooks"]
    told = {name: getattr(line, name) for name in ("host", "outcome", "status", "attempt", "cause")}
    assert told == {"host": "hooks.example", "outcome": "failed", "status": 418, "attempt": 1, "cause": None}
    assert 0 < line.__dict__["seconds"] < 5
    assert "hidden" not in str(vars(line))
    assert "answer" not in str(vars(line))


@pytest.mark.usefixtures("quick")
async def test_without_a_secret_nothing_is_sent_unsigned(store: SqlStore, tls: Certified) -> None:
    async with receiver(tls.server) as found, Sending(store, tls, webhook_secrets=()) as sending:
        job = await ended(store, found.url())
        assert (await delivery(store, job)).webhook_state == "failed"
        assert not found.connections
    assert sending.outcomes == {"retried": 3, "failed": 1}


class Forgetful(SqlStore):
    """The database does not answer the first times that an outcome is to be stored."""

    failures = 2

    async def hook_done(self, hook: Hook, outcome: Literal["delivered", "failed"]) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable
        await super().hook_done(hook, outcome)


@pytest.mark.usefixtures("quick")
async def test_an_outcome_is_stored_as_soon_as_the_database_answers(driver: Driver, tls: Certified) -> None:
    store = Forgetful(driver, event, 1 << 30)
    await store.open()
    async with receiver(tls.server) as found, Sending(store, tls):
        job = await ended(store, found.url())
        await delivery(store, job, "delivered")
        assert len(found.requests) == 1
    await store.close()


async def test_a_try_in_flight_ends_before_the_process_does(store: SqlStore, tls: Certified) -> None:
    go = asyncio.Event()

    async def late(_request: Received, writer: asyncio.StreamWriter) -> None:
        await go.wait()
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with receiver(tls.server, late) as found, Sending(store, tls) as sending:
        job = await ended(store, found.url())
        await found.received(1)
        stop = asyncio.create_task(sending.stop())
        go.set()
        await stop
        assert (await delivery(store, job)).webhook_state == "delivered"


async def test_a_stop_does_not_wait_for_a_receiver_that_hangs(store: SqlStore, tls: Certified) -> None:
    async with receiver(tls.server, hang) as found, Sending(store, tls, webhook_timeout_seconds=30) as sending:
        await ended(store, found.url())
        await found.received(1)
        began = time.monotonic()
        await sending.stop()
        assert time.monotonic() - began < 4


async def test_a_wrong_clock_of_the_sender_does_not_show(
    store: SqlStore, tls: Certified, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    async with receiver(tls.server) as found, Sending(store, tls):
        await delivery(store, await ended(store, found.url()))
        assert verified(found.requests[0])


async def test_a_webhook_whose_sender_is_killed_before_it_knows_is_sent_again(
    tmp_path: Path, tls: Certified
) -> None:
    """The receiver may have done its work: it knows the webhook by its id."""
    folder = tmp_path / "jobs"
    environment = {
        **os.environ,
        "API_GATEWAY_JOBS_DIR": str(folder),
        "API_GATEWAY_WEBHOOK_SECRETS": SECRET,
        "API_GATEWAY_WEBHOOK_ALLOW": LOCAL,
        "API_GATEWAY_WEBHOOK_TIMEOUT_SECONDS": "2",
        "SSL_CERT_FILE": str(tls.authorities),
    }
    async with receiver(tls.server, answers(hang, status(204))) as found:
        async with opened(folder) as store:
            job = await ended(store, found.url())
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.jobs.sending_process", env=environment
        )
        await found.received(1)
        process.kill()
        await process.wait()
        async with opened(folder) as store:
            waiting = await store.job(job.tenant, job.id)
            assert waiting is not None
            assert waiting.webhook_state == "pending"
            async with Sending(store, tls) as sending:
                assert (await delivery(store, job)).webhook_state == "delivered"
        first, second = found.requests
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert verified(first) == verified(second)
    assert sending.outcomes == {"delivered": 1}


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[SqlStore]:
    store = SqlStore(SqliteDriver(folder), event, 1 << 30)
    await store.open()
    try:
        yield store
    finally:
        await store.close()
