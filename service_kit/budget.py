"""Budgets for bytes, queue places or calls. Each share has one owner, which returns it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Self

from service_kit.errors import DeadlineExceeded

if TYPE_CHECKING:
    from service_kit.deadline import Deadline


class Full(Exception):
    """The budget does not have that much left."""


class Share:
    """One owner's part of a budget. Leaving the context returns it; returning it twice is harmless."""

    __slots__ = ("_budget", "amount")

    def __init__(self, budget: Budget, amount: float) -> None:
        self._budget = budget
        self.amount = amount

    def resize(self, amount: float) -> None:
        """Shrink, or grow if the budget allows it now.

        Raises:
            Full: the share is unchanged.
        """
        self._budget.change(amount - self.amount)
        self.amount = amount

    def give_back(self) -> None:
        self.resize(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.give_back()


class Budget:
    """First come, first served: a small request waits behind an earlier one that does not fit yet.

    Those that wait as `later` are served when nobody else waits, and first come, first served among themselves.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._waiting: deque[tuple[float, asyncio.Future[Share]]] = deque()
        self._later: deque[tuple[float, asyncio.Future[Share]]] = deque()
        self.used = 0.0

    @property
    def limit(self) -> float:
        return self._limit

    @limit.setter
    def limit(self, limit: float) -> None:
        self._limit = limit
        self._wake()

    @property
    def free(self) -> float:
        return max(0.0, self._limit - self.used)

    @property
    def waiting(self) -> int:
        return len(self._waiting) + len(self._later)

    def take(self, amount: float = 1) -> Share:
        """Reserve a share without waiting.

        Raises:
            Full.
        """
        share = Share(self, 0)
        share.resize(amount)
        return share

    async def wait(self, amount: float = 1, *, deadline: Deadline | None = None, later: bool = False) -> Share:
        """Wait for a share. A request for more than the whole budget is granted when nothing else is in use.

        Raises:
            DeadlineExceeded.
        """
        if not self._waiting and not (later and self._later) and self._has_room(amount):
            return self._grant(amount)
        turn: asyncio.Future[Share] = asyncio.get_running_loop().create_future()
        entry = (amount, turn)
        queue = self._later if later else self._waiting
        queue.append(entry)
        try:
            async with asyncio.timeout(None if deadline is None else deadline.left()):
                return await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                turn.result().give_back()
            elif entry in queue:
                queue.remove(entry)
                self._wake()
            if isinstance(error, TimeoutError):
                raise DeadlineExceeded from None
            raise

    def change(self, difference: float) -> None:
        """Change the used amount; called by a share only."""
        if difference > 0 and (self._waiting or self.used + difference > self._limit):
            raise Full
        self.used += difference
        if difference < 0:
            self._wake()

    def _has_room(self, amount: float) -> bool:
        return not self.used or self.used + amount <= self._limit

    def _grant(self, amount: float) -> Share:
        self.used += amount
        return Share(self, amount)

    def _wake(self) -> None:
        while (queue := self._waiting or self._later) and self._has_room(queue[0][0]):
            amount, turn = queue.popleft()
            if not turn.done():
                turn.set_result(self._grant(amount))
