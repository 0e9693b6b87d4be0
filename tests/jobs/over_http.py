"""A client of jobs over HTTP, and what is in the store's tables."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from api_gateway.jobs.sql.sqlite import FILE

JOBS = "/gateway/jobs"
FINAL = ("complete", "partial", "failed", "cancelled")


@dataclass
class Event:
    name: str
    id: str | None
    data: Any


def submit(
    client: httpx.Client,
    *files: bytes,
    password: str | None = None,
    headers: Mapping[str, str] | Mapping[bytes, bytes] | None = None,
    **query: str,
) -> httpx.Response:
    parts: list[tuple[str, Any]] = [("image_file", (f"{at}.bin", file)) for at, file in enumerate(files)]
    if password is not None:
        parts.append(("password", (None, password)))
    return client.post(JOBS, files=parts, params=query, headers=headers)


def submitted(client: httpx.Client, *files: bytes, **more: Any) -> dict[str, Any]:
    answer = submit(client, *files, **more)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


def events(client: httpx.Client, job_id: str, last_id: str | None = None) -> Iterator[Event]:
    headers = {} if last_id is None else {"last-event-id": last_id}
    with client.stream("GET", f"{JOBS}/{job_id}/events", headers=headers) as stream:
        assert stream.status_code == 200, stream.read()
        assert stream.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in stream.iter_lines():
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                yield Event(fields["event"], fields.get("id"), json.loads(fields["data"]))
                fields = {}


def ended(client: httpx.Client, job_id: str) -> dict[str, Any]:
    """Wait for the job's end; its status then."""
    last = list(events(client, job_id))[-1]
    assert last.name == "end"
    status = client.get(f"{JOBS}/{job_id}").json()
    assert status == last.data
    assert status["status"] in FINAL
    found: dict[str, Any] = status
    return found


@dataclass
class Tables:
    """The database of a gateway's jobs, as it is on disk."""

    folder: Path

    def count(self, table: str) -> int:
        with sqlite3.connect(f"file:{self.folder / FILE}?mode=ro", uri=True) as connection:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    @property
    def counts(self) -> tuple[int, int, int]:
        return self.count("jobs"), self.count("inputs"), self.count("pages")


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
