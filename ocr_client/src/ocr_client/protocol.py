"""The service's interface, without sending anything: each call is a generator of steps.

A step is a request to send or a time to wait; whoever runs the steps gives back the reply. The two clients differ
only in how they do so.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote

from ocr_client.answers import Answer, Job, Written, answer_of, job_of
from ocr_client.errors import FailedPage, OcrError, ServerGone, error_for
from ocr_client.options import Format, ReadOptions, query_of
from ocr_client.traffic import Traffic, is_unknown

OCR, JOBS, LANGUAGES = "/gateway/ocr", "/gateway/jobs", "/gateway/languages"
_PROBLEM = "application/problem+json"
_FAILED_PAGES = "x-failed-pages"
_SLACK_SECONDS = 10.0  # for the way there and back, beside the server's own limit
_LONGEST_SECONDS = 3700.0  # the server's longest, for a document, and the slack
_LONGEST_RETRY_AFTER = 300.0
_CHUNK_OF_A_PROXY = 200  # characters that are shown of an answer that is not the service's


@dataclass(frozen=True)
class Send:
    """A request. `file` and `fields` make a form; the body of a good answer goes to `sink`, if there is one."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    file: BinaryIO | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    sink: BinaryIO | None = None
    seconds: float = 60.0
    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True)
class Wait:
    seconds: float


