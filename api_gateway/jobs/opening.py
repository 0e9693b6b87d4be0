"""Which store the settings ask for."""

from __future__ import annotations

from collections.abc import Callable

from api_gateway.jobs.job import Job
from api_gateway.jobs.settings import JobSettings
from api_gateway.jobs.sql.drivers import Driver
from api_gateway.jobs.sql.ending import Event
from api_gateway.jobs.sql.postgres import PostgresDriver
from api_gateway.jobs.sql.sqlite import SqliteDriver
from api_gateway.jobs.sql_store import SqlStore
from api_gateway.jobs.store import JobStore


def make_store(settings: JobSettings, event: Event, on_end: Callable[[Job], None] | None = None) -> JobStore:
    """The store of jobs, not opened yet.

    `event` makes the body of the webhook of a job that has just ended; it is called in another thread. `on_end` is
    told of each job that got its final state from this process.
    """
    driver: Driver
    if settings.jobs_database_url is not None:
        driver = PostgresDriver(settings.jobs_database_url.get_secret_value())
    elif settings.jobs_dir is not None:
        driver = SqliteDriver(settings.jobs_dir)
    else:
        raise ValueError("there are no jobs: neither JOBS_DIR nor JOBS_DATABASE_URL is set")
    quotas = settings.quotas
    return SqlStore(driver, event, quotas.store_bytes, on_end, counts_pages=quotas.pages_a_minute > 0)
