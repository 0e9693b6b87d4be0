"""Reads pages with all subjects, several pages at a time.

A lane is one page at a time: one process draws the page, then each subject reads it in a process of its own, one
after the other. So the subjects of a page share the state of the machine, and their CPU times can be divided.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Self

from quality import metrics
from quality.page import Page
from quality.readers import TESSDATA, Reader, Reading
from quality.score import Score
from quality.subjects import SUBJECTS

_THREADS = {"OMP_THREAD_LIMIT": "1", "OMP_NUM_THREADS": "1"}
_PSM = 3
_DEFAULT_LANGUAGE = "eng"


class Job:
    """A page of a set. `make` is called in a child process, so it must be picklable."""

    def __init__(self, of: str, number: int, make: Callable[[], Page]) -> None:
        self.of = of
        self.number = number
        self.make = make


def measure(jobs: Sequence[Job], subjects: Sequence[str], lanes: int) -> Iterator[list[Score]]:
    """The scores of each page, in the order in which the pages are ready.

    Raises:
        ReadFailed: a subject did not read a page.
        BrokenProcessPool: the process of a subject ended.
    """
    os.environ.update(_THREADS)
    free: SimpleQueue[_Lane] = SimpleQueue()
    done: SimpleQueue[Future[list[Score]]] = SimpleQueue()

    def read(job: Job) -> list[Score]:
        lane = free.get()
        try:
            return lane.read(job)
        finally:
            free.put(lane)

    with contextlib.ExitStack() as opened:
        for _ in range(lanes):
            free.put(opened.enter_context(_Lane(subjects)))
        threads = opened.enter_context(ThreadPoolExecutor(lanes))
        opened.callback(threads.shutdown, wait=False, cancel_futures=True)
        for job in jobs:
            threads.submit(read, job).add_done_callback(done.put)
        for _ in jobs:
            yield done.get().result()


class _Lane:
    def __init__(self, subjects: Sequence[str]) -> None:
        context = multiprocessing.get_context("spawn")
        self._painter = ProcessPoolExecutor(1, context)
        self._readers = {name: ProcessPoolExecutor(1, context, _prepare, (name,)) for name in subjects}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self._painter, *self._readers.values()):
            process.shutdown(cancel_futures=True)

    def read(self, job: Job) -> list[Score]:
        page = self._painter.submit(job.make).result()
        return [
            _scored(job, name, page, process.submit(_read, page).result())
            for name, process in self._readers.items()
            if job.of not in SUBJECTS[name].without
        ]


class _Here:
    """The reader of this child process."""

    subject: str
    reader: Reader


def _prepare(subject: str) -> None:
    _Here.subject = subject
    _Here.reader = SUBJECTS[subject].reader()


def _read(page: Page) -> Reading:
    installed = (TESSDATA / f"{page.language}.traineddata").exists()
    languages = (page.language if installed else _DEFAULT_LANGUAGE,)
    return _Here.reader.read(page.file, engine=SUBJECTS[_Here.subject].engine, languages=languages, psm=_PSM)


def _scored(job: Job, subject: str, page: Page, reading: Reading) -> Score:
    return Score(
        of=job.of,
        number=job.number,
        group=page.group,
        subject=subject,
        f1=metrics.bag_of_words_f1(page.text, reading.text),
        cer=metrics.character_error_rate(page.text, reading.text),
        cpu_seconds=reading.cpu_seconds,
        turned_wrongly=reading.rotation != page.rotation,
        read_again=reading.lines_read_again_share,
    )
