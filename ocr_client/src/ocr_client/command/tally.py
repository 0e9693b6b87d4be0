"""The outcome of each file, and their sum."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Literal

from ocr_client.command.inputs import Chosen
from ocr_client.command.stopping import Exit

_MOST_KEPT = 10_000  # failed files whose names the summary may show; a watch may run for months


@dataclass(frozen=True, slots=True)
class Done:
    """One file. `pages` counts the failed ones, too; None: not known. Codes of failed pages may be empty."""

    file: Chosen
    status: Literal["ok", "partial", "failed", "skipped", "submitted"]
    pages: int | None = None
    failed_pages: tuple[tuple[int, str], ...] = ()
    code: str = ""
    detail: str = ""
    seconds: float = 0.0
    request_id: str = ""
    job: str = ""

    def as_json(self) -> dict[str, Any]:
        """A line of `--json`. Bytes of names that are not UTF-8 are lone surrogates, as Python has them."""
        found: dict[str, Any] = {
            "file": self.file.path,
            "status": self.status,
            "output": self.file.output if self.status != "failed" else None,
            "pages": self.pages,
            "failed_pages": [
                {"page": page, **({"code": code} if code else {})} for page, code in self.failed_pages
            ],
            "seconds": round(self.seconds, 3),
        }
        if self.job:
            found["job"] = self.job
        if self.request_id:
            found["request_id"] = self.request_id
        if self.code:
            found |= {"code": self.code, "detail": self.detail}
        return found


@dataclass
class Tally:
    total: int | None
    began: float = field(default_factory=time.monotonic)
    read: int = 0
    skipped: int = 0
    submitted: int = 0
    failed: int = 0
    failures: int = 0  # with those of which pages failed
    pages: int = 0
    knows_pages: bool = True
    kept: list[Done] = field(default_factory=list)

    def add(self, done: Done) -> None:
        if done.status in ("ok", "partial"):
            self.read += 1
            self.pages += max(0, (done.pages or 0) - len(done.failed_pages))
            self.knows_pages = self.knows_pages and done.pages is not None
        self.skipped += done.status == "skipped"
        self.submitted += done.status == "submitted"
        self.failed += done.status == "failed"
        if done.status in ("failed", "partial"):
            self.failures += 1
            if len(self.kept) < _MOST_KEPT:
                self.kept.append(done)

    @property
    def seconds(self) -> float:
        return max(1e-3, time.monotonic() - self.began)

    @property
    def finished(self) -> int:
        return self.read + self.skipped + self.submitted + self.failed

    @property
    def exit_code(self) -> Exit:
        return Exit.SOME_FAILED if self.failures else Exit.ALL_READ
