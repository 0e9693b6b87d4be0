"""The budget for bodies in flight, with calls directly to the model server."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from tests.faults.conftest import PairOf
from tests.faults.pair import Pair, outcomes, peak_mib
from tests.pictures import render

PARENT_MIB = 320  # the memory table's share for the parent and the bodies
SIZE = (2500, 2090)  # 15 MiB as 24-bit BMP


@pytest.fixture
def large(pair_of: PairOf) -> Iterator[Pair]:
    patience = {"REQUEST_TIMEOUT_SECONDS": "100", "SHUTDOWN_GRACE_SECONDS": "100"}  # on a busy machine, too
    with pair_of({"MAX_IMAGE_MIB": "20", "MAX_QUEUE": "1024", **patience}).running() as pair:
        yield pair


def picture() -> bytes:
    """15 MiB, mostly white, so that it is read quickly."""
    image = Image.new("RGB", SIZE, "white")
    image.paste(render.label(1).image.convert("RGB"))
    stream = io.BytesIO()
    image.save(stream, "BMP")
    assert len(stream.getvalue()) > 14.9 * 2**20
    return stream.getvalue()


def test_six_large_pictures_at_once(large: Pair) -> None:
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(large.predict, [picture()] * 6))
    assert outcomes(found) == {"200 ok": 6}
    assert {answer.text.split()[0] for answer in found} == {"Island"}
    assert peak_mib(large.model.pid) < PARENT_MIB
    large.check_whole()


@pytest.mark.slow
def test_many_large_pictures_at_once(large: Pair) -> None:
    with ThreadPoolExecutor(64) as pool:
        found = list(pool.map(large.predict, [picture()] * 64))
    counts = outcomes(found)
    assert set(counts) <= {"200 ok", "429 overloaded", "504 deadline_exceeded"}
    assert counts["200 ok"] >= 6
    assert peak_mib(large.model.pid) < PARENT_MIB
    large.check_whole()
