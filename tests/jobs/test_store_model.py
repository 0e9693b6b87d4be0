"""Random sequences of calls: the store does what a simple model in memory does."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from api_gateway.jobs.job import FINAL, OPENING, Claim
from api_gateway.jobs.sql.sqlite import SqliteDriver
from api_gateway.jobs.sql_store import SqlStore
from tests.jobs.stores import FREE, GONE, LEASE, event, new_job, page

TENANTS = ("anna", "ben")


@dataclass
class ModelJob:
    tenant: str
    state: str = "queued"
    pages: dict[int, bool] = field(default_factory=dict)
    total: int | None = None
    number: int = 0  # of the latest claim
    held: bool = False  # its lease has not ended
    stored_in_claim: bool = False
    careful: bool = False
    opening: bool = False
    losses: int = 0  # that are held against it
    attempts: int = 0
    hook: bool = False

    @property
    def is_suspect(self) -> bool:
        """Whether the loss of its present claim is held against it."""
        return not self.stored_in_claim and (self.opening or not self.careful)


class StoreMachine(RuleBasedStateMachine):
    claims: Bundle[Any] = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.store = SqlStore(SqliteDriver(Path(self.folder.name)), event, 1 << 30, linger_seconds=0)
        self.run(self.store.open())
        self.jobs: dict[str, ModelJob] = {}
        self.submitted = 0

    def run(self, call: Any) -> Any:
        return self.loop.run_until_complete(call)

    def teardown(self) -> None:
        self.run(self.store.close())
        self.loop.close()
        self.folder.cleanup()

    @rule(tenant=st.sampled_from(TENANTS), hook=st.booleans())
    def submit(self, tenant: str, hook: bool) -> None:
        self.submitted += 1
        job_id = f"job{self.submitted:03}"  # the same in each run of a sequence
        job = new_job(tenant, id=job_id, webhook_url="https://hooks.example.com/" if hook else None)
        self.run(self.store.submit([job], FREE, {job.id: (0, b"abcd")}))
        self.jobs[job.id] = ModelJob(tenant, hook=hook)

    @rule(target=claims)
    def claim(self) -> Claim | None:
        claim: Claim | None = self.run(self.store.claim("w", LEASE, FREE))
        found = self.run(self.store.watch(self.jobs))
        for key, job in self.jobs.items():
            # The third such loss ends a job, if the store came to look at it.
            kills = job.state == "running" and not job.held and job.is_suspect and job.losses == 2
            if kills and found[key].state == "failed":
                assert found[key].code == "document_kills_worker"
                job.state = "failed"
        lost = [job for job in self.jobs.values() if job.state == "running" and not job.held]
        if claim is None:
            assert not lost
            assert not [job for job in self.jobs.values() if job.state == "queued"]
            return None
        job = self.jobs[claim.job.id]
        assert job in lost if lost else job.state == "queued"
        if job.state == "running" and not job.stored_in_claim:
            job.losses += job.is_suspect
            job.attempts += 1
            job.careful = True
        assert job.losses < 3
        assert ({*claim.stored}, claim.job.attempts) == ({*job.pages}, job.attempts)
        assert claim.careful == job.careful
        job.state, job.held, job.number, job.stored_in_claim = "running", True, claim.number, False
        job.opening = False
        return claim

    def holds(self, claim: Claim) -> bool:
        job = self.jobs.get(claim.job.id)
        return job is not None and job.state == "running" and job.held and job.number == claim.number

    @rule(claim=claims)
    def opening(self, claim: Claim | None) -> None:
        if claim is not None and claim.careful:
            held = self.holds(claim)
            assert self.run(self.store.begin_page(claim, OPENING)) == held
            if held:
                self.jobs[claim.job.id].opening = True

    @rule(claim=claims, total=st.integers(1, 3))
    def opened(self, claim: Claim | None, total: int) -> None:
        if claim is None or (claim.job.id in self.jobs and self.jobs[claim.job.id].total is not None):
            return
        held = self.holds(claim)
        assert self.run(self.store.opened(claim, total, total)) == held
        if held:
            self.jobs[claim.job.id].total = total
            self.jobs[claim.job.id].opening = False

    @rule(claim=claims, number=st.integers(1, 3), failed=st.booleans())
    def add_page(self, claim: Claim | None, number: int, failed: bool) -> None:
        job = None if claim is None else self.jobs.get(claim.job.id)
        if claim is None or (job is not None and (job.total is None or number > job.total)):
            return
        held = self.holds(claim)
        assert self.run(self.store.add_page(claim, page(number, failed=failed), LEASE)) == held
        if held and job is not None and number not in job.pages:
            job.pages[number] = failed
            job.stored_in_claim, job.losses, job.careful = True, 0, False
            if len(job.pages) == job.total:
                failures = sum(job.pages.values())
                job.state = "complete" if not failures else "failed" if failures == job.total else "partial"

    @rule(claim=claims)
    def lose(self, claim: Claim | None) -> None:
        if claim is not None:
            held = self.holds(claim)
            assert self.run(self.store.renew(claim, GONE)) == held
            if held:
                self.jobs[claim.job.id].held = False

    @rule(claim=consumes(claims))
    def release(self, claim: Claim | None) -> None:
        if claim is not None:
            held = self.holds(claim)
            assert self.run(self.store.release(claim)) == held
            if held:
                self.jobs[claim.job.id].state = "queued"

    @rule(claim=consumes(claims))
    def fail(self, claim: Claim | None) -> None:
        if claim is not None:
            held = self.holds(claim)
            assert self.run(self.store.fail(claim, "damaged_document", "")) == held
            if held:
                self.jobs[claim.job.id].state = "failed"

    @precondition(lambda self: bool(self.jobs))
    @rule(data=st.data(), tenant=st.sampled_from(TENANTS))
    def remove(self, data: st.DataObject, tenant: str) -> None:
        key = data.draw(st.sampled_from(sorted(self.jobs)))
        job = self.jobs[key]
        possible = "removed" if job.state in FINAL else "cancelled"
        expected = possible if job.tenant == tenant else None
        assert self.run(self.store.remove(tenant, key)) == expected
        if expected == "cancelled":
            job.state = "cancelled"
        elif expected == "removed":
            del self.jobs[key]

    @invariant()
    def the_store_shows_what_the_model_says(self) -> None:
        found = self.run(self.store.watch(self.jobs))
        assert {key: job.state for key, job in found.items()} == {key: job.state for key, job in self.jobs.items()}
        stored = 0
        for key, job in self.jobs.items():
            assert (found[key].pages_done, found[key].pages_failed) == (len(job.pages), sum(job.pages.values()))
            assert self.run(self.store.page_numbers(key)) == sorted(job.pages)
            assert (found[key].webhook_state == "pending") == (job.hook and job.state in FINAL)
            stored += found[key].size + self.run(self.page_bytes(key))
        backlog = self.run(self.store.backlog())
        states = [job.state for job in self.jobs.values()]
        assert (backlog.queued, backlog.running) == (states.count("queued"), states.count("running"))
        assert backlog.stored_bytes == stored
        assert backlog.hooks_pending == sum(job.hook and job.state in FINAL for job in self.jobs.values())

    async def page_bytes(self, key: str) -> int:
        def size(connection: Any) -> int:
            query = "SELECT coalesce(sum(length(line)), 0) FROM pages WHERE job = ?"
            return int(connection.exec_driver_sql(query, (key,)).scalar())

        return await self.store._driver.read(size)


StoreMachine.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestStoreAgainstAModel = StoreMachine.TestCase
