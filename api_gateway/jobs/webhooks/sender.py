"""Sends the webhooks that the store has: claims those that are due, and writes down how each try ended.

A process that dies between a try and its mark leaves the row, which is claimed again when the lease ends. So a
webhook is delivered at least once, always with the same id.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from api_gateway.errors import StoreUnavailable
from api_gateway.jobs.waking import woken
from api_gateway.jobs.webhooks.addresses import Allowed, host_of
from api_gateway.jobs.webhooks.schedule import pause_after
from api_gateway.jobs.webhooks.transport import CallFailed, CheckedTransport
from api_gateway.jobs.webhooks.try_once import Deliver, WebhookCall
from service_kit import tracing

if TYPE_CHECKING:
    from api_gateway.jobs.job import Hook, HookKind
    from api_gateway.jobs.settings import JobSettings
    from api_gateway.jobs.store import JobStore

log = logging.getLogger("webhooks")

Outcome = Literal["delivered", "retried", "failed"]

_POLL_SECONDS = 1.0
_LONGEST_POLL_SECONDS = 10.0  # while the store does not answer
_MARK_SECONDS = 15.0  # of the lease, for writing down how a try ended
_LAST_SECONDS = 2.0  # for tries in flight when the process stops
_GONE = 410


class HookSender:
    """The sender of one process for hooks of one kind; several processes may share a store."""

    def __init__(
        self,
        store: JobStore,
        kind: HookKind,
        deliver: Deliver,
        count: Callable[[Outcome], None],
        *,
        longest_seconds: float,
        at_once: int,
        at_once_per_host: int,
    ) -> None:
        """`longest_seconds`: of one call of `deliver`."""
        self._store = store
        self._kind = kind
        self._deliver = deliver
        self._count = count
        self._lease_seconds = longest_seconds + _MARK_SECONDS
        self._at_once = at_once
        self._at_once_per_host = at_once_per_host
        self._owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._tries: set[asyncio.Task[None]] = set()
        self._hosts: Counter[str] = Counter()
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """A hook may be due now."""
        self._awake.set()

    async def run(self) -> None:
        """Until cancelled."""
        poll = _POLL_SECONDS
        try:
            while True:
                self._awake.clear()
                try:
                    await self._claim()
                    poll = _POLL_SECONDS
                except StoreUnavailable:  # the worker and the metrics report it
                    poll = min(poll * 2, _LONGEST_POLL_SECONDS)
                except Exception:
                    log.exception("webhooks could not be claimed")
                    poll = min(poll * 2, _LONGEST_POLL_SECONDS)
                await woken(self._awake, poll)
        finally:
            await self._end()

    async def _claim(self) -> None:
        """Begin with all hooks that are due, as far as there is room."""
        while most := self._room():
            busy = [host for host, tries in self._hosts.items() if tries >= self._at_once_per_host]
            hooks = await self._store.claim_hooks(self._owner, self._lease_seconds, most, busy, self._kind)
            for hook in hooks:
                self._begin(hook)
            if not hooks:
                return

    def _room(self) -> int:
        """How many hooks may be claimed at once, even if all are to the same host."""
        most = max((tries for tries in self._hosts.values() if tries < self._at_once_per_host), default=0)
        return min(self._at_once - len(self._tries), self._at_once_per_host - most)

    def _begin(self, hook: Hook) -> None:
        host = host_of(hook.url)

        def end(task: asyncio.Task[None]) -> None:
            self._tries.discard(task)
            self._hosts[host] -= 1
            if not self._hosts[host]:
                del self._hosts[host]
            self._awake.set()  # there is room

        task = asyncio.create_task(self._try(hook, host))
        self._tries.add(task)
        self._hosts[host] += 1
        task.add_done_callback(end)

    async def _try(self, hook: Hook, host: str) -> None:
        began = time.monotonic()
        status, cause, is_final = None, None, False
        with tracing.under(tracing.remote(hook.trace)), tracing.span(hook.kind, "client", host=host) as traced:
            try:
                status = await self._deliver(hook)
            except CallFailed as failure:
                cause, is_final = str(failure), failure.is_final
            except Exception:
                log.exception("a webhook could not be sent", extra={"job": hook.job})
                cause = "a fault of the sender"
            outcome, pause = _outcome(hook, status, is_final=is_final)
            facts = {
                "kind": hook.kind,
                "host": host,
                "outcome": outcome,
                "status": status,
                "cause": cause,
                "attempt": hook.attempt,
                "seconds": round(time.monotonic() - began, 3),
                "job": hook.job,
            }
            log.log(logging.INFO if outcome == "delivered" else logging.WARNING, "webhook", extra=facts)
            tracing.add(**{name: value for name, value in facts.items() if value is not None})
            if outcome != "delivered":
                traced.fail(cause or f"status {status}")
        self._count(outcome)
        await self._mark(hook, outcome, pause)

    async def _mark(self, hook: Hook, outcome: Outcome, pause: float) -> None:
        """While the lease holds; afterwards the hook is claimed and sent again."""
        try:
            async with asyncio.timeout(_MARK_SECONDS):
                while True:
                    try:
                        if outcome == "retried":
                            await self._store.hook_later(hook, pause)
                        else:
                            await self._store.hook_done(hook, outcome)
                    except StoreUnavailable:
                        await asyncio.sleep(_POLL_SECONDS)
                    else:
                        return
        except TimeoutError:
            log.warning("the outcome of a webhook was not stored: it is sent again", extra={"job": hook.job})

    async def _end(self) -> None:
        """Let tries in flight end if they soon do; the others are made again by another process."""
        if self._tries:
            await asyncio.wait(self._tries, timeout=_LAST_SECONDS)
        for task in [*self._tries]:
            task.cancel()
        await asyncio.gather(*self._tries, return_exceptions=True)


class Webhooks(HookSender):
    def __init__(
        self,
        store: JobStore,
        settings: JobSettings,
        count: Callable[[Outcome], None] = lambda _outcome: None,
        transport: CheckedTransport | None = None,
    ) -> None:
        call = WebhookCall(settings, transport or CheckedTransport(Allowed(settings.webhook_allow)))
        longest = settings.webhook_timeout_seconds
        super().__init__(store, "webhook", call, count, longest_seconds=longest, at_once=16, at_once_per_host=4)


def _outcome(hook: Hook, status: int | None, *, is_final: bool) -> tuple[Outcome, float]:
    """The outcome of a try, and the seconds until the next one."""
    if status is not None and 200 <= status < 300:
        return "delivered", 0
    pause = None if status == _GONE or is_final else pause_after(hook.attempt)
    if pause is None or pause >= hook.expires - hook.claimed:
        return "failed", 0
    return "retried", pause
