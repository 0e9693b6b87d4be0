"""A budget for request bodies: a call that does not fit waits its turn before its body is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from model_server.settings import BODY_FACTOR
from service_kit.body import declared_bytes
from service_kit.budget import Budget, Full, Share
from service_kit.context import current
from service_kit.errors import Overloaded
from service_kit.tracing import wait

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from model_server.admission import PageAdmission


class BodyBudget:
    """The memory for bodies. Those that wait patiently are served when no other call waits."""

    def __init__(self, limit_bytes: float, workers: int, queue: PageAdmission, max_waiting: int) -> None:
        self._budget = Budget(limit_bytes)
        self._workers = workers
        self._queue = queue
        self._max_waiting = max_waiting

    async def take(self, amount: float) -> Share:
        """Wait for the bytes of a call.

        Raises:
            Overloaded: the call is expected to get them too late.
            DeadlineExceeded: the call did not get them in time.
        """
        try:
            return self._budget.take(amount)
        except Full:
            pass
        deadline = current().deadline
        calls = self._budget.waiting + 1
        late = self._queue.expected_wait() + calls * self._queue.pace.typical / self._workers - deadline.left()
        if late > 0:
            raise Overloaded(retry_after=late)
        with wait("wait for memory"):
            return await self._budget.wait(amount, deadline=deadline)

    async def wait(self, amount: float) -> Share:
        """Wait for the bytes of a call until its deadline.

        Raises:
            Overloaded: too many calls wait.
            DeadlineExceeded.
        """
        if self._budget.waiting >= self._max_waiting:
            raise Overloaded(retry_after=self._queue.expected_wait())
        with wait("wait for memory"):
            return await self._budget.wait(amount, deadline=current().deadline, later=True)


class BodyAdmission:
    """ASGI middleware. A call keeps its share of the budget until its answer is sent."""

    def __init__(
        self, app: ASGIApp, *, bodies: BodyBudget, max_body_bytes: int, counts: Callable[[str, str], bool]
    ) -> None:
        self._app = app
        self._bodies = bodies
        self._max_body_bytes = max_body_bytes
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._counts(scope["method"], scope["path"]):
            await self._app(scope, receive, send)
            return
        with await self._bodies.take(BODY_FACTOR * body_bytes(scope, self._max_body_bytes)):
            await self._app(scope, receive, send)


def body_bytes(scope: Scope, most: int) -> int:
    """The declared body size; without one, the maximum."""
    declared = declared_bytes(scope)
    return most if declared is None else min(declared, most)
