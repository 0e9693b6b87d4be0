"""What people and scripts see: a progress bar, lines of JSON, and the summary.

All but JSON goes to standard error.
"""

from __future__ import annotations

import json
from collections import defaultdict
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from ocr_client.command.advice import advice
from ocr_client.command.names import printable
from ocr_client.command.outputs import say_to_stdout
from ocr_client.command.tally import Done, Tally
from ocr_client.errors import OcrError, ServerGone

_MOST_NAMES = 10  # of files with the same fault
_MOST_PAGES = 20  # of one file


class Report:
    """A context manager: the bar is there until it is left."""

    def __init__(self, tally: Tally, *, as_json: bool, quiet: bool, bar: bool, each: bool = False) -> None:
        """`each`: a line for each file, in place of a bar."""
        self._tally = tally
        self._as_json = as_json
        self._quiet = quiet
        self._each = each
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._progress: Progress | None = None
        if bar and not quiet and self._console.is_terminal:
            self._progress = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[speed]}"),
                TimeRemainingColumn(),
                console=self._console,
                refresh_per_second=5,
                transient=True,
            )
            self._task = self._progress.add_task("Reading", total=tally.total, speed="")

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        if self._progress is not None:
            self._progress.stop()

    def done(self, done: Done) -> None:
        """Raises Stop or BrokenPipeError: the JSON cannot be written."""
        self._tally.add(done)
        if self._as_json:
            say_to_stdout(json.dumps(done.as_json()))
        if self._each and done.status != "skipped":
            self.say(f"{done.file.shown}: {_what(done) if done.status in ('failed', 'partial') else 'read'}")
        if self._progress is None:
            return
        if done.status in ("failed", "partial"):
            self.say(f"{done.file.shown}: {_what(done)}", "red" if done.status == "failed" else "yellow")
        counted = self._tally.pages if self._tally.knows_pages else self._tally.read
        unit = "pages" if self._tally.knows_pages else "files"
        speed = f"{counted / self._tally.seconds:.1f} {unit}/s"
        self._progress.update(self._task, completed=self._tally.finished, speed=speed, description="Reading")

    def waiting(self, error: OcrError, patience: float) -> None:
        what = "cannot be reached" if isinstance(error, ServerGone) else "is busy"
        limit = "" if patience == float("inf") else f" up to {patience:g} s"
        self.say(f"The server {what}; waiting{limit}. {error.detail}", "yellow")

    def say(self, text: str, style: str = "") -> None:
        if not self._quiet:
            self._console.print(Text(text, style))

    def summary(self) -> None:
        """Counts, and the failed files by their fault."""
        tally = self._tally
        by_code: dict[str, list[Done]] = defaultdict(list)
        for done in tally.kept:
            by_code["failed_pages" if done.status == "partial" else done.code].append(done)
        self.say(_counts(tally), "red" if tally.failures else "green")
        for code, failed in sorted(by_code.items(), key=lambda item: -len(item[1])):
            what, remedy = advice(code)
            count = f"{len(failed)} file{'s' * (len(failed) > 1)}"
            text = Text(f"\n{count}: {what}", "bold")
            text.append(f" ({code})\n", "dim")
            text.append(f"  {remedy}\n", "not bold cyan")
            text.append("".join(f"    {_line(done)}\n" for done in failed[:_MOST_NAMES]), "not bold")
            if len(failed) > _MOST_NAMES:
                text.append(f"    and {len(failed) - _MOST_NAMES} more\n", "not bold")
            text.rstrip()
            self._console.print(text)


def _counts(tally: Tally) -> str:
    parts = []
    if tally.read:
        pages = f", {tally.pages} pages" if tally.knows_pages and tally.pages else ""
        rate = tally.pages if tally.knows_pages else tally.read
        unit = "pages" if tally.knows_pages else "files"
        parts.append(f"{tally.read} read{pages}, {rate / tally.seconds:.1f} {unit}/s")
    if tally.submitted:
        parts.append(f"{tally.submitted} handed in")
    if tally.skipped:
        parts.append(f"{tally.skipped} skipped, which were read before")
    if tally.failed:
        parts.append(f"{tally.failed} failed")
    if partial := tally.failures - tally.failed:
        parts.append(f"{partial} with failed pages")
    if tally.total is not None and (left := tally.total - tally.finished) > 0:
        parts.append(f"{left} not read")
    return "; ".join(parts or ["Nothing was read"]) + "."


def _what(done: Done) -> str:
    if done.status == "partial":
        return f"{_numbers(done)} could not be read"
    return advice(done.code)[0]


def _line(done: Done) -> str:
    """The file, and what the summary's heading does not say."""
    shown = done.file.shown
    if done.failed_pages:
        return f"{shown}: {_numbers(done)}"
    return f"{shown}: {printable(done.detail)}" if done.detail else shown


def _numbers(done: Done) -> str:
    shown = [f"{page} ({code})" if code else str(page) for page, code in done.failed_pages[:_MOST_PAGES]]
    more = " …" if len(done.failed_pages) > _MOST_PAGES else ""
    return f"page{'s' * (len(done.failed_pages) > 1)} {', '.join(shown)}{more}"
