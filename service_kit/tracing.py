"""Spans of a request, for OpenTelemetry. The rest of the code knows only these functions.

`otel.py` is imported only if an OTLP endpoint is set. Without one, each function ends after one check. A trace
that the sampler left out costs the same: its spans are not made, and its context goes on to the next service.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from service_kit.otel import Fact, Span, Traces

RESPONSE_HEADER = "traceresponse"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL = "http/protobuf"

_WORTH_SECONDS = 0.001

Kind = Literal["internal", "server", "client", "consumer"]

_traces: Traces | None = None
_current: ContextVar[Span | None] = ContextVar("span", default=None)


@contextlib.contextmanager
def running(service: str) -> Iterator[None]:
    """Record traces if the standard variables ask for it; at the end, send what is left within a few seconds.

    `service` is the name of the service unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES has one.
    """
    global _traces  # noqa: PLW0603 - one for the process, as its logs and its metrics
    if not wanted(os.environ):
        yield
        return
    check(os.environ)
    from service_kit.otel import Traces  # noqa: PLC0415 - takes 6 MiB, and 0.2 s

    try:
        _traces = Traces(service)
    except ValueError as fault:
        sys.exit(f"OpenTelemetry's variables are wrong: {fault}")
    try:
        yield
    finally:
        ending, _traces = _traces, None
        ending.close()


def wanted(env: Mapping[str, str]) -> bool:
    """Whether traces go anywhere."""
    off = env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    none = env.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none"
    return not off and not none and any(env.get(name) for name in _ENDPOINTS)


def check(env: Mapping[str, str]) -> None:
    """End the process if traces would never arrive.

    Raises:
        SystemExit.
    """
    for name in _PROTOCOLS:
        if (found := env.get(name) or _PROTOCOL) != _PROTOCOL:
            sys.exit(f"{name} is {found}: traces are sent by {_PROTOCOL} only, usually to port 4318")
    for name in _ENDPOINTS:
        if (url := env.get(name)) and not url.startswith(("http://", "https://")):
            sys.exit(f"{name} is not an http or https URL: {url}")


class NoSpan:
    """What stands for a span where nothing is recorded."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        pass

    def set(self, **facts: Fact) -> None:
        pass

    def fail(self, code: str) -> None:
        pass


NO_SPAN = NoSpan()


class OpenSpan:
    """A span that is the current one within the context. An exception that leaves it is its outcome."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: Span) -> None:
        self._span = span
        self._token: Token[Span | None] | None = None

    def __enter__(self) -> Self:
        self._token = _current.set(self._span)
        return self

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        if self._token is not None:
            _current.reset(self._token)
        if error is not None:
            self._span.fail(code_of(error))
        self._span.end()

    def set(self, **facts: Fact) -> None:
        self._span.set(facts)

    def fail(self, code: str) -> None:
        self._span.fail(code)


def code_of(error: BaseException) -> str:
    return str(getattr(error, "code", None) or type(error).__name__)


def span(name: str, kind: Kind = "internal", /, **facts: Fact) -> OpenSpan | NoSpan:
    """A part of the current trace, as long as the `with` block lasts."""
    if _traces is None:
        return NO_SPAN
    parent = _current.get()
    if parent is None or not parent.recorded:
        return NO_SPAN
    return OpenSpan(_traces.child(name, parent, kind, facts))


def wait(name: str, /) -> OpenWait | NoSpan:
    """The same for waiting, which is left out of the trace if it takes less than a millisecond."""
    if _traces is None:
        return NO_SPAN
    parent = _current.get()
    return NO_SPAN if parent is None or not parent.recorded else OpenWait(_traces, name, parent)


class OpenWait:
    """A wait, which becomes a span when it is over."""

    __slots__ = ("_began", "_name", "_parent", "_traces")

    def __init__(self, traces: Traces, name: str, parent: Span) -> None:
        self._traces = traces
        self._name = name
        self._parent = parent
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        ended = time.monotonic()
        if error is not None or ended - self._began >= _WORTH_SECONDS:
            failure = None if error is None else code_of(error)
            self._traces.past(self._name, self._parent, self._began, ended, {}, failure)


def begin(name: str, headers: Mapping[str, str], kind: Kind = "server") -> Entered | None:
    """Begin a trace, or go on with the one that the headers name; until `leave`, it is the current one."""
    if _traces is None:
        return None
    found = _traces.entry(name, headers, kind)
    return Entered(found, _current.set(found))


class Entered:
    """The span of a whole request or attempt. The sampler may have left it out."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: Span, token: Token[Span | None]) -> None:
        self._span = span
        self._token = token

    def end(self, facts: Mapping[str, Fact], failure: str | None = None, name: str | None = None) -> None:
        """The time of the span is over; `name` is a better one than that of the beginning."""
        if self._span.recorded:
            self._span.set(facts)
            if name is not None:
                self._span.rename(name)
            if failure is not None:
                self._span.fail(failure)
        self._span.end()

    def leave(self) -> None:
        """The current task leaves the trace."""
        _current.reset(self._token)

    @property
    def response(self) -> str | None:
        """The value of the header of an answer by which its client finds the trace, if it is recorded."""
        return self._span.parent_header if self._span.recorded else None


def past(name: str, began: float, ended: float, parent: Span | None, /, **facts: Fact) -> Span | None:
    """A part of a trace that is over; times are those of the monotonic clock. It may be the parent of others."""
    if _traces is None or parent is None or not parent.recorded:
        return None
    return _traces.past(name, parent, began, ended, facts)


def current() -> Span | None:
    """The current span, for `past` and `under` in another task."""
    return None if _traces is None else _current.get()


@contextlib.contextmanager
def under(parent: Span | None) -> Iterator[None]:
    """Make a span the current one in a task that serves several requests."""
    if parent is None:
        yield
        return
    token = _current.set(parent)
    try:
        yield
    finally:
        _current.reset(token)


def note(name: str, /, **facts: Fact) -> None:
    """Something that happened at this moment of the current span."""
    if (found := current()) is not None and found.recorded:
        found.event(name, facts)


def add(**facts: Fact) -> None:
    """Further facts of the current span."""
    if (found := current()) is not None and found.recorded:
        found.set(facts)


def remote(parent: str | None) -> Span | None:
    """The span that `parent_header` gave to another process, as a parent."""
    return None if _traces is None or parent is None else _traces.remote(parent)


def headers() -> list[tuple[str, str]]:
    """What a call to another service carries, so that its spans belong to this trace."""
    found = current()
    return [] if found is None else found.headers()


def parent_header() -> str | None:
    """The current span as text, from which another process goes on with the trace."""
    found = current()
    return None if found is None else found.parent_header


def trace_id() -> str | None:
    """The id of the current trace if it is recorded: 32 hexadecimal digits."""
    found = current()
    return found.trace_id if found is not None and found.recorded else None


def trace_id_of(parent: str | None) -> str | None:
    """The trace id in a `traceparent`, unless its trace is not recorded."""
    _, _, rest = (parent or "").partition("-")
    found, _, _ = rest.partition("-")
    return found if parent and parent.endswith("-01") else None


def exemplar() -> dict[str, str] | None:
    """The label of an observation in a histogram by which a graph leads to the trace."""
    found = trace_id()
    return None if found is None else {"trace_id": found}
