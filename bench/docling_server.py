"""The model server, and a record of how long its loop was blocked and when each page went to a worker.

`python -m bench.docling_server` writes to the file that BENCH_DOCLING names, one JSON object a line: times of the
monotonic clock, which all processes of a machine share. A block is counted in processor time of the loop's thread:
what others do on the machine does not count.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_server import __main__ as program
from model_server.workers import Workers
from service_kit.child import Child

if TYPE_CHECKING:
    from io import TextIOWrapper

RECORD = "BENCH_DOCLING"
_TICK_SECONDS = 0.002
_BLOCKED_SECONDS = 0.001  # shorter ones are of no interest


def main() -> None:
    with Path(os.environ[RECORD]).open("w", buffering=1) as record:
        _watch_calls(record)
        _watch_loop(record)
        program.main()


def _watch_calls(record: TextIOWrapper) -> None:
    call = Child.call

    async def watched(child: Child, *question: Any, **more: Any) -> Any:
        _write(record, "begins", time.monotonic(), 0.0)
        return await call(child, *question, **more)

    Child.call = watched  # type: ignore[assignment, method-assign]


def _watch_loop(record: TextIOWrapper) -> None:
    """From the start of the workers on."""
    tasks: list[asyncio.Task[None]] = []
    started = Workers.start

    async def tick() -> None:
        used = time.thread_time()
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            before, used = used, time.thread_time()
            if used - before > _BLOCKED_SECONDS:
                _write(record, "blocked", time.monotonic(), used - before)

    async def start(workers: Any) -> None:
        tasks.append(asyncio.create_task(tick()))
        await started(workers)

    Workers.start = start  # type: ignore[assignment, method-assign]


def _write(record: TextIOWrapper, what: str, at: float, seconds: float) -> None:
    record.write(json.dumps({"what": what, "at": at, "seconds": seconds}) + "\n")


if __name__ == "__main__":
    main()
