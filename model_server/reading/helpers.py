"""Idle workers read parts of a page that is alone, so that it uses all cores.

The worker that has the page asks its parent, reads a part itself, and then takes what the others have read. It
also reads what nobody has: an idle worker that dies costs time, and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service_kit.child_main import Parent
    from service_kit.frames import Header


_T = TypeVar("_T")


class Question(NamedTuple):
    """About a part of a page, to the worker that will read it; `header` has its kind as `part`."""

    header: Header
    payload: bytes


class Helpers:
    """`count` workers that were idle when the page came."""

    def __init__(self, parent: Parent | None = None, count: int = 0) -> None:
        self._parent = parent
        self.count = count if parent else 0

    def share(self, questions: Sequence[Question], own: Callable[[], _T]) -> tuple[_T, list[Header | None]]:
        """Do this worker's own part while the others do theirs; None for those that nobody did."""
        if self._parent is None or not questions:
            return own(), [None] * len(questions)
        numbers = [self._parent.ask(*question) for question in questions]
        mine = own()
        return mine, self._parent.replies(numbers)


NOBODY = Helpers()
