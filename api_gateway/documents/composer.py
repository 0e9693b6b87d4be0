"""Searchable PDFs, made from file and record by a child process."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple, Self

from api_gateway import errors
from api_gateway.documents.record import Record
from api_gateway.errors import disk_errors
from service_kit.budget import Budget, Share
from service_kit.child import CallLimits, Child, ChildLost, CommonMemory
from service_kit.deadline import Deadline
from service_kit.errors import DeadlineExceeded

log = logging.getLogger("composer")

_MODULE = "api_gateway.children.compose_main"
_ERRORS = {
    error.code: error
    for error in (errors.DamagedDocument, errors.WrongPassword, errors.NoSpace, errors.ComposerFailed)
}
_PIECE = 256 * 1024
_AT_ONCE = 2
_ANSWER_BYTES = 1 << 20
_START_SECONDS = 20.0
_ADDRESS_SPACE = 8  # times the memory at which the child is killed
_OVERHEAD = 1 << 20  # bytes of a PDF in addition to its source and its text
_STORED = 4  # maximum size of losslessly stored pixels, relative to the picture's file
_SMALL_PICTURE = 64 << 20


class Source(NamedTuple):
    """The upload."""

    path: Path
    kind: Literal["pdf", "tiff", "picture"]
    password: str | None = None


class Composed:
    """The PDF. A context manager that frees its disk space; the caller removes the folder."""

    def __init__(self, path: Path, disk: Share) -> None:
        self._path = path
        self._disk = disk

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._path.unlink(missing_ok=True)
        self._disk.give_back()

    def pieces(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            yield from iter(lambda: file.read(_PIECE), b"")


class Composer:
    """Composes PDFs for all requests of this gateway, a few at a time. Pictures do not wait behind documents."""

    def __init__(self, *, common: CommonMemory, disk: Budget, env: Mapping[str, str], kill_bytes: int) -> None:
        self._disk = disk
        self._env = env
        self._config = {"max_address_space": _ADDRESS_SPACE * kill_bytes}
        self._limits = CallLimits(
            resident_bytes=kill_bytes, answer_bytes=_ANSWER_BYTES, start_seconds=_START_SECONDS, common=common
        )
        self._documents = Budget(_AT_ONCE)
        self._pictures = Budget(_AT_ONCE)

    async def compose(
        self, source: Source, record: Record, folder: Path, page_count: int, deadline: Deadline
    ) -> Composed:
        """Make the upload a PDF with an invisible text layer, in a file in `folder`.

        Raises:
            DamagedDocument, WrongPassword, NoSpace, ComposerFailed, DeadlineExceeded.
        """
        turns = self._pictures if source.kind == "picture" else self._documents
        with await turns.wait(deadline=deadline):
            with disk_errors():
                share = self._disk.take(self._needed(source, record))
            made = folder / "ocr.pdf"
            try:
                await self._ask(
                    {
                        "from": str(source.path),
                        "kind": source.kind,
                        "password": source.password,
                        "to": str(made),
                        "all": list(record.numbers) == list(range(1, page_count + 1)),
                        "record": str(record.path),
                        "pages": record.places,
                        "numbers": list(record.numbers),
                        "max_bytes": int(share.amount),
                    },
                    deadline,
                )
                share.resize(made.stat().st_size)
            except BaseException:
                share.give_back()
                raise
            return Composed(made, share)

    async def _ask(self, question: dict[str, object], deadline: Deadline) -> None:
        limits = replace(self._limits, start_seconds=min(_START_SECONDS, deadline.left()))
        try:
            child = await Child.start(_MODULE, self._config, limits, self._env)
            try:
                said = (await child.call(question, deadline=deadline)).header
            finally:
                await child.close()
        except (ChildLost, DeadlineExceeded) as lost:
            if isinstance(lost, DeadlineExceeded) and not deadline.left():
                raise
            last_words = lost.last_words[-1000:] if isinstance(lost, ChildLost) else ""
            log.error("composer lost", extra={"cause": repr(lost), "last_words": last_words})  # noqa: TRY400
            raise errors.ComposerFailed(retry_after=10) from lost
        if error := said.get("error"):
            log.warning("no PDF made", extra=error)
            raise _ERRORS[error["code"]]

    def _needed(self, source: Source, record: Record) -> float:
        """Maximum bytes of disk for the PDF; the child enforces it. Pictures are stored twice for a while."""
        size = source.path.stat().st_size
        around = record.size + _OVERHEAD
        if source.kind == "pdf":
            return size + around
        most = 2 * (_STORED * size + _SMALL_PICTURE) + around
        return min(most, max(self._disk.free / 2, 2 * size + around))
