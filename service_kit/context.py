"""The current request's context, available in every layer and in every log line."""

from __future__ import annotations

import re
import time
import uuid
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from service_kit.deadline import Deadline

REQUEST_ID_HEADER = "x-request-id"
LONGEST_REQUEST_ID = 128
_WELL_FORMED = re.compile(rf"[A-Za-z0-9._-]{{1,{LONGEST_REQUEST_ID}}}")


@dataclass(slots=True)
class RequestContext:
    """One request.

    `facts` are fields that layers add to its log line (pages, words, seconds, bytes).
    """

    id: str
    deadline: Deadline
    path: str = ""
    started: float = field(default_factory=time.monotonic)
    received_bytes: int = 0
    facts: dict[str, Any] = field(default_factory=dict)

    def seconds(self) -> float:
        return time.monotonic() - self.started


_current: ContextVar[RequestContext | None] = ContextVar("request", default=None)


def current() -> RequestContext:
    """The request that this task serves.

    Raises:
        RuntimeError: called outside a request.
    """
    context = _current.get()
    if context is None:
        raise RuntimeError("no request is being served here")
    return context


def current_id() -> str | None:
    context = _current.get()
    return context.id if context else None


enter = _current.set
leave = _current.reset


def request_id(received: str | None) -> str:
    """The client's id if it is well-formed, otherwise a new one."""
    return received if received and _WELL_FORMED.fullmatch(received) else uuid.uuid4().hex


def page_id(request_id: str, number: int) -> str:
    """The id of a page's call; the request's own id if the result would be too long."""
    found = f"{request_id}.{number}"
    return found if len(found) <= LONGEST_REQUEST_ID else request_id
