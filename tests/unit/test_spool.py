"""Documents on disk: all files are removed, every byte is counted, a full disk is reported."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from api_gateway.documents.record import Record
from api_gateway.errors import NoSpace
from api_gateway.uploads.spool import RequestFolder, Spool, sweep
from scripts.services import ROOT
from service_kit.budget import Budget

MIB = 1 << 20


def page(number: int, text: str) -> Any:
    return {"page": number, "status": "ok", "words": [], "text": text, "model": None}


def test_nothing_stays_of_a_document_whose_client_goes_while_it_is_written(tmp_path: Path) -> None:
    async def main() -> None:
        for _ in range(20):
            with contextlib.closing(RequestFolder(tmp_path)) as folder, Budget(100 * MIB).take(0) as disk:
                spool = Spool(folder, disk)
                spool.add(bytes(8 << 20))
                finishing = asyncio.create_task(spool.finish())
                await asyncio.sleep(0)
                finishing.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await finishing

    asyncio.run(main())  # which also waits for the threads
    assert not [*tmp_path.iterdir()]


def test_a_disk_that_is_full_when_a_page_is_recorded() -> None:
    with Record(Path("/dev/full"), Budget(MIB), [1]) as record, pytest.raises(NoSpace):
        asyncio.run(record.put(page(1, "a short page\n")))


def test_all_that_is_written_counts_against_the_disk_budget(tmp_path: Path) -> None:
    async def main() -> None:
        disk = Budget(3 * MIB)
        with contextlib.closing(RequestFolder(tmp_path)) as folder:
            with disk.take(0) as share:
                spool = Spool(folder, share)
                spool.add(bytes(2 * MIB))
                await spool.settle()
                assert disk.used == 2 * MIB
                with Record(folder.path / "pages", disk, [1, 2]) as record:
                    await record.put(page(1, "x" * (MIB // 2)))
                    with pytest.raises(NoSpace):
                        await record.put(page(2, "x" * (MIB // 2)))
            assert disk.used == 0

    asyncio.run(main())


def test_pages_recorded_in_any_order_come_back_in_the_order_asked_for(tmp_path: Path) -> None:
    with Record(tmp_path / "pages", Budget(MIB), [3, 1, 2]) as record:
        for number in (1, 2, 3):
            asyncio.run(record.put(page(number, f"page {number}\n")))
        for _ in range(2):
            assert [page["text"] for page in record] == ["page 3\n", "page 1\n", "page 2\n"]


def test_the_sweep_takes_what_nobody_holds_and_leaves_what_another_process_uses(tmp_path: Path) -> None:
    """The other process may be in another container, where its process id means nothing here."""
    hold = (
        "import sys, pathlib; from api_gateway.uploads.spool import RequestFolder;"
        "folder = RequestFolder(pathlib.Path(sys.argv[1])); print(folder.path, flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout
    assert other.stdin
    held = Path(other.stdout.readline().strip())
    renamed = held.rename(tmp_path / "ocr-document-999999-abc")
    left = tmp_path / "ocr-document-1-abc"
    left.mkdir()
    sweep(tmp_path)
    assert [*tmp_path.iterdir()] == [renamed]
    other.kill()
    other.wait()
    sweep(tmp_path)
    assert not [*tmp_path.iterdir()]
