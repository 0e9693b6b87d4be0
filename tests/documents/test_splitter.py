"""The splitter: pages as pictures, embedded text, and hostile files."""

from __future__ import annotations

import asyncio
import contextlib
import io
import resource
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import psutil
import pybase64
import pytest
from PIL import Image

from api_gateway import errors
from api_gateway.documents.splitter import SplitPage, Splitter, SplitterLimits
from service_kit.child import Child, ChildLost, CommonMemory
from service_kit.deadline import Deadline
from service_kit.errors import DeadlineExceeded, NotReady, ServiceError
from service_kit.page import Page
from tests.documents import faulty_splitter, make
from tests.documents.faulty_splitter import Fault
from tests.pictures import render

MIB = 1 << 20
LIMITS = SplitterLimits(
    seconds=10,
    kill_bytes=300 * MIB,
    max_points=5000,
    max_pixels=40_000_000,
    max_image_bytes=20 * MIB,
    common=CommonMemory(float("inf")),
)
FAULTY = replace(LIMITS, module="tests.documents.faulty_splitter", seconds=0.5)
TEXT = "Invoice 4711\nTotal amount 12.50"


@contextlib.asynccontextmanager
async def opened(
    folder: Path,
    document: bytes,
    *,
    kind: Literal["pdf", "tiff"] = "pdf",
    password: str | None = None,
    limits: SplitterLimits = LIMITS,
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[tuple[Splitter, int]]:
    """The splitter, and the document's number of pages."""
    path = folder / "document"
    path.write_bytes(document)
    splitter = Splitter(limits, env or {})
    try:
        yield splitter, await splitter.open(path, kind, password, Deadline(60))
    finally:
        await splitter.close()


async def take(splitter: Splitter, number: int = 1, dpi: float = 100, *, embedded_text: bool = True) -> SplitPage:
    return await splitter.page(number, Deadline(60), dpi=dpi, embedded_text=embedded_text)


def first(folder: Path, document: bytes, dpi: float = 100, *, embedded_text: bool = True, **how: Any) -> SplitPage:
    """The first page of a document."""

    async def run() -> SplitPage:
        async with opened(folder, document, **how) as (splitter, _):
            return await take(splitter, dpi=dpi, embedded_text=embedded_text)

    return asyncio.run(run())


def outcome(folder: Path, document: bytes, **how: Any) -> str:
    """The code of the first page's failure, or of the document's; `ok` without one."""
    try:
        first(folder, document, **how)
    except ServiceError as error:
        return error.code
    return "ok"


def children() -> list[psutil.Process]:
    """Our splitter processes that exist."""
    return [child for child in psutil.Process().children() if any("split" in word for word in child.cmdline())]


def image(split: SplitPage) -> Image.Image:
    found = Image.open(io.BytesIO(pybase64.b64decode(split.image_b64, validate=True)))
    found.load()
    return found


def embedded(split: SplitPage) -> Page:
    assert split.page is not None
    assert not split.image_b64
    assert split.page["engine"] is None
    return split.page


@pytest.mark.parametrize("dpi", [100, 200, 300])
def test_a_scan_comes_out_pixel_for_pixel_as_it_was_scanned(tmp_path: Path, dpi: int) -> None:
    picture = render.a4(1, dpi)
    split = first(tmp_path, make.scanned(picture), dpi)
    drawn = image(split)
    assert split[:4] == (None, drawn.width, drawn.height, dpi)
    assert drawn.mode == "L"
    assert drawn.info["dpi"] == (dpi, dpi)
    assert drawn.size == picture.image.size
    assert drawn.tobytes() == picture.image.convert("L").tobytes()


def test_colours_become_the_grey_that_they_look_like(tmp_path: Path) -> None:
    """Side by side and overlapping: red multiplied by green is black, not half grey."""
    fields = b"1 0 0 rg 0 0 40 80 re f  0 1 0 rg 40 0 40 80 re f  /M gs 1 0 0 rg 40 40 40 40 re f"
    multiply = b"/Resources<</ExtGState<</M<</BM/Multiply>>>>>>"
    drawn = image(first(tmp_path, make.sized(80, 80, fields, multiply), 72))
    red, green, both = (drawn.tobytes()[y * 80 + x] for x, y in ((20, 60), (60, 60), (60, 20)))
    assert red == pytest.approx(0.30 * 255, abs=3)
    assert green == pytest.approx(0.59 * 255, abs=3)
    assert both < 3


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_the_text_of_a_page_that_is_shown_turned(tmp_path: Path, degrees: int) -> None:
    page = embedded(first(tmp_path, make.upright(TEXT, degrees), 150))
    assert page["text"] == TEXT + "\n"
    assert [word["text"] for word in page["words"]] == TEXT.split()


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_words_of_a_page_born_digital_stand_where_they_are_drawn(tmp_path: Path, degrees: int) -> None:
    document = make.turned(make.digital(TEXT), degrees)  # sideways too
    page = embedded(first(tmp_path, document, 150))
    assert sorted(word["text"] for word in page["words"]) == sorted(TEXT.split())
    drawn = image(first(tmp_path, document, 150, embedded_text=False))
    assert (drawn.width, drawn.height) == (page["width"], page["height"])
    without = drawn.copy()
    for word in page["words"]:
        assert min(drawn.crop(word["bbox"]).tobytes()) < 128, word
        x0, y0, x1, y1 = word["bbox"]
        without.paste(255, (x0 - 2, y0 - 2, x1 + 2, y1 + 2))
    assert min(without.tobytes()) > 128, "ink that is in no box"


def test_lines_and_blocks_of_embedded_text(tmp_path: Path) -> None:
    page = embedded(first(tmp_path, make.digital("One\ntwo words\n\n\nafter a gap")))
    assert [(word["block"], word["paragraph"], word["line"]) for word in page["words"]] == [
        (1, 1, 1), (1, 1, 2), (1, 1, 2), (2, 1, 1), (2, 1, 1), (2, 1, 1),
    ]  # fmt: skip
    assert page["text"] == "One\ntwo words\n\nafter a gap\n"


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (make.scanned(render.label(1)), "a scan"),
        (make.scanned(render.label(1), invisible="somebody read this once"), "a scan with invisible text"),
        (make.digital(""), "nothing on it"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_pages_that_have_to_be_recognised(tmp_path: Path, document: bytes, why: str) -> None:
    assert first(tmp_path, document).page is None, why


def test_a_form_is_drawn_filled_in(tmp_path: Path) -> None:
    filled, empty = (
        image(first(tmp_path, make.form("Name", value), embedded_text=False)) for value in ("Jane Doe", "")
    )
    dark = [sum(value < 128 for value in found.crop((80, 250, 700, 340)).tobytes()) for found in (filled, empty)]
    assert dark[0] > dark[1] + 100


def test_what_shrinks_little_goes_as_it_is_and_never_over_the_limit(tmp_path: Path) -> None:
    noisy = make.scanned(render.Picture(Image.effect_noise((800, 800), 50), "", 100))
    plain = first(tmp_path, noisy)
    assert len(plain.image_b64) > 800 * 800
    packed = first(tmp_path, noisy, limits=replace(LIMITS, max_image_bytes=500_000))
    assert len(packed.image_b64) < len(plain.image_b64)
    assert image(packed).tobytes() == image(plain).tobytes()
    blank = first(tmp_path, make.digital(""))
    assert len(blank.image_b64) < 10_000


def test_an_encrypted_document(tmp_path: Path) -> None:
    document = make.encrypted(make.digital(TEXT), "s3cret")
    assert outcome(tmp_path, document) == "password_required"
    assert outcome(tmp_path, document, password="wrong") == "wrong_password"
    assert embedded(first(tmp_path, document, password="s3cret"))["text"] == TEXT + "\n"
    assert outcome(tmp_path, make.digital(TEXT), password="not needed") == "ok"


# TIFF


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4"])
def test_the_pages_of_a_tiff_are_cut_out_as_they_are(tmp_path: Path, compression: str) -> None:
    pictures = [render.label(1), render.page(2), render.label(3)]
    if compression == "group4":
        pictures = [
            render.Picture(p.image.convert("1", dither=Image.Dither.NONE), p.text, p.dpi) for p in pictures
        ]
    document = make.tiff(pictures, compression=compression)

    async def run() -> list[SplitPage]:
        async with opened(tmp_path, document, kind="tiff") as (splitter, page_count):
            assert page_count == 3
            return [await take(splitter, number) for number in (1, 2, 3)]

    whole = Image.open(io.BytesIO(document))
    for at, split in enumerate(asyncio.run(run())):
        whole.seek(at)
        assert image(split).tobytes() == whole.tobytes()
        assert (split.width, split.height) == whole.size
        assert split.dpi == pictures[0].dpi


def test_a_page_stored_plainly_over_the_limit_is_deflated(tmp_path: Path) -> None:
    document = make.tiff([render.page(1), render.page(2)], compression="raw")
    cut = first(tmp_path, document, kind="tiff", limits=replace(LIMITS, max_image_bytes=100_000))
    assert len(cut.image_b64) < 100_000
    assert image(cut).tobytes() == render.page(1).image.tobytes()


def test_thumbnails_are_no_pages(tmp_path: Path) -> None:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2  # noqa: PLC0415

    thumbnail = ImageFileDirectory_v2()
    thumbnail[254] = 1
    small = render.label(1).image.resize((30, 10))
    small.encoderinfo = {"tiffinfo": thumbnail}
    out = io.BytesIO()
    render.label(1).image.save(out, "TIFF", save_all=True, append_images=[small])

    async def run() -> int:
        async with opened(tmp_path, out.getvalue(), kind="tiff") as (_, page_count):
            return page_count

    assert asyncio.run(run()) == 1


# Hostile files


HOSTILE = {
    "a 5 m page": (make.sized(14173, 14173), "page_too_large"),
    "too many pixels": (make.sized(4900, 4900), "too_many_pixels"),
    "a tree in a circle": (make.cyclic(), "damaged_page"),
    "object stream in itself": (make.object_stream_in_itself(), "damaged_page"),
    "a drawing in itself": (make.form_in_itself(), "page_too_complex"),
    "doubling drawings": (make.doubling(24), "page_too_complex"),
    "no pages": (
        make.raw(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>"),
        "damaged_document",
    ),
    "no PDF": (b"%PDF-1.7\nand nothing more", "damaged_document"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents(tmp_path: Path, name: str) -> None:
    document, code = HOSTILE[name]
    began = time.monotonic()
    assert outcome(tmp_path, document, dpi=300, limits=replace(LIMITS, seconds=3)) == code
    assert time.monotonic() - began < 5


def test_bombs_are_read_or_refused_within_bounds(tmp_path: Path) -> None:
    for document in (make.bomb(256), make.huge_image(20_000)):
        assert outcome(tmp_path, document) in ("ok", "page_too_complex")


def test_pages_that_are_only_declared(tmp_path: Path) -> None:
    async def run() -> tuple[int, str]:
        async with opened(tmp_path, make.declared(100_000)) as (splitter, page_count):
            with pytest.raises(errors.DamagedPage) as caught:
                await take(splitter, 99_999)
            return page_count, caught.value.code

    assert asyncio.run(run()) == (100_000, "damaged_page")


SOUND = {
    "plain": ("pdf", make.joined(make.digital(TEXT), make.scanned(render.label(1)))),
    "object streams": (
        "pdf",
        make.with_object_streams(make.joined(make.digital(TEXT), make.scanned(render.label(1)))),
    ),
    "tiff": ("tiff", make.tiff([render.label(1), render.label(2)])),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SOUND)
def test_truncated_at_each_two_percent(tmp_path: Path, name: str) -> None:
    """The rest is read or refused quickly, and the parent is not affected."""
    kind, document = SOUND[name]
    for percent in range(2, 100, 2):
        cut = document[: len(document) * percent // 100]
        found = outcome(tmp_path, cut, kind=kind)
        assert found in ("ok", "damaged_document", "damaged_page"), percent


# Faults of the child


def faulty(folder: Path, *widths: float, limits: SplitterLimits = FAULTY, **how: Any) -> list[str]:
    """The outcome of each page of a document with these widths."""
    document = make.joined(*(make.sized(width, 300) for width in widths))

    async def run() -> list[str]:
        async with opened(folder, document, limits=limits, **how) as (splitter, _):
            codes = []
            for number in range(1, len(widths) + 1):
                try:
                    await take(splitter, number)
                    codes.append("ok")
                except ServiceError as error:
                    codes.append(error.code)
            return codes

    found = asyncio.run(run())
    assert not children()
    return found


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.SEGFAULT, "damaged_page"),
        (Fault.SPIN, "page_too_complex"),
        (Fault.CHATTER, "page_too_complex"),
        (Fault.LONG_ANSWER, "page_too_complex"),
    ],
)
def test_a_page_that_breaks_the_splitter_costs_that_page(tmp_path: Path, fault: Fault, code: str) -> None:
    assert faulty(tmp_path, 300, fault, 300) == ["ok", code, "ok"]


def test_a_page_that_fills_the_splitter_is_given_up_long_before_its_time(tmp_path: Path) -> None:
    began = time.monotonic()
    limits = replace(FAULTY, seconds=60)
    assert faulty(tmp_path, 300, Fault.EAT_MEMORY, 300, limits=limits) == ["ok", "page_too_complex", "ok"]
    assert time.monotonic() - began < 10


def test_a_splitter_that_was_killed_from_outside_costs_nothing(tmp_path: Path) -> None:
    env = {faulty_splitter.MARK: str(tmp_path / "mark")}
    assert faulty(tmp_path, 300, Fault.KILLED_ONCE, 300, env=env) == ["ok", "ok", "ok"]
    assert (tmp_path / "mark").exists()


def test_a_document_of_bad_pages_is_given_up(tmp_path: Path) -> None:
    began = time.monotonic()
    found = faulty(tmp_path, *[Fault.SPIN] * 10, 300)
    assert found == ["page_too_complex"] * 3 + ["damaged_page"] * 8
    assert time.monotonic() - began < 5


def open_anew(folder: Path, limits: SplitterLimits, env: Mapping[str, str] | None = None) -> None:
    async def run() -> None:
        async with opened(folder, make.digital(TEXT), limits=limits, env=env):
            pass

    asyncio.run(run())


def test_a_splitter_that_does_not_become_ready_is_not_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    began = time.monotonic()
    with pytest.raises(NotReady) as caught:
        open_anew(tmp_path, FAULTY, {faulty_splitter.START: "hangs"})
    assert time.monotonic() - began < 5
    assert isinstance(caught.value.__cause__, ChildLost | DeadlineExceeded)
    assert [record.message for record in caplog.records] == ["splitter not started"]
    assert not children()


def test_a_splitter_that_can_not_be_started_is_not_the_documents_fault(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(NotReady):
        open_anew(tmp_path, replace(LIMITS, module="tests.documents.no_such_splitter"))
    assert "No module named" in caplog.records[0].__dict__["last_words"]
    caplog.clear()

    async def run() -> None:
        path = tmp_path / "document"
        splitter = Splitter(LIMITS, {})
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (psutil.Process().num_fds(), hard))
        try:
            await splitter.open(path, "pdf", None, Deadline(60))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            await splitter.close()

    with pytest.raises(NotReady) as caught:
        asyncio.run(run())
    assert caught.value.__cause__ is not None
    assert "Too many open files" in caplog.text + repr(caught.value.__cause__.__cause__ or caught.value.__cause__)


def test_a_splitter_that_was_killed_between_two_pages_is_replaced(tmp_path: Path) -> None:
    async def run() -> list[Page | None]:
        async with opened(tmp_path, make.digital(TEXT, TEXT)) as (splitter, _):
            pages = [(await take(splitter)).page]
            (child,) = LIMITS.common.children
            child.end("memory")
            await child.gone
            return [*pages, (await take(splitter, 2)).page]

    assert [page and page["text"] for page in asyncio.run(run())] == [TEXT + "\n"] * 2


def test_two_splitters_share_a_memory_limit(tmp_path: Path) -> None:
    """The growing one is killed before it reaches its own limit; the other one continues."""
    common = CommonMemory(200 * MIB)
    limits = replace(FAULTY, seconds=60, kill_bytes=2000 * MIB, common=common)

    async def run() -> list[str]:
        folders = [tmp_path / name for name in "ab"]
        for folder in folders:
            folder.mkdir()
        greedy = opened(folders[0], make.sized(Fault.EAT_MEMORY, 300), limits=limits)
        modest = opened(folders[1], make.digital(TEXT), limits=limits)
        async with greedy as (first, _), modest as (second, _):
            results = await asyncio.gather(take(first), take(second), return_exceptions=True)
            await take(second)
        return [found.code if isinstance(found, ServiceError) else "ok" for found in results]

    began = time.monotonic()
    assert asyncio.run(run()) == ["page_too_complex", "ok"]
    assert time.monotonic() - began < 10
    assert not common.children


def test_children_do_not_see_the_api_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_GATEWAY_API_KEYS", "a-key-that-is-secret")

    async def run() -> dict[str, str]:
        async with opened(tmp_path, make.digital(TEXT), env={"TMPDIR": str(tmp_path)}):
            (child,) = LIMITS.common.children
            return psutil.Process(child.pid).environ()

    found = asyncio.run(run())
    assert sorted(found) == ["PYTHONPATH", "TMPDIR"]


def test_who_is_cancelled_while_the_splitter_is_ended_hears_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        ending, end = asyncio.Event(), asyncio.Event()

        async def slowly(child: Child) -> None:
            ending.set()
            await end.wait()
            await close(child)

        close = Child.close
        async with opened(tmp_path, make.sized(Fault.SPIN, 300), limits=FAULTY) as (splitter, _):
            monkeypatch.setattr(Child, "close", slowly)
            taking = asyncio.create_task(take(splitter))
            await ending.wait()
            taking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await taking
            end.set()

    asyncio.run(run())
    assert not children(), "it was ended nevertheless"


def test_the_deadline_ends_the_splitting(tmp_path: Path) -> None:
    path = tmp_path / "document"
    path.write_bytes(make.sized(Fault.SPIN, 300))

    async def run() -> float:
        splitter = Splitter(replace(FAULTY, seconds=60), {})
        try:
            await splitter.open(path, "pdf", None, Deadline(10))
            began = time.monotonic()
            with pytest.raises(DeadlineExceeded):
                await splitter.page(1, Deadline(0.3), dpi=100, embedded_text=True)
            return time.monotonic() - began
        finally:
            await splitter.close()

    assert asyncio.run(run()) < 1
    assert not children()


def test_the_memory_does_not_grow_with_the_pages(tmp_path: Path) -> None:
    document = make.scanned(*[render.page(seed) for seed in range(4)] * 15)

    async def run() -> tuple[int, int]:
        async with opened(tmp_path, document) as (splitter, _):
            await take(splitter, 1)
            child = children()[0]
            early = child.memory_info().rss
            for number in range(2, 61):
                await take(splitter, number)
            return early, child.memory_info().rss

    early, late = asyncio.run(run())
    assert late - early < 10 * MIB
