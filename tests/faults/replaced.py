"""Which workers were replaced, and why."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.faults.conftest import Record
from tests.faults.pair import Pair, by_label, little, metrics, outcomes, until

RESTARTS = "ocr_worker_restarts_total"


def restarts(pair: Pair) -> Counter[str]:
    return by_label(metrics(pair.model.service), RESTARTS, "reason")


def replaced(pair: Pair, before: Counter[str], record: Record | None = None, **reasons: int) -> None:
    """Wait until workers have been replaced for exactly these reasons, and all of them exist."""
    began = time.monotonic()
    until(lambda: (restarts(pair) - before).total() >= sum(reasons.values()), "workers replaced")
    pair.wait_workers()
    assert restarts(pair) - before == reasons
    if record:
        record.saw("full strength again", "2 of 2 workers", time.monotonic() - began)


def both_hang(pair: Pair, record: Record, picture: bytes, how: str) -> None:
    """Have both workers hang at this picture: its pages are answered in time, and both workers replaced."""
    before = restarts(pair)
    budget = {"x-request-timeout": "1"}
    with ThreadPoolExecutor(2) as pool:
        hanging = [pool.submit(pair.read, picture, headers=budget) for _ in range(2)]
        found = [answer.result() for answer in hanging]
    assert outcomes(found) == {"504 deadline_exceeded": 2}
    slowest = max(found, key=lambda answer: answer.seconds)
    assert slowest.seconds < 1 + little()
    record.answer(f"2 of 2 workers {how}, budget 1 s", slowest)
    replaced(pair, before, record, deadline=2)
    record.whole(pair)
