"""When a webhook is tried again: the schedule that Standard Webhooks 1.0 has as its example."""

from __future__ import annotations

import random

_AFTER_SECONDS = (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
"""Times of the tries since the first one. The times between them are what counts, so no clock is needed."""
_JITTER = 0.1


def pause_after(attempt: int) -> float | None:
    """Seconds from a try that failed to the next one; None: it was the last one. The first attempt is 1."""
    if attempt >= len(_AFTER_SECONDS):
        return None
    pause = _AFTER_SECONDS[attempt] - _AFTER_SECONDS[attempt - 1]
    return pause * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads the load, protects nothing
