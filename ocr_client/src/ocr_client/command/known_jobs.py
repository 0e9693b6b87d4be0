"""Which file each job was made of: the server does not know their names."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from ocr_client.command.journal import state_of
from ocr_client.command.settings import state_folder

_LONGEST_SECONDS = 8 * 86_400.0  # the server keeps jobs for at most a week after their end, by default


@dataclass(frozen=True)
class KnownJob:
    """`file` and `output` are absolute paths; `output` None: standard output."""

    id: str
    url: str
    file: str
    output: str | None
    format: str
    at: float


class KnownJobs:
    """A file of lines of JSON in the user's state folder.

    The last line of an id counts; one with `gone` removes it.
    """

    def __init__(self) -> None:
        self._path: Path = state_folder() / "jobs.jsonl"

    def add(self, job_id: str, url: str, file: str, output: str | None, form: str) -> None:
        absolute = None if output is None else os.path.abspath(output)  # noqa: PTH100 - links stay as they are
        job = KnownJob(job_id, url, os.path.abspath(file), absolute, form, time.time())  # noqa: PTH100
        self._append(asdict(job))

    def forget(self, job_id: str) -> None:
        self._append({"id": job_id, "gone": True})

    def of(self, url: str) -> dict[str, KnownJob]:
        """Those of a server, by their id, the oldest first."""
        found: dict[str, KnownJob] = {}
        lines = 0
        with contextlib.suppress(OSError), self._path.open("rb") as file:
            for line in file:
                lines += 1
                with contextlib.suppress(ValueError, TypeError, KeyError):
                    entry = json.loads(line)
                    if entry.get("gone"):
                        found.pop(entry["id"], None)
                    elif entry["at"] > time.time() - _LONGEST_SECONDS:
                        found[entry["id"]] = KnownJob(**entry)
        if lines > 2 * len(found) + 1000:
            self._rewrite(found)
        return {job.id: job for job in found.values() if job.url == url}

    def _append(self, entry: dict[str, object]) -> None:
        with contextlib.suppress(OSError):  # the ids are printed, too
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._path.open("ab", buffering=0) as file:
                file.write(json.dumps(entry).encode() + b"\n")  # in one piece: several commands may write

    def _rewrite(self, jobs: dict[str, KnownJob]) -> None:
        new = self._path.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):
            new.write_bytes(b"".join(json.dumps(asdict(job)).encode() + b"\n" for job in jobs.values()))
            new.replace(self._path)


def idempotency_key(path: str, digest: str) -> str:
    """The same for the same file, unchanged, with the same options: handed in again, it is the same job."""
    size, changed = state_of(path)
    what = os.fsencode(os.path.abspath(path)) + f"\0{size}\0{changed}\0{digest}".encode()  # noqa: PTH100
    return "ocr-" + hashlib.sha256(what).hexdigest()
