"""How many uploads, and how much of them, the gateway holds at once; and what it need not ask the model server."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from api_gateway.errors import Overloaded, Relayed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service_kit.deadline import Deadline

_COPIES = 2.5  # the picture, its base64, and what of it is on the way
# How long a refusal is remembered: short against the time in which a queue drains, about the budget of those that
# wait in it; long against the time between two requests.
_REMEMBERED_SECONDS = 0.25
_REMEMBERED_SHARE = 0.05
_FRESH_SHARE = 0.9  # of its time that a request still has which stands for those that begin now


class Room:
    def __init__(self, max_uploads: int, max_bytes: int, max_documents: int) -> None:
        self._max_uploads = max_uploads
        self._max_bytes = max_bytes
        self._max_documents = max_documents
        self._documents = 0
        self._uploads = 0
        self._bytes = 0.0
        self._refusal = _Refusal()

    def knock(self, declared_bytes: int, budget_seconds: float) -> None:
        """Ask whether there is any point in entering.

        Raises:
            Overloaded: a moment ago the model server refused a request with no less time and no more bytes.
        """
        self._refusal.check(declared_bytes, budget_seconds)

    @contextlib.contextmanager
    def enter(self, declared_bytes: int, budget: Deadline) -> Iterator[Hold]:
        """A place for one upload; gives what is to be told of each piece that is kept.

        What was declared is set aside at once, what comes beyond it as it comes.

        Raises:
            Overloaded: here or from the hold, when there is no room.
        """
        hold = Hold(self)
        if self._uploads >= self._max_uploads:
            raise Overloaded(retry_after=1)
        self._uploads += 1
        try:
            hold.set_aside(declared_bytes)
            yield hold
        except Relayed as error:
            if error.code == Overloaded.code:
                self._refusal.remember(declared_bytes, _asked_for(budget), error.retry_after)
            raise
        finally:
            self._uploads -= 1
            hold.give_back()

    @contextlib.contextmanager
    def document(self) -> Iterator[None]:
        """A place for one document, from its first bytes to the last of its answer.

        Raises:
            Overloaded: there is none.
        """
        if self._documents >= self._max_documents:
            raise Overloaded("Too many documents at once. Try again later.", retry_after=1)
        self._documents += 1
        try:
            yield
        finally:
            self._documents -= 1

    def take(self, size: int) -> None:
        if self._bytes + size * _COPIES > self._max_bytes:
            raise Overloaded(retry_after=1)
        self._bytes += size * _COPIES

    def put_back(self, size: int) -> None:
        self._bytes -= size * _COPIES


def _asked_for(budget: Deadline) -> float:
    """The time that was refused: of a slow upload what it had left, which says nothing about more."""
    left = budget.left()
    return budget.seconds if left >= _FRESH_SHARE * budget.seconds else left


class Hold:
    """What one upload holds of the memory."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._held = 0
        self._kept = 0

    def set_aside(self, size: int) -> None:
        self._room.take(size)
        self._held += size

    def keep(self, size: int) -> None:
        """One more piece is kept."""
        self._kept += size
        if self._kept > self._held:
            self.set_aside(self._kept - self._held)

    def give_back(self) -> None:
        """Nothing is kept any more."""
        self._room.put_back(self._held)
        self._held = self._kept = 0


class _Refusal:
    """The latest refusal, which for a moment speaks for requests with no more time and no fewer bytes.

    Under ten times the load nine of ten requests are refused. Each that goes all the way takes processor time from
    the pages that are being read; one that is refused before its body is read costs next to nothing.
    """

    def __init__(self) -> None:
        self._until = 0.0
        self._size = 0
        self._budget = 0.0
        self._retry_after: float | None = None

    def remember(self, size: int, budget_seconds: float, retry_after: float | None) -> None:
        self._until = time.monotonic() + min(_REMEMBERED_SECONDS, _REMEMBERED_SHARE * budget_seconds)
        self._size, self._budget, self._retry_after = size, budget_seconds, retry_after

    def check(self, size: int, budget_seconds: float) -> None:
        if time.monotonic() < self._until and budget_seconds <= self._budget and size >= self._size:
            raise Overloaded(retry_after=self._retry_after)
