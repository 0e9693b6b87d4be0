"""The pages of a document's answer: each is written to disk when it is ready, and read in the requested order."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import orjson

from api_gateway import errors
from api_gateway.answer import Answer, AnswerPage, Totals
from api_gateway.errors import disk_errors
from service_kit.budget import Budget

_MAX_TOLD = 100  # failed pages listed in an error


class Record:
    """One line of JSON per page in the file `path`. A context manager that closes the file and keeps it."""

    def __init__(self, path: Path, disk: Budget, numbers: Sequence[int]) -> None:
        """`disk` counts the file's bytes; `numbers` are the pages in the requested order."""
        self.path = path
        self.numbers = numbers
        self.totals = Totals()
        self._disk = disk.take(0)
        self._places: dict[int, tuple[int, int]] = {}
        self.size = 0
        with disk_errors():
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        os.close(self._file)
        self._disk.give_back()

    async def begin(self, _number: int) -> None:
        """A request reads each of its pages."""

    async def put(self, page: AnswerPage) -> None:
        """Add a page; pages may come in any order.

        Raises:
            NoSpace.
        """
        line = orjson.dumps(page, option=orjson.OPT_APPEND_NEWLINE)
        with disk_errors():
            self._disk.resize(self.size + len(line))
            written = os.pwrite(self._file, line, self.size)
            if written < len(line):  # the disk is full: the next write raises
                os.pwrite(self._file, line[written:], self.size + written)
        self._places[page["page"]] = (self.size, len(line))
        self.size += len(line)
        self.totals.add(page)

    @property
    def places(self) -> list[tuple[int, int]]:
        """Offset and size of each page's line in the file, in the requested order."""
        return [self._places[number] for number in self.numbers]

    @property
    def failed(self) -> list[dict[str, Any]]:
        """Number, code and detail of each page that failed, in the requested order."""
        found = {page["page"]: page for page in self.totals.failed}
        return [found[number] for number in self.numbers if number in found]

    def line(self, number: int) -> bytes:
        """The page's line of JSON."""
        offset, size = self._places[number]
        return os.pread(self._file, size, offset)

    def __iter__(self) -> Iterator[AnswerPage]:
        """The pages in the requested order, one at a time in memory."""
        for number in self.numbers:
            yield orjson.loads(self.line(number))

    def answer(self, request_id: str, page_count: int) -> Answer:
        return self.totals.answer(request_id, page_count)

    def check(self, *, allow_partial: bool) -> None:
        """Refuse the whole document if pages failed, unless the client accepts the others.

        Raises:
            PagesFailed, PagesNotRead.
        """
        failed = self.failed
        if not failed or (allow_partial and len(failed) < self.totals.pages):
            return
        passing = all(page["code"] in errors.PASSING for page in failed)
        raise (errors.PagesNotRead if passing else errors.PagesFailed)(failed[:_MAX_TOLD])