@dataclass(frozen=True)
class Reply:
    """`headers` have lower-case names. `body` is empty if it went to the sink."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    size: int
    request_id: str


@dataclass(frozen=True)
class Lost:
    """There was no whole reply. `sent`: the request may have arrived."""

    why: str
    sent: bool
    request_id: str


_T = TypeVar("_T")
Steps = Generator[Send | Wait, Reply | Lost | None, _T]


def id_of(job: Job | str) -> str:
    return job if isinstance(job, str) else job.id


def read(file: BinaryIO, options: ReadOptions, traffic: Traffic) -> Steps[Answer]:
    reply = yield from _exchange(_reading(file, "json", options), traffic)
    return answer_of(_json(reply))


def read_bytes(file: BinaryIO, form: Format, options: ReadOptions, traffic: Traffic) -> Steps[bytes]:
    reply = yield from _exchange(_reading(file, form, options), traffic)
    return reply.body


def read_into(
    file: BinaryIO, target: BinaryIO, form: Format, options: ReadOptions, traffic: Traffic
) -> Steps[Written]:
    reply = yield from _exchange(_reading(file, form, options, target), traffic)
    return _written(reply)


def submit(
    file: BinaryIO, idempotency_key: str, form: Format, options: ReadOptions, ttl: float | None, traffic: Traffic
) -> Steps[Job]:
    query = {**query_of(options), "format": form, **({} if ttl is None else {"ttl": f"{ttl:g}"})}
    headers = {"idempotency-key": idempotency_key}

    def make() -> Send:
        return Send("POST", JOBS, query, headers, _at_start(file), _fields(options))

    return job_of(_json((yield from _exchange(make, traffic))))


def job(job_id: str, traffic: Traffic) -> Steps[Job]:
    return job_of(_json((yield from _exchange(lambda: Send("GET", _path_of(job_id)), traffic))))


def jobs(traffic: Traffic, most: int) -> Steps[list[Job]]:
    """The newest first."""
    found: list[Job] = []
    after: str | None = ""
    while len(found) < most and after is not None:
        query = {"limit": str(min(100, most - len(found)))} | ({"after": after} if after else {})
        listed = _json((yield from _exchange(partial(Send, "GET", JOBS, query), traffic)))
        found += [job_of(one) for one in listed["jobs"]]
        after = listed["next"]
    return found


def wait(job_id: str, traffic: Traffic, on_change: Callable[[Job], None], seconds: float | None) -> Steps[Job]:
    """Ask as often as the server says until the job has ended, or the time is over."""
    end = None if seconds is None else traffic.clock() + seconds
    while True:
        reply = yield from _exchange(lambda: Send("GET", _path_of(job_id)), traffic)
        found = job_of(_json(reply))
        on_change(found)
        pause = _retry_after(reply.headers) or 1.0
        if found.has_ended or (end is not None and traffic.clock() + pause > end):
            return found
        yield Wait(pause)


def result(job_id: str, traffic: Traffic) -> Steps[Answer]:
    reply = yield from _exchange(_result(job_id, "json", None, None), traffic)
    return answer_of(_json(reply))


def result_bytes(job_id: str, form: Format, allow_partial: bool | None, traffic: Traffic) -> Steps[bytes]:
    reply = yield from _exchange(_result(job_id, form, allow_partial, None), traffic)
    return reply.body


def result_into(
    job_id: str, target: BinaryIO, form: Format, allow_partial: bool | None, traffic: Traffic
) -> Steps[Written]:
    reply = yield from _exchange(_result(job_id, form, allow_partial, target), traffic)
    return _written(reply)


def delete(job_id: str, traffic: Traffic) -> Steps[None]:
    yield from _exchange(lambda: Send("DELETE", _path_of(job_id)), traffic)


def languages(traffic: Traffic) -> Steps[dict[str, Any]]:
    return _json((yield from _exchange(lambda: Send("GET", LANGUAGES), traffic)))


def _exchange(make: Callable[[], Send], traffic: Traffic) -> Steps[Reply]:
    """Send the request until it has an answer that another try would not change."""
    tries = broken = 0
    while True:
        reply = yield make()
        if isinstance(reply, Reply) and reply.status < 300:
            traffic.answered()
            return reply
        assert reply is not None  # noqa: S101 - narrows the type: only a Wait has no reply
        error = _error_of(reply)
        broken += is_unknown(error)
        yield Wait(traffic.wait_before_repeat(error, tries, broken))
        tries += 1


def _reading(
    file: BinaryIO, form: Format, options: ReadOptions, sink: BinaryIO | None = None
) -> Callable[[], Send]:
    query = {**query_of(options), "format": form}
    timeout = options.get("timeout")
    headers = {} if timeout is None else {"x-request-timeout": f"{timeout:g}"}
    seconds = _LONGEST_SECONDS if timeout is None else timeout + _SLACK_SECONDS

    def make() -> Send:
        if sink is not None:
            sink.seek(0)
            sink.truncate()
        return Send("POST", OCR, query, headers, _at_start(file), _fields(options), sink, seconds)

    return make


def _result(job_id: str, form: Format, allow_partial: bool | None, sink: BinaryIO | None) -> Callable[[], Send]:
    query: dict[str, str] = {"format": form}
    if allow_partial is not None:
        query["allow_partial"] = str(allow_partial).lower()

    def make() -> Send:
        if sink is not None:
            sink.seek(0)
            sink.truncate()
        return Send("GET", f"{_path_of(job_id)}/result", query, sink=sink, seconds=_LONGEST_SECONDS)

    return make


def _at_start(file: BinaryIO) -> BinaryIO:
    file.seek(0)
    return file


def _fields(options: ReadOptions) -> dict[str, str]:
    password = options.get("password")
    return {} if password is None else {"password": password}


def _path_of(job_id: str) -> str:
    return f"{JOBS}/{quote(job_id, safe='')}"


def _written(reply: Reply) -> Written:
    failed = reply.headers.get(_FAILED_PAGES, "")
    return Written(reply.size, tuple(int(page) for page in failed.split(",") if page), reply.request_id)


def _json(reply: Reply) -> dict[str, Any]:
    try:
        found = json.loads(reply.body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise OcrError("This address is not that of an OCR service.", code="not_the_service", status=reply.status)
    return found


def _error_of(reply: Reply | Lost) -> OcrError:
    if isinstance(reply, Lost):
        return ServerGone(reply.why, sent=reply.sent, request_id=reply.request_id)
    wait = _retry_after(reply.headers)
    if reply.headers.get("content-type", "").startswith(_PROBLEM):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            found = json.loads(reply.body)
            pages = [FailedPage(one["page"], one["code"], one["detail"]) for one in found.get("pages") or ()]
            return error_for(found["code"], found["detail"], reply.status, found["request_id"], wait, pages)
    if reply.status in (502, 503, 504):  # of a proxy that does not reach the service
        return ServerGone(
            f"A proxy answered {reply.status}.", sent=True, request_id=reply.request_id, status=reply.status
        )
    said = reply.body[:_CHUNK_OF_A_PROXY].decode("utf-8", "replace").strip()
    text = f"The answer, {reply.status}, is not that of an OCR service: {said!r}"
    return OcrError(text, code="not_the_service", status=reply.status, request_id=reply.request_id)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """In seconds; dates, which the service does not send, do not count."""
    with contextlib.suppress(ValueError):
        return min(_LONGEST_RETRY_AFTER, max(0.0, float(headers.get("retry-after", ""))))
    return None
