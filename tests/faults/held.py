"""The gateway, which stops itself (SIGSTOP) where the test wants: `python -m tests.faults.held`.

It stops before or after the commit of the next transaction with a statement that matches. The process may have a
clock of its own, hang in a call, and find addresses as the test wants.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import orjson
import psutil
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.engine.default import DefaultDialect

from tests.faults.pair import until

STOP = "HELD_STOP"  # a file with the moment and a pattern
CLOCK = "HELD_CLOCK"  # seconds that are added to the process's wall clock
HANG = "HELD_HANG"  # a file: the next call for a page removes it, and hangs
NAMES = "HELD_NAMES"  # a file: addresses of each name; each look-up takes the next one, and the last one stays

Moment = Literal["before", "after"]
_LONGEST = 2000  # characters of parameters that are looked at


class Stop:
    """The test's side: where a process stops, and that it has."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "stop"
        self.environment = {STOP: str(self._file)}

    def at(self, moment: Moment, pattern: str) -> None:
        """Stop before or after the commit of the next transaction with a statement (or its values) like this."""
        re.compile(pattern)
        new = self._file.with_suffix(".new")
        new.write_text(f"{moment} {pattern}")
        new.rename(self._file)

    def nowhere(self) -> None:
        self._file.unlink(missing_ok=True)

    def wait(self, seconds: float = 20) -> int:
        """Wait until a process has stopped there; its id."""
        reached = self._file.with_suffix(".reached")
        until(reached.exists, f"a process stops {self._what()}", seconds)
        pid = int(reached.read_text())
        until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, "it has stopped")
        reached.unlink()
        return pid

    def _what(self) -> str:
        return self._file.read_text() if self._file.exists() else ""


def _stop_at_commits(file: Path) -> None:
    said: dict[int, list[str]] = {}
    commit = DefaultDialect.do_commit

    @event.listens_for(Engine, "begin")
    def begin(connection: Connection) -> None:
        said[id(connection.connection.dbapi_connection)] = []

    @event.listens_for(Engine, "before_cursor_execute")
    def statement(connection: Connection, _cursor: Any, text: str, values: Any, *_more: Any) -> None:
        if file.exists():
            lines = said.setdefault(id(connection.connection.dbapi_connection), [])
            lines.append(f"{text} {str(values)[:_LONGEST]}")

    def stop(lines: list[str], now: Moment) -> None:
        with contextlib.suppress(FileNotFoundError):
            moment, _, pattern = file.read_text().partition(" ")
            if moment == now and any(re.search(pattern, line, re.DOTALL | re.IGNORECASE) for line in lines):
                reached = file.with_suffix(".reached")
                file.unlink()  # only one process has this moment
                reached.with_suffix(".writing").write_text(str(os.getpid()))
                reached.with_suffix(".writing").rename(reached)
                # To this thread: the process stops at once. Otherwise another thread may take the signal later.
                signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

    def do_commit(self: DefaultDialect, connection: Any) -> None:
        lines = said.get(id(getattr(connection, "dbapi_connection", connection)), [])
        stop(lines, "before")
        commit(self, connection)  # type: ignore[no-untyped-call]
        stop(lines, "after")
        lines.clear()

    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]


def _hang_in_calls(file: Path) -> None:
    from api_gateway.upstream.client import ModelServer  # noqa: PLC0415 - after what else is changed here

    call = ModelServer.read_document_page

    async def hang(*arguments: Any, **named: Any) -> Any:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(file)  # noqa: PTH108 - not in another thread
            await asyncio.Event().wait()
        return await call(*arguments, **named)

    ModelServer.read_document_page = hang  # type: ignore[method-assign]


def _shift_clock(seconds: float) -> None:
    real, real_ns = time.time, time.time_ns
    time.time = lambda: real() + seconds
    time.time_ns = lambda: real_ns() + int(seconds * 1e9)


def _find_addresses(file: Path) -> None:
    real = socket.getaddrinfo
    asked: dict[str, int] = {}

    def find(host: Any, port: Any, *more: Any, **named: Any) -> Any:
        names: Mapping[str, list[str]] = orjson.loads(file.read_bytes())
        if isinstance(host, bytes):
            host = host.decode()
        if host not in names:
            return real(host, port, *more, **named)
        number = asked[host] = asked.get(host, 0) + 1
        address = names[host][min(number, len(names[host])) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, int(port or 0)))]

    socket.getaddrinfo = find


def main() -> None:
    from api_gateway.__main__ import main as serve  # noqa: PLC0415 - what it imports first is changed below

    if file := os.environ.get(STOP):
        _stop_at_commits(Path(file))
    if seconds := os.environ.get(CLOCK):
        _shift_clock(float(seconds))
    if file := os.environ.get(HANG):
        _hang_in_calls(Path(file))
    if file := os.environ.get(NAMES):
        _find_addresses(Path(file))
    serve()


if __name__ == "__main__":
    main()
