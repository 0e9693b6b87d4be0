"""Pages per minute of an API key, on both stores."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import delete

from api_gateway.jobs.sql.schema import usage
from api_gateway.jobs.sql_store import SqlStore
from tests.documents.stand_in import ModelServer
from tests.jobs.desk import Desk, Desks, document, until, widths

pytestmark = pytest.mark.anyio

LIMIT = 3
PAGES = 24


async def test_a_job_is_let_go_when_its_pages_of_the_minute_are_read_and_continues_later(
    desks: Desks, server: ModelServer, store: SqlStore
) -> None:
    desk = desks(jobs_pages_a_minute=LIMIT)
    async with desk.working():
        other = "another tenant"
        job_id = await desk.hand_in(document(*range(100, 100 + PAGES)))
        await until(lambda: desk.outcomes)
        assert desk.outcomes[0] == "limited"
        job = await desk.job(job_id)
        # The test may begin at the end of a minute; pages that are in flight at the limit are stored as well.
        assert job.state == "queued"
        assert LIMIT <= job.pages_done < PAGES
        assert job.attempts == 0
        quick = await desk.end(await desk.hand_in(document(200), tenant=other), other)
        assert quick.state == "complete"
        while not (await desk.job(job_id)).is_final:  # as minutes pass
            await store._driver.write(lambda connection: connection.execute(delete(usage)))
            await until(partial(_goes_on, desk, job_id, job.pages_done))
            job = await desk.job(job_id)
    assert (job.state, job.pages_done, job.attempts) == ("complete", PAGES, 0)
    assert sorted(widths(server.calls)) == [*range(100, 100 + PAGES), 200]


async def _goes_on(desk: Desk, job_id: str, pages: int) -> bool:
    found = await desk.job(job_id)
    return bool(found.is_final or (found.pages_done > pages and found.state == "queued"))
