"""Jobs: files are handed in, and their results fetched later."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterable, Sequence
from typing import BinaryIO, cast

from rich.console import Console
from rich.table import Table

from ocr_client.answers import Job
from ocr_client.async_client import AsyncClient
from ocr_client.client import Client
from ocr_client.command.inputs import Chosen
from ocr_client.command.journal import digest_of
from ocr_client.command.known_jobs import KnownJob, KnownJobs, idempotency_key
from ocr_client.command.names import STDIN, printable
from ocr_client.command.outputs import Part, say_to_stdout, to_stdout
from ocr_client.command.reading import OneFile, Plan, judged
from ocr_client.command.report import Report
from ocr_client.command.settings import Connection
from ocr_client.command.stopping import Exit, Stop
from ocr_client.command.tally import Done
from ocr_client.errors import NoSuchJob, OcrError
from ocr_client.many import as_they_come
from ocr_client.options import SUFFIXES, Format

_IN_MEMORY = 1 << 20


class HandIn(OneFile):
    """Hands a file in, in place of reading it."""

    known = KnownJobs()
    prints_ids = True

    async def made(self, file: Chosen, began: float) -> Done:
        if file.path == STDIN:
            raise Stop(Exit.USAGE, "--job takes files, not standard input.")
        key = idempotency_key(file.path, digest_of(self.plan.form, self.plan.options))
        job = await self.client.submit(
            file.path, format=self.plan.form, idempotency_key=key, traffic=self.traffic, **self.plan.options
        )
        self.known.add(job.id, self.connection.url, file.path, file.output, self.plan.form)
        return Done(file, "submitted", seconds=time.monotonic() - began, job=job.id)

    def reported(self, done: Done) -> None:
        super().reported(done)
        if self.prints_ids and done.job:
            say_to_stdout(f"{done.job}  {done.file.shown}")


async def hand_in(
    files: Iterable[Chosen], plan: Plan, connection: Connection, report: Report, *, prints_ids: bool
) -> None:
    """Print the id of each job. Raises Stop, and BrokenPipeError."""
    async with AsyncClient(**connection.arguments()) as client:
        one = HandIn(client, plan, connection, report)
        one.prints_ids = prints_ids
        async with contextlib.aclosing(
            as_they_come(files, one.read, lambda: one.traffic.pace.at_once)
        ) as outcomes:
            async for _ in outcomes:
                pass


def show(connection: Connection, console: Console) -> None:
    """A table of the jobs of this API key that were handed in here or elsewhere."""
    known = KnownJobs().of(connection.url)
    with Client(**connection.arguments()) as client:
        jobs = client.jobs(1000)
    table = Table(box=None, pad_edge=False)
    for name, width in (("id", 32), ("status", 9), ("pages", 8), ("handed in", 19)):
        table.add_column(name, no_wrap=True, min_width=width)
    table.add_column("file", overflow="fold")
    for job in reversed(jobs):
        name = printable(known[job.id].file) if job.id in known else ""
        style = {"failed": "red", "partial": "yellow", "complete": "green"}.get(job.status, "")
        table.add_row(
            job.id, f"[{style}]{job.status}[/]" if style else job.status, _pages(job), job.created[:19], name
        )
    console.print(table, markup=True) if jobs else console.print("There are no jobs.")


def _pages(job: Job) -> str:
    failed = f", {job.pages_failed} failed" if job.pages_failed else ""
    return f"{job.pages_done} of {'?' if job.pages_total is None else job.pages_total}{failed}"


def fetch(
    connection: Connection,
    ids: Sequence[str],
    report: Report,
    *,
    form: Format | None,
    folder: str | None,
    waits: bool,
    deletes: bool,
    as_json: bool,
) -> int:
    """Write the results of these jobs, or of all that were handed in here; returns how many have not ended.

    Raises:
        Stop: no server.
    """
    known = KnownJobs()
    ours = known.of(connection.url)
    left = 0
    with Client(**connection.arguments()) as client:
        for job_id in ids or list(ours):
            job = ours.get(job_id) or KnownJob(job_id, connection.url, job_id, None, form or "text", 0)
            wanted = form or cast("Format", job.format)
            output = _output(job, wanted, folder, to_stdout=len(ids) == 1 and not as_json)
            done = _fetched(client, job, Chosen(job.file, output), wanted, waits=waits)
            if done is None:
                left += 1
                continue
            report.done(done)
            if done.status != "failed" or done.code == "not_found":
                known.forget(job_id)
            if deletes and done.status != "failed":
                client.delete(job_id)
    return left


def _output(job: KnownJob, form: Format, folder: str | None, *, to_stdout: bool) -> str | None:
    if folder is not None:
        name = os.path.basename(job.file)  # noqa: PTH119 - names may have any bytes
        return os.path.join(folder, f"{name}.{job.id[:8]}{SUFFIXES[form]}")  # noqa: PTH118 - of two folders, perhaps
    if to_stdout:
        return None
    return job.output or f"{job.file}{SUFFIXES[form]}"


def _fetched(client: Client, job: KnownJob, file: Chosen, form: Format, *, waits: bool) -> Done | None:
    began = time.monotonic()
    try:
        found = client.wait(job.id) if waits else client.job(job.id)
        if not found.has_ended:
            return None
        if file.output is None:
            with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
                target = cast("BinaryIO", spool)
                done = judged(file, target, client.result_into(job.id, target, format=form), form, began)
                target.seek(0)
                to_stdout(target)
                return done
        part = Part(file.output)
        with part as target:
            done = judged(file, target, client.result_into(job.id, target, format=form), form, began)
            part.keep()
    except NoSuchJob as error:
        return Done(file, "failed", code=error.code, detail=f"{job.id}: {error.detail}")
    except OcrError as error:
        if error.code == "server_gone":
            raise Stop(Exit.NO_SERVER, f"The server cannot be reached. {error.detail}") from None
        pages = tuple((page.page, page.code) for page in error.pages)
        return Done(file, "failed", None, pages, error.code, error.detail, 0, error.request_id, job.id)
    return done
