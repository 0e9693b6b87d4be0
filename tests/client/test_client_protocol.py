"""When a request is repeated and how many run at once, without a server: the protocol does no input or output."""

from __future__ import annotations

import io
import itertools
from collections.abc import Generator, Sequence
from typing import Any

import orjson
import pytest
from ocr_client.command.advice import ADVICE
from ocr_client.protocol import Lost, Reply, Send, Wait
from ocr_client.traffic import Pace, Traffic

from api_gateway.errors import OUTCOMES, PAGE_OUTCOMES
from ocr_client import errors, protocol

PNG = b"\x89PNG"
TEXT = Reply(200, {"content-type": "text/plain"}, b"HELLO", 5, "id")
REFUSED_CONNECTION = Lost("refused", False, "id")
LOST = Lost("reset", True, "id")


class Clock:
    """Stands still but for the waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def problem(status: int, code: str, retry_after: int | None = None, **more: Any) -> Reply:
    body = {"status": status, "code": code, "detail": f"said {code}", "request_id": "r1", **more}
    headers = {"content-type": "application/problem+json"}
    if retry_after is not None:
        headers["retry-after"] = str(retry_after)
    encoded = orjson.dumps(body)
    return Reply(status, headers, encoded, len(encoded), "r1")


def played(replies: Sequence[Reply | Lost], patience: float = 30) -> tuple[bytes, list[float]]:
    """The answer, and the waits before each repeat, if the server replies so."""
    clock = Clock()
    traffic = Traffic(patience, clock=clock)
    steps: Generator[Send | Wait, Reply | Lost | None, bytes] = protocol.read_bytes(
        io.BytesIO(PNG), "text", {}, traffic
    )
    waits: list[float] = []
    left = iter(replies)
    reply: Reply | Lost | None = None
    while True:
        try:
            step = steps.send(reply)
        except StopIteration as stop:
            assert next(left, None) is None, "no reply is left"
            return stop.value, waits
        if isinstance(step, Wait):
            clock.now += step.seconds
            waits.append(step.seconds)
            reply = None
        else:
            assert step.file is not None
            assert step.file.read() == PNG, "the file is sent from its start each time"
            reply = next(left)


@pytest.mark.parametrize(
    "first",
    [problem(429, "overloaded", 7), problem(503, "not_ready", 7), problem(503, "model_server_unreachable", 7)],
)
def test_a_refusal_is_repeated_after_the_time_that_the_server_names(first: Reply) -> None:
    assert played([first, first, first, first, TEXT]) == (b"HELLO", [7, 7, 7, 7]), "more often than a broken one"


def test_a_connection_that_was_refused_is_tried_again_within_patience() -> None:
    text, waits = played([REFUSED_CONNECTION] * 6 + [TEXT])
    assert text == b"HELLO"
    assert all(before < after * 4 for before, after in itertools.pairwise(waits))
    with pytest.raises(errors.ServerGone, match="refused") as caught:
        played([REFUSED_CONNECTION] * 100, patience=10)
    assert not caught.value.sent


@pytest.mark.parametrize("reply", [LOST, problem(502, "model_server_failed"), Reply(502, {}, b"<html>", 6, "id")])
def test_what_may_have_been_read_is_sent_twice_more_at_most(reply: Reply | Lost) -> None:
    assert played([reply, reply, TEXT])[0] == b"HELLO"
    with pytest.raises(errors.OcrError):
        played([reply, reply, reply, TEXT])


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (problem(415, "not_an_image"), errors.UnsupportedFile),
        (problem(401, "unauthorized"), errors.AuthError),
        (problem(503, "worker_crashed"), errors.ReadingFailed),
        (problem(504, "deadline_exceeded"), errors.TooSlow),
        (problem(400, "a_code_of_the_future"), errors.OcrError),
        (Reply(404, {}, b"<html>", 6, "id"), errors.OcrError),
    ],
)
def test_what_another_try_does_not_change_is_not_tried_again(reply: Reply, kind: type[errors.OcrError]) -> None:
    with pytest.raises(errors.OcrError) as caught:
        played([reply, TEXT])
    assert type(caught.value) is kind
    assert caught.value.status == reply.status


def test_an_error_has_all_that_the_service_says() -> None:
    pages = [{"page": 4, "code": "too_many_pixels", "detail": "too large"}]
    with pytest.raises(errors.PagesFailed) as caught:
        played([problem(422, "pages_failed", pages=pages)])
    error = caught.value
    assert (error.code, error.detail, error.request_id) == ("pages_failed", "said pages_failed", "r1")
    assert error.pages == (errors.FailedPage(4, "too_many_pixels", "too large"),)


def test_each_code_of_the_service_has_an_exception_and_advice() -> None:
    codes = {code for _, code in OUTCOMES} | PAGE_OUTCOMES - {"ocr", "embedded", "mixed"}
    codes -= {
        "client_gone",
        "client_too_slow",
        "method_not_allowed",
        "input_url_failed",
    }  # no client of ours sees them
    codes -= {"bad_multipart", "no_file"}
    assert not codes - {*errors.BY_CODE}
    options_of_jobs = {"bad_request", "bad_job_request", "bad_idempotency_key", "not_acceptable"}
    urls = {"bad_webhook_url", "bad_input_url", "bad_result_url"}
    assert not {*errors.BY_CODE} - {*ADVICE} - options_of_jobs - urls


def test_the_pace_doubles_until_the_server_refuses_then_grows_slowly() -> None:
    pace = Pace(64)
    for _ in range(12):
        pace.answered(0.1)
    assert pace.at_once == 16
    pace.refused(now=100, seconds=2)
    pace.refused(now=100.5, seconds=2)
    assert pace.at_once == 8, "refusals of one burst halve it once"
    assert pace.wait(101) == pytest.approx(1.5)
    for _ in range(8):
        pace.answered(0.1)
    assert pace.at_once in (8, 9)


def test_the_pace_does_not_outgrow_answers_that_become_slow() -> None:
    pace = Pace(512)
    pace.answered(0.1)
    for _ in range(50):
        pace.answered(5.0)
    assert pace.at_once < 12


def test_the_pace_stays_within_its_bounds() -> None:
    pace = Pace(2)
    for _ in range(10):
        pace.answered(0.1)
    assert pace.at_once == 2
    for now in range(10):
        pace.refused(now * 10, 1)
    assert pace.at_once == 1
