"""Previews during which something fails."""

from __future__ import annotations

import os
import signal
import socket

import pytest

from tests.documents.previewing import noise, parsed
from tests.faults.conftest import Record
from tests.faults.pair import KNOWN, PREVIEWS_PATH, Pair, until
from tests.faults.test_documents import splitters
from tests.faults.wire import Wire, multipart, upload_head

PAGES = 12


def begun(pair: Pair) -> Wire:
    """A request for large previews, which has begun to be answered."""
    body = multipart(noise(PAGES, 500))
    wire = Wire(pair.gateway.port, upload_head(len(body), path=f"{PREVIEWS_PATH}?width=2000"), body)
    assert wire.socket.recv(1, socket.MSG_PEEK) == b"H"
    return wire


@pytest.mark.fault(0, "The splitter is killed while it draws previews")
def test_the_splitter_of_previews_is_killed(pair: Pair, record: Record) -> None:
    with begun(pair) as wire:
        for process in until(lambda: splitters(pair), "a splitter"):
            os.kill(process.pid, signal.SIGKILL)
        answer = record.answer("previews of a document", wire.answer())
    pair.gateway.count(answer.code)
    found = parsed(answer.body)
    assert (len(found.images), found.total["status"]) == (PAGES, "complete")
    record.also("all pages are drawn")
    record.whole(pair)


@pytest.mark.fault(0, "The client goes while previews are drawn")
def test_the_client_of_previews_goes(pair: Pair, record: Record) -> None:
    with begun(pair) as wire:
        wire.reset()
    pair.gateway.count("client_gone")
    until(lambda: not splitters(pair), "no splitter")
    record.saw("nothing, as it has left; another client's picture", pair.read(KNOWN).code, 0)
    record.whole(pair)
