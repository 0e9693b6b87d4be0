"""From the first signal or error to the exit code: no traceback, no half sentence."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress

import typer
from rich.console import Console
from rich.text import Text

from ocr_client.command.report import Report
from ocr_client.command.stopping import Exit, Stop
from ocr_client.command.tally import Tally
from ocr_client.errors import AuthError, OcrError, Refused, ServerGone


def run(work: Callable[[], Coroutine[None, None, None]], report: Report, tally: Tally, *, resumable: bool) -> None:
    """Run the work, show the summary and exit.

    Raises:
        typer.Exit: always.
    """
    code, said = Exit.ALL_READ, ""
    try:
        with report, _terminated_like_interrupted():
            asyncio.run(work())
        code = tally.exit_code
    except Stop as stop:
        code, said = stop.code, str(stop)
    except (KeyboardInterrupt, asyncio.CancelledError):
        code, said = Exit.INTERRUPTED, "Interrupted."
    except BrokenPipeError:
        code = Exit.PIPE_CLOSED
    if code is not Exit.PIPE_CLOSED and (tally.total != 1 or tally.failures):
        report.summary()
    if said:
        error(said + (" The same command with --resume reads the rest." if resumable else ""))
    leave(code)


def leave(code: Exit) -> None:
    """Raises typer.Exit, with another code if standard output is closed or full."""
    try:
        sys.stdout.flush()
    except OSError as failed:
        if code is Exit.ALL_READ:
            code = Exit.PIPE_CLOSED if isinstance(failed, BrokenPipeError) else Exit.NO_OUTPUT
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left in the buffer must not fail again
    raise typer.Exit(code)


def error(text: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(text, "bold red"))


@contextmanager
def errors_end_it() -> Iterator[None]:
    """For commands that ask the server one thing: its errors as a line and an exit code."""
    try:
        yield
    except Stop as stop:
        error(str(stop))
        leave(stop.code)
    except AuthError as refused:
        error(f"{refused.detail} Set OCR_KEY, or `key` in the configuration file.")
        leave(Exit.NO_ACCESS)
    except OcrError as failed:
        gone = isinstance(failed, ServerGone | Refused) or failed.code in ("not_the_service", "bad_certificate")
        error(failed.detail if gone else str(failed))
        leave(Exit.NO_SERVER if gone else Exit.SOME_FAILED)
    except KeyboardInterrupt:
        leave(Exit.INTERRUPTED)
    except BrokenPipeError:
        leave(Exit.PIPE_CLOSED)
    except OSError as failed:
        error(failed.strerror or str(failed))
        leave(Exit.NO_OUTPUT)


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM as Ctrl-C: no part of an output is left."""

    def interrupt(_number: int, _frame: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
