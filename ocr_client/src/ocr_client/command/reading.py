"""Files to outputs, as many at once as the server takes."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass
from typing import BinaryIO, cast

from ocr_client.answers import Written
from ocr_client.async_client import AsyncClient
from ocr_client.command import standard_input
from ocr_client.command.counting import failed_in, pages_in
from ocr_client.command.inputs import Chosen
from ocr_client.command.journal import Journals, digest_of, state_of
from ocr_client.command.names import STDIN, is_too_long
from ocr_client.command.outputs import Part, Unwritable, to_stdout
from ocr_client.command.report import Report
from ocr_client.command.settings import Connection
from ocr_client.command.stopping import Exit, Stop
from ocr_client.command.tally import Done
from ocr_client.errors import AuthError, OcrError, Refused, ServerGone
from ocr_client.many import as_they_come
from ocr_client.options import Format, ReadOptions
from ocr_client.traffic import Traffic

_FIRST_PATIENCE = 5.0  # for a server that has not answered yet: its address may be wrong
_IN_MEMORY = 1 << 20


@dataclass(frozen=True)
class Plan:
    """What is wanted of each file. `resume`: outputs that are complete are not made again."""

    form: Format
    options: ReadOptions
    resume: bool


async def read_all(
    files: Iterable[Chosen] | AsyncIterable[Chosen], plan: Plan, connection: Connection, report: Report
) -> None:
    """Raises Stop if nothing more can be read or written, and BrokenPipeError."""
    async with AsyncClient(**connection.arguments()) as client:
        one = OneFile(client, plan, connection, report)
        async with contextlib.aclosing(
            as_they_come(files, one.read, lambda: one.traffic.pace.at_once)
        ) as outcomes:
            async for _ in outcomes:
                pass


class OneFile:
    """One file to its output. A subclass may do something else with it."""

    def __init__(self, client: AsyncClient, plan: Plan, connection: Connection, report: Report) -> None:
        self.client = client
        self.plan = plan
        self.connection = connection
        self.report = report
        self._journals = Journals(digest_of(plan.form, plan.options))
        self._told: float | None = None
        self.traffic = Traffic(connection.patience, connection.at_once, first_patience=_FIRST_PATIENCE)
        self.traffic.on_wait = self._waiting

    async def read(self, file: Chosen) -> Done:
        began = time.monotonic()
        try:
            done = await self.made(file, began)
        except AuthError as error:
            raise Stop(
                Exit.NO_ACCESS, f"{error.detail} Set OCR_KEY, or `key` in the configuration file."
            ) from None
        except OcrError as error:
            self._check_server(error)
            pages = tuple((page.page, page.code) for page in error.pages)
            done = Done(file, "failed", None, pages, error.code or "unknown", error.detail, 0, error.request_id)
        except Unwritable as error:
            done = Done(file, "failed", code="unwritable_output", detail=error.strerror or "")
        except BrokenPipeError:
            raise
        except OSError as error:
            done = Done(file, "failed", code="unreadable_file", detail=error.strerror or str(error))
        self.reported(done)  # here, so that Ctrl-C cannot come between an output and its report
        return done

    def reported(self, done: Done) -> None:
        self.report.done(done)

    async def made(self, file: Chosen, began: float) -> Done:
        plan = self.plan
        if file.output is None:
            with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
                target = cast("BinaryIO", spool)
                written = await self._read_into(file, target)
                done = judged(file, target, written, plan.form, began)
                target.seek(0)
                to_stdout(target)
                return done
        if is_too_long(file.output):
            raise Unwritable(0, "The output's name would be too long.")
        if plan.resume and file.path != STDIN and self._journals.has(file.path, file.output):
            return Done(file, "skipped")
        before = None if file.path == STDIN else state_of(file.path)
        part = Part(file.output)
        with part as target:
            written = await self._read_into(file, target)
            done = judged(file, target, written, plan.form, began)
            part.keep()
        if done.status == "ok" and before is not None:
            self._journals.add(before, file.output)
        return done

    async def _read_into(self, file: Chosen, target: BinaryIO) -> Written:
        source = standard_input.copy() if file.path == STDIN else file.path
        return await self.client.read_into(
            source, target, format=self.plan.form, traffic=self.traffic, **self.plan.options
        )

    def _check_server(self, error: OcrError) -> None:
        """Raises Stop if the error is not that of one file."""
        if isinstance(error, ServerGone) and not error.sent:
            raise Stop(Exit.NO_SERVER, f"The server cannot be reached. {error.detail}") from None
        if isinstance(error, Refused):
            raise Stop(Exit.NO_SERVER, f"The server was busy for too long. {error}") from None
        if error.code in ("not_the_service", "bad_certificate"):
            raise Stop(Exit.NO_SERVER, error.detail) from None

    def _waiting(self, error: OcrError) -> None:
        """Say so once for each time that the server does not answer; a busy one is nothing unusual."""
        since = self.traffic.waiting_since()
        if isinstance(error, ServerGone) and since != self._told:
            self._told = since
            self.report.waiting(error, self.traffic.limit())


def judged(file: Chosen, target: BinaryIO, written: Written, form: Format, began: float) -> Done:
    """What is to be said of an output."""
    failed = failed_in(target, form) or [(page, "") for page in written.failed_pages]
    return Done(
        file,
        "partial" if failed else "ok",
        pages_in(target, form),
        tuple(failed),
        seconds=time.monotonic() - began,
        request_id=written.request_id,
    )
