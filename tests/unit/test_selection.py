"""`pages=`, what an upload is, and the two gates that pages wait at."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from api_gateway.documents import kind
from api_gateway.documents.pages_held import PagesHeld
from api_gateway.documents.selection import choose
from api_gateway.documents.tiff import has_more_pages
from api_gateway.documents.window import Window
from api_gateway.errors import NoSuchPage, TooManyPages
from tests.documents import make
from tests.pictures import formats, render


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        (None, [1, 2, 3, 4, 5, 6, 7]),
        ("3", [3]),
        ("1-3,7", [1, 2, 3, 7]),
        ("7,1-2", [7, 1, 2]),
        ("5-", [5, 6, 7]),
        ("2,2,1-3", [2, 1, 3]),
    ],
)
def test_pages_that_are_asked_for(asked: str | None, chosen: list[int]) -> None:
    assert choose(asked, 7, most=10) == chosen


@pytest.mark.parametrize("asked", ["8", "1-8", "8-"])
def test_pages_that_are_not_there(asked: str) -> None:
    with pytest.raises(NoSuchPage):
        choose(asked, 7, most=10)


@pytest.mark.parametrize("asked", [None, "1-999999", "1-6,7-11", "3-"])
def test_too_many_pages(asked: str | None) -> None:
    with pytest.raises(TooManyPages):
        choose(asked, 1_000_000, most=10)


def test_few_pages_of_a_file_with_many() -> None:
    assert choose("999999-", 1_000_000, most=10) == [999_999, 1_000_000]


def test_documents_are_known_by_their_first_bytes() -> None:
    assert kind.look(make.digital("x")) == "pdf"
    assert kind.look(b"mail header\r\n" * 50 + b"%PDF-1.4") == "pdf"
    assert kind.look(b" " * 1100 + b"%PDF-1.4") is None
    assert kind.look(formats.FORMATS["tiff grey"].encode(render.label(1))) == "tiff"
    for name in ("png grey", "jpeg rgb", "gif", "webp lossless", "bmp", "pgm", "pgm plain", "heic", "avif"):
        data = formats.FORMATS[name].encode(render.label(1))
        assert kind.look(data[:40] + b"%PDF-1.4" + data[40:]) is None, name


def test_a_tiff_of_one_page_is_a_picture() -> None:
    assert not has_more_pages(formats.FORMATS["tiff grey"].encode(render.label(1)))
    assert has_more_pages(formats.tiff_pages([render.label(1)] * 2))
    assert not has_more_pages(b"II*\0")
    assert not has_more_pages(b"II*\0" + b"\xff" * 100)


def test_the_window_opens_where_pages_do_not_wait_and_closes_where_they_do() -> None:
    async def rounds(window: Window, workers: int, seconds: float = 0.3) -> float:
        """What the window comes to with so many workers that take so long, on a clock of our own."""
        for _ in range(1000):
            window.in_flight = int(window.limit)
            queued = max(0.0, window.in_flight / workers - 1) * seconds
            window.answered(0.01 + seconds + queued, seconds)
        return window.limit

    async def run() -> list[float]:
        window = Window()
        return [await rounds(window, workers) for workers in (2, 8, 32, 4)]

    found = asyncio.run(run())
    for limit, workers in zip(found, (2, 8, 32, 4), strict=True):
        assert 1.2 * workers <= limit <= 3 * workers + 1, found


def test_refusals_close_the_window_once_at_a_time() -> None:
    window = Window()
    window.limit = 9
    for _ in range(5):
        window.refused()
    assert window.limit == pytest.approx(6)


def test_who_gives_up_waiting_leaves_nothing_taken() -> None:
    async def run() -> None:
        window, held = Window(), PagesHeld(10)

        async def wait() -> None:
            async with window.place():
                await held.take(6)
                await asyncio.Event().wait()

        tasks = [asyncio.create_task(wait()) for _ in range(4)]
        await asyncio.sleep(0)
        assert window.in_flight == 2
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert window.in_flight == 0
        held.give_back(6)  # the one that had it
        async with asyncio.timeout(1):
            await held.take(10)

    asyncio.run(run())


def test_pages_wait_for_memory_and_the_largest_goes_alone() -> None:
    async def run() -> None:
        held = PagesHeld(10)
        await held.take(8)
        second = asyncio.create_task(held.take(20))
        third = asyncio.create_task(held.take(1))
        await asyncio.sleep(0)
        assert not second.done()
        assert not third.done(), "nobody overtakes: a large page would wait for ever"
        held.give_back(8)
        await second
        held.give_back(20)
        await third

    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(run())
