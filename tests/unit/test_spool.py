"""Documents on disk: nothing of them stays, and a full disk is said so."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from api_gateway.documents.fanout import Read
from api_gateway.documents.results import Results
from api_gateway.documents.spool import Spool
from api_gateway.errors import NoSpace


def test_nothing_stays_of_a_document_whose_client_goes_while_it_is_written(tmp_path: Path) -> None:
    async def main() -> None:
        for _ in range(20):
            spool = Spool(tmp_path)
            spool.add(bytes(8 << 20))
            finishing = asyncio.create_task(spool.finish())
            await asyncio.sleep(0)
            finishing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await finishing
            spool.close()

    asyncio.run(main())  # which waits for the threads, too
    assert not [*tmp_path.iterdir()]


def test_a_disk_that_is_full_when_a_page_is_kept(tmp_path: Path) -> None:
    page: dict[str, Any] = {"status": "ok", "words": [], "text": "a short page\n"}
    results = Results("id", "model", 1, tmp_path)
    results._lines = Path("/dev/full").open("w+b")  # type: ignore[assignment]  # noqa: SIM115
    with pytest.raises(NoSpace), results:
        results.keep(Read(page, None))
