"""Clients that are slow, send too much, or send nonsense: faults 7, 8, 9, 22 and 23."""

from __future__ import annotations

import contextlib
import socket
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.faults.conftest import PairOf, Record
from tests.faults.pair import GATEWAY_PATH, KNOWN, MODEL_PATH, Pair, Watched, crowding, little, metrics, until
from tests.faults.wire import BOUNDARY, FORM, Answer, Wire, chunk, exchange, head, multipart, upload_head

MIB = 1 << 20
LIMIT = 1.0  # seconds for a head, and for a pause in a body, in these pairs
TOO_MUCH = 5 * MIB  # over the limits of both services

PART = multipart(KNOWN)
FORM_HEADER = f"Content-Type: {FORM}"

Of = Callable[[Pair], Watched]
EACH = pytest.mark.parametrize(
    "of", [lambda pair: pair.gateway, lambda pair: pair.model], ids=["gateway", "model"]
)


def path_of(watched: Watched, pair: Pair) -> str:
    return GATEWAY_PATH if watched is pair.gateway else MODEL_PATH


def name_of(watched: Watched) -> str:
    return "gateway" if watched.service.module == "api_gateway" else "model server"


@EACH
@pytest.mark.fault(7, "Heads and bodies that trickle, pause or never come")
def test_07_slow_heads_and_bodies(pair: Pair, record: Record, of: Of) -> None:
    watched = of(pair)
    path, name = path_of(watched, pair), name_of(watched)

    with Wire(watched.port) as silent, Wire(watched.port) as trickling:
        trickled = 0
        while trickling.seconds() < LIMIT + little():  # single bytes do not extend the limit
            try:
                trickling.say(b"POST / HTTP/1.1\r\n"[trickled : trickled + 1] or b"x")
            except OSError:
                break
            trickled += 1
            time.sleep(0.1)
        assert trickling.ended()
        closed_after = trickling.seconds()
        assert silent.ended()
    with Wire(watched.port) as paused:
        paused.say(head(path, FORM_HEADER, "Content-Length: 100") + PART[:50])
        answer = paused.answer()
        watched.count("upload_too_slow")
        assert (answer.status, answer.code) == (408, "upload_too_slow")
        record.saw(f"{name}: a head that trickles", "closed", closed_after)
        record.answer(f"{name}: a body that pauses", answer)

    long = multipart(KNOWN + bytes(100000))
    length = f"Content-Length: {len(long)}"
    with Wire(watched.port, head(path, FORM_HEADER, length, "X-Request-Timeout: 1.5")) as wire:
        for at in range(0, 40000, 2000):  # above the least rate
            if answered(wire):
                break
            wire.say(long[at : at + 2000])
            time.sleep(0.1)
        late = wire.answer()
        watched.count("upload_too_slow")
    assert (late.status, late.code) == (408, "upload_too_slow")
    assert 1.5 <= late.seconds < 1.5 + little()
    record.answer(f"{name}: a body that trickles past the deadline", late)
    record.whole(pair)


@pytest.mark.slow
def test_slow_uploads_do_not_keep_others_out(pair_of: PairOf) -> None:
    """They declare many bytes and send few, without a pause: the memory reserved for them is soon free again."""
    with pair_of(gateway={"MAX_HELD_MIB": "12"}).running() as pair, contextlib.ExitStack() as stack:
        wires = [
            stack.enter_context(Wire(pair.gateway.port, upload_head(2 * MIB - 1000), PART[:100])) for _ in range(2)
        ]
        until(lambda: metrics(pair.gateway.service)["gateway_in_flight"] == 2, "they have begun")
        large = KNOWN + bytes(2 * MIB - 10000)
        assert pair.read(large).code == "overloaded"
        while not all(map(answered, wires)):
            for wire in wires:
                wire.say(b"x")
            assert wires[0].seconds() < LIMIT + little()
            time.sleep(0.1)
        assert {wire.answer().code for wire in wires} == {"upload_too_slow"}
        pair.gateway.counted["upload_too_slow"] += 2
        until(lambda: pair.read(large).status == 200, "others get in")
        pair.check_whole()


