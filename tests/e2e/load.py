"""A steady load on the gateway, at 127.0.0.1, and what became of every request."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx

from tests.e2e.cluster import GATEWAY_URL

LONGEST_SECONDS = 600  # however long the test hangs, the load ends


@dataclass
class Outcome:
    at: float
    seconds: float
    status: int  # 0: no answer
    detail: str
    retry_after: str | None


@dataclass
class Load:
    """Clients that each upload, wait `pause` seconds after the answer, and upload again.

    Every other client opens a connection for each request; the rest keep theirs.
    """

    picture: bytes
    clients: int = 4
    pause: float = 0.5
    headers: dict[str, str] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    @contextlib.contextmanager
    def running(self, before: float = 3, after: float = 3) -> Iterator[Load]:
        """Load while the block runs, and a little before and after it."""
        self._threads = [
            threading.Thread(target=self._client, args=(number % 2 == 0,)) for number in range(self.clients)
        ]
        for thread in self._threads:
            thread.start()
        try:
            time.sleep(before)
            yield self
            time.sleep(after)
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()

    def pause_until_next(self) -> None:
        """Let the clients go on for a moment."""
        self._stop.wait(0.5)

    def statuses(self) -> Counter[int]:
        return Counter(outcome.status for outcome in self.outcomes)

    def bad(self, *, honest_503: bool = False) -> list[str]:
        """What was not answered well; with `honest_503`, a 503 that says when to come back passes."""
        return [
            f"{outcome.at - self.outcomes[0].at:.1f} s: {outcome.status} {outcome.detail}"
            for outcome in self.outcomes
            if outcome.status != 200 and not (honest_503 and outcome.status == 503 and outcome.retry_after)
        ]

    def _client(self, keep: bool) -> None:
        limits = httpx.Limits(max_keepalive_connections=1 if keep else 0)
        until = time.monotonic() + LONGEST_SECONDS
        with httpx.Client(trust_env=False, timeout=90, limits=limits, headers=self.headers) as client:
            while not self._stop.is_set() and time.monotonic() < until:
                self.outcomes.append(self._upload(client))
                self._stop.wait(self.pause)

    def _upload(self, client: httpx.Client) -> Outcome:
        began = time.monotonic()
        try:
            answer = client.post(f"{GATEWAY_URL}/gateway/ocr", files={"image_file": self.picture})
            status, detail, retry_after = answer.status_code, "", answer.headers.get("retry-after")
            if status != 200:
                detail = answer.text
        except httpx.HTTPError as error:
            status, detail, retry_after = 0, repr(error), None
        return Outcome(began, time.monotonic() - began, status, detail, retry_after)
