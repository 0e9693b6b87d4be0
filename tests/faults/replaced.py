"""Which workers were replaced, and why."""

from __future__ import annotations

import time
from collections import Counter

from tests.faults.conftest import Record
from tests.faults.pair import Pair, by_label, metrics, until

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
