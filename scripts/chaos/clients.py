"""Careful clients: each hands documents in, again and again until it has an answer, and watches its jobs."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from scripts.chaos.plan import OUTSTANDING, TTL_SECONDS, Documents, Handed
from tests.faults import numbered
from tests.faults.client import FINAL, ask, faults_of, form, hand_in, pages_of
from tests.faults.wire import Answer

_PAUSE_SECONDS = 0.3
_LOOK_SECONDS = 0.7
_TRIED_AGAIN = frozenset({429, 500, 502, 503, 504})
_LATE_SECONDS = 1.0  # of clocks: how long before its expiry a job may look gone


@dataclass
class Found:
    """What all clients find; `broken` are violations of a promise, with the promise in front."""

    broken: list[str] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def violation(self, promise: str, detail: str) -> None:
        with self.lock:
            self.broken.append(f"{promise}: {detail}")

    def count(self, what: str) -> None:
        with self.lock:
            self.answers[what] = self.answers.get(what, 0) + 1


class Client:
    """The client of one key; each request goes to any gateway."""

    def __init__(self, name: str, seed: str, ports: list[int], webhook_url: str, found: Found) -> None:
        self.name = name
        self.handed: list[Handed] = []
        self._ports = ports
        self._webhook_url = webhook_url
        self._found = found
        self._documents = Documents(seed, name)
        self._rng = Random(f"{seed} {name} ports")  # noqa: S311 - a fixed seed
        self._no_more = threading.Event()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(work,)) for work in (self._hand_in, self._watch)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def hand_no_more_in(self) -> None:
        self._no_more.set()
        self._threads[0].join()

    def stop(self) -> None:
        self._no_more.set()
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def outstanding(self) -> list[Handed]:
        """Jobs without a final state, or whose result was not looked at."""
        return [one for one in self.handed if not one.right]

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - reported as a violation
            self._found.violation("a client fails", repr(error))

    def _hand_in(self) -> None:
        while not self._no_more.is_set():
            if len(self.outstanding()) >= OUTSTANDING:
                self._no_more.wait(_PAUSE_SECONDS)
                continue
            one = self._documents.next()
            body = form(one.kind, numbered.make(one.kind, one.number, one.pages, one.seconds))
            one.job = self._accepted(one, body)
            if not one.job:
                return
            self.handed.append(one)
            if self._rng.random() < 0.1 and (again := self._accepted(one, body)) != one.job:  # as if unanswered
                self._found.violation("one Idempotency-Key, one job", f"{one.job} and {again}")

    def _accepted(self, one: Handed, body: bytes) -> str:
        """The job's id; tries until there is one, or the run ends."""
        query = {"webhook_url": self._webhook_url, "ttl": f"{TTL_SECONDS:g}"}
        while not self._ended.is_set():
            answer = self._tried(
                lambda port: hand_in(port, body, name=self.name, idempotency_key=one.idempotency_key, query=query)
            )
            if answer and answer.status == 202:
                return str(answer.json["id"])
            if answer and answer.status not in _TRIED_AGAIN:
                self._found.violation("a document is accepted", f"{answer.status} {answer.body[:300]!r}")
                return ""
            self._ended.wait(_PAUSE_SECONDS)
        return ""

    def _tried(self, request: Callable[[int], Answer]) -> Answer | None:
        """One try, with any gateway; None without a whole answer."""
        try:
            answer = request(self._rng.choice(self._ports))
        except (OSError, http.client.HTTPException) as error:
            self._found.count(type(error).__name__)
            return None
        self._found.count(f"{answer.status} {answer.code}".strip())
        return answer

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            answer = self._tried(lambda port: ask(port, "?limit=100", self.name))
            listed = {job["id"]: job for job in answer.json["jobs"]} if answer and answer.status == 200 else {}
            for one in list(self.handed):
                if one.job in listed:
                    self._see(one, listed[one.job])
                elif not one.right:
                    self._ask(one)
                if one.status in FINAL and not one.right:
                    self._look(one)

    def _ask(self, one: Handed) -> None:
        answer = self._tried(lambda port: ask(port, f"/{one.job}", self.name))
        if answer is None or answer.status in _TRIED_AGAIN:
            return
        if answer.status == 200:
            self._see(one, answer.json)
        elif not one.expires or time.time() < one.expires - _LATE_SECONDS:
            self._found.violation("each 202 has a job until it expires", f"{one.job}: {answer.status}")
            one.right = True

    def _see(self, one: Handed, found: dict[str, Any]) -> None:
        if one.status in FINAL and found["status"] != one.status:
            self._found.violation("a final state is set once", f"{one.job}: {one.status}, then {found['status']}")
        if found["pages_done"] < one.done:
            self._found.violation(
                "pages that are stored stay", f"{one.job}: {one.done} pages, then {found['pages_done']}"
            )
        if found["status"] in FINAL and not one.ended:
            one.ended = time.monotonic()
            if found["status"] != "complete":
                self._found.violation("each document is read", f"{one.job}, document {one.number}: {found}")
                one.right = True
        one.status, one.done = found["status"], found["pages_done"]
        if found["expires"]:
            one.expires = datetime.fromisoformat(found["expires"]).timestamp()

    def _look(self, one: Handed) -> None:
        """Look at the result once."""
        answer = self._tried(lambda port: ask(port, f"/{one.job}/result?format=ndjson", self.name))
        if answer is None or answer.status in _TRIED_AGAIN:
            return
        if answer.status != 200:
            self._found.violation(
                "a complete job has its result", f"{one.job}: {answer.status} {answer.body[:300]!r}"
            )
        else:
            for fault in faults_of(one.number, one.pages, pages_of(answer.body)):
                self._found.violation("every page is there once, and right", f"{one.job}, {fault}")
        one.right = True