def answered(wire: Wire) -> bool:
    """Whether something can be read."""
    wire.socket.setblocking(False)
    try:
        return bool(wire.socket.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    finally:
        wire.socket.settimeout(20)


@EACH
@pytest.mark.parametrize("kept", [True, False], ids=["keep-alive", "close"])
@pytest.mark.fault(8, "Bodies over the limit: declared, in chunks, and of a length that lies")
def test_08_oversize(pair: Pair, record: Record, of: Of, kept: bool) -> None:
    watched = of(pair)
    path, name = path_of(watched, pair), name_of(watched)
    connection = "Connection: keep-alive" if kept else "Connection: close"

    with Wire(watched.port, head(path, FORM_HEADER, f"Content-Length: {TOO_MUCH}", connection)) as wire:
        declared = refused(watched, wire.answer())  # before any of it was sent
    assert declared.seconds < 0.5 * crowding()
    record.answer(f"{name}: declared", declared)

    # A client that sends all of it before it reads gets the error too.
    with Wire(watched.port, head(path, FORM_HEADER, f"Content-Length: {TOO_MUCH}", connection)) as wire:
        for _ in range(TOO_MUCH // MIB):
            wire.say(b"x" * MIB)
        refused(watched, wire.answer())
        if kept:  # and the connection is still usable
            wire.say(head("/metrics", method="GET"))
            assert wire.answer().status == 200

    form = multipart(b"x" * TOO_MUCH)
    with Wire(watched.port, head(path, FORM_HEADER, "Transfer-Encoding: chunked", connection)) as wire:
        for at in range(0, len(form), 65536):
            if answered(wire):
                break
            wire.say(chunk(form[at : at + 65536]))
        counted = record.answer(f"{name}: in chunks", refused(watched, wire.answer()))
    assert counted.seconds < 2 * crowding()

    # Shorter than declared: the client closes. Longer than declared: the rest is not a valid request.
    with Wire(watched.port, head(path, FORM_HEADER, "Content-Length: 1000", connection) + PART[:100]) as wire:
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.ended()
        watched.count("client_gone")
    with Wire(watched.port, head(path, FORM_HEADER, "Content-Length: 10", connection) + b"x" * 5000) as wire:
        longer = wire.answer()
        watched.count(longer.code)
        assert 400 <= longer.status < 500
        record.answer(f"{name}: longer than it says", longer)
        assert wire.ended()
    record.whole(pair)


def refused(watched: Watched, answer: Answer) -> Answer:
    watched.count(answer.code)
    assert (answer.status, answer.code) in ((413, "payload_too_large"), (413, "image_too_large")), answer
    return answer


@EACH
@pytest.mark.fault(0, "Heads, chunk extensions and trailers without end")
def test_endless_heads(pair: Pair, record: Record, of: Of) -> None:
    """uvicorn accepts heads of any length; bytes that are neither head nor body are limited."""
    watched = of(pair)
    path = path_of(watched, pair)
    before = watched.process.memory_info().rss
    endless = {
        "one header": head(path)[:-2] + b"X-Endless: ",
        "a request line": b"GET /",
        "a chunk's extension": head(path, FORM_HEADER, "Transfer-Encoding: chunked") + b"1;",
        "trailers": head(path, FORM_HEADER, "Transfer-Encoding: chunked") + b"0\r\nX-Trailer: ",
    }
    most, slowest = 0, 0.0
    for what, start in endless.items():
        logged = len(watched.access())
        with Wire(watched.port, start) as wire:
            sent = 0
            try:
                while sent < 64 * MIB and not answered(wire):
                    wire.say(b"x" * 65536)
                    sent += 65536
            except OSError:
                pass
            assert sent < 8 * MIB, f"{what}: taken without a limit"
            if answered(wire):
                assert wire.answer().status in (400, 408)
            assert wire.ended()
            most, slowest = max(most, sent), max(slowest, wire.seconds())
        if b"chunked" in start:
            until(lambda: len(watched.access()) > logged, "it is logged")  # noqa: B023
            watched.count("client_gone" if b"1;" in start else code_of_trailers(watched))
    assert watched.process.memory_info().rss - before < 32 * MIB
    record.saw(f"{name_of(watched)}: any of them", f"closed; {most / MIB:.1f} MiB could be sent at most", slowest)
    record.whole(pair)


def code_of_trailers(watched: Watched) -> str:
    """Whether the body counted as complete when the connection ended."""
    return str(watched.access()[-1]["outcome"])


@EACH
def test_an_idle_connection_ends(pair: Pair, of: Of) -> None:
    """Also after a blank line, and after a refusal whose body arrived late: no connection stays open for ever."""
    watched = of(pair)
    path = path_of(watched, pair)
    with Wire(watched.port, head("/metrics", method="GET")) as wire:
        assert wire.answer().status == 200
        wire.say(b"\r\n")
        wire.say(head("/metrics", method="GET"))
        assert wire.answer().status == 200
        wire.say(head("/metrics", method="GET")[:10])  # the start of a head on a kept connection
        assert wire.ended()
        assert wire.seconds() < LIMIT + 2 * little()
    with Wire(watched.port, head(path, FORM_HEADER, "Content-Length: 4", "X-Request-Timeout: no")) as wire:
        answer = wire.answer()
        watched.count(answer.code)
        assert (answer.status, answer.code) == (400, "bad_timeout")
        wire.say(b"late")
        wire.say(head("/metrics", method="GET"))
        assert wire.answer().status == 200, "the late body was not taken for a request"
    pair.check_whole()


ABUSE = {
    "no boundary": ("multipart/form-data", PART),
    "an empty boundary": ('multipart/form-data; boundary=""', PART),
    "a boundary of 1000 bytes": (f"multipart/form-data; boundary={'b' * 1000}", PART),
    "another boundary": ("multipart/form-data; boundary=other", PART),
    "no end": (FORM, PART[:-20]),
    "no part": (FORM, f"--{BOUNDARY}--\r\n".encode()),
    "an empty body": (FORM, b""),
    "no boundary in the body": (FORM, KNOWN),
    "two pictures": (FORM, PART.removesuffix(b"--\r\n") + b"\r\n" + PART.partition(b"\r\n")[2]),
    "another field": (FORM, multipart(KNOWN, "other")),
    "20000 parts": (
        FORM,
        (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 20000).encode(),
    ),
    "a part's head of 1 MiB": (FORM, PART.replace(b"application/octet-stream", b"a" * MIB)),
    "a part with 10000 headers": (FORM, PART.replace(b"Content-Type", b"A: b\r\n" * 10000 + b"Content-Type")),
    "a header's name with a NUL": (FORM, PART.replace(b"Content-Type", b"Content\0Type")),
    "no name": (FORM, PART.replace(b'name="image_file"; ', b"")),
    "no disposition": (FORM, PART.replace(b"Content-Disposition", b"Content-Nothing")),
    "bare line feeds": (FORM, PART.replace(b"\r\n", b"\n")),
}


@pytest.mark.fault(9, "Multipart abuse")
def test_09_multipart_abuse(pair: Pair, record: Record) -> None:
    slowest = 0.0
    for what, (media_type, body) in ABUSE.items():
        answer = pair.post(pair.gateway, GATEWAY_PATH, body, {"content-type": media_type})
        assert answer.status == 400, (what, answer)
        assert answer.code in ("bad_multipart", "no_file"), (what, answer)
        slowest = max(slowest, answer.seconds)
    for media_type in ("application/json", "text/plain", "multipart/mixed; boundary=x", ""):
        assert pair.post(pair.gateway, GATEWAY_PATH, PART, {"content-type": media_type}).status == 415
    assert slowest < 1 * crowding()
    record.saw(f"{len(ABUSE)} kinds", "400 bad_multipart or no_file", slowest)
    empty = pair.post(pair.gateway, GATEWAY_PATH, multipart(b""), {"content-type": FORM})
    assert (empty.status, empty.code) == (422, "empty_image")
    # File names are ignored and never opened.
    for name in ("../../etc/passwd", "a\0b", "http://127.0.0.1/", "x" * 4000, "$(id)", "ü"):
        assert (
            pair.post(pair.gateway, GATEWAY_PATH, multipart(KNOWN, file_name=name), {"content-type": FORM}).status
            == 200
        )
    record.whole(pair)


INJECTED = (
    "X-Request-ID: a\rX-Injected: 1",
    "X-Request-ID: a\r\n X-Injected: 1",  # folded
    "X-Request-ID: " + "a" * 5000,
    "X-Request-ID: \xfc\xff",
    'X-Request-ID: ","outcome":"ok',
    "X-Request-ID: ${jndi:ldap://127.0.0.1/}",
    "X-Request-Timeout: 1\x00",
    "X-Request-Timeout: nan",
    "X-Request-Timeout: -1",
    "X-Request-Timeout: 1e999",
    "X-Request-Timeout: 0",
    "X-Request-Timeout: \xb2",
    "Accept: \x7f",
    "Authorization: Bearer \xff\xfe",
    "Content-Length: 5",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: identity",
    "Host: other",
    "Expect: 100-continue",
    "Expect: something",
    "Upgrade: websocket\r\nConnection: upgrade",
    "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: \r\nForwarded: for=x",
)


@EACH
@pytest.mark.fault(
    22, "Header injection: line breaks, control characters and nonsense in what is passed on or logged"
)
def test_22_header_injection(pair: Pair, record: Record, of: Of) -> None:
    watched = of(pair)
    path = path_of(watched, pair)
    slowest = 0.0
    for header in INJECTED:
        for target in (path, path + "?languages=eng%0d%0aX-Injected:%201", path + "%0d%0aX-Injected: 1"):
            with Wire(
                watched.port, head(target, FORM_HEADER, f"Content-Length: {len(PART)}", header) + PART
            ) as wire:
                try:
                    answer = wire.answer()
                    if answer.status == 100:
                        answer = wire.answer()
                except OSError:
                    continue  # closed without an answer
            slowest = max(slowest, answer.seconds)
            assert 400 <= answer.status < 500 or answer.code == "ok", (header, target, answer)
            assert "x-injected" not in answer.headers
            if "x-request-id" in answer.headers:  # our code answered
                assert len(answer.headers["x-request-id"]) <= 128
    assert not any(key.lower().startswith("x-inj") for line in watched.log_lines() for key in line)
    for line in watched.new_access():  # only the server decides which of these are requests
        watched.count(line["outcome"])
    assert not watched.counted["internal_error"]
    record.saw(f"{name_of(watched)}: {len(INJECTED)} headers, 3 targets each", "4xx, or the text", slowest)
    record.also("no header added to an answer; every line of the log is one JSON object")
    record.whole(pair)


@pytest.mark.fault(23, "Requests that would make new metric series")
def test_23_number_of_series(pair: Pair, record: Record) -> None:
    services = (pair.gateway, pair.model)
    statuses: Counter[int] = Counter()
    before = [sorted(metrics(watched.service)) for watched in services]
    for watched in services:
        for at in range(40):
            method = ("PUT", "DELETE", "OPTIONS", "PATCH", "HEAD", "TRACE")[at % 6]
            statuses[exchange(watched.port, "GET", f"/nothing/{at}?{at}={at}").status] += 1
            statuses[exchange(watched.port, method, path_of(watched, pair)).status] += 1
        for at in range(20):
            headers = {"content-type": f"x/{at}", "x-request-id": f"id-{at}", "user-agent": f"agent {at}"}
            statuses[pair.post(watched, path_of(watched, pair), b"x", headers).status] += 1
    for at in range(10):
        statuses[pair.read(KNOWN, f"?languages=x{at}").status] += 1
        statuses[pair.read(KNOWN, f"?psm={at + 20}").status] += 1
        statuses[pair.predict(KNOWN, parameters={"languages": [f"y{at}"]}).status] += 1
        answer = pair.post(pair.model, f"/v1/models/no-{at}:predict", b"{}", {"content-type": "application/json"})
        statuses[answer.status] += 1
    assert set(statuses) == {400, 404, 405, 415}, statuses
    assert [sorted(metrics(watched.service)) for watched in services] == before
    what = f"{statuses.total()} paths, methods, agents, languages, models"
    record.saw(what, ", ".join(map(str, sorted(statuses))), 0)
    record.also("the very same series in both services")
    record.whole(pair)


def test_other_methods(pair: Pair) -> None:
    for watched in (pair.gateway, pair.model):
        for method in ("HEAD", "OPTIONS", "PUT", "DELETE"):
            answer = exchange(watched.port, method, path_of(watched, pair))
            assert answer.status == 405
            assert answer.headers["allow"]
            assert exchange(watched.port, method, "/nothing").status == 404
    pair.check_whole()
