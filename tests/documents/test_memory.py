"""Memory and disk space of a document: every format is rendered page by page, and all is counted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import psutil
import pytest

from api_gateway.formats import Name
from tests.documents import make
from tests.documents.conftest import Front, Gateway
from tests.documents.stand_in import ModelServer, until
from tests.documents.test_fanout import document, send, whole_again
from tests.faults.wire import Wire, multipart, upload_head
from tests.gateway.test_operation import samples
from tests.pictures import formats, render

MIB = 1 << 20
PAGES = 500
WORDS = 400  # per page, as in a book


def peak_mib(gateway: Gateway, action: Any) -> float:
    """The gateway's peak resident memory during the action."""
    process = Path(f"/proc/{gateway.service.pid}")
    (process / "clear_refs").write_text("5")  # reset the peak
    action()
    (line,) = (line for line in (process / "status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", get_args(Name))
def test_a_document_of_500_pages_takes_little_more_memory_than_one_page(front: Front, name: str) -> None:
    one, many = document(100), make.joined(*[make.sized(100, 50)] * PAGES)
    with front(ModelServer(words=WORDS, queue=1000)) as gateway:

        def read(data: bytes) -> None:
            with gateway.stream(
                "POST", "/gateway/ocr", files={"image_file": ("x", data)}, params={"dpi": "72", "format": name}
            ) as response:
                assert response.status_code == 200, response.read()
                size = sum(map(len, response.iter_bytes()))
            assert size > len(data) // 2 if name == "pdf" else 100

        gateway.timeout = 300
        read(one)
        base = peak_mib(gateway, lambda: read(one))
        most = peak_mib(gateway, lambda: read(many))
        whole_again(gateway)
    assert most - base < 50, (base, most)


def test_a_disk_budget_that_is_used_up_is_said_so_and_frees_itself(front: Front) -> None:
    large = document(100) + b"\n%" + b"x" * (4 * MIB)
    with front(ModelServer(), MAX_DISK_MIB="5", MAX_DOCUMENT_MIB="5", MAX_UPLOAD_MIB="1") as gateway:
        body = multipart(large)
        with Wire(gateway.service.port) as wire:
            wire.say(upload_head(len(body)) + body[:-100])
            until(lambda: [*gateway.spool.rglob("document")])
            until(lambda: sum(file.stat().st_size for file in gateway.spool.rglob("document")) > 3 * MIB)
            response = send(gateway, large)
            assert (response.status_code, response.json()["code"]) == (503, "no_space")
            assert response.headers["retry-after"]
            wire.reset()
        whole_again(gateway)
        assert send(gateway, large).status_code == 200


def test_tiffs_reach_the_disk_only_with_the_place_of_a_document(front: Front) -> None:
    """Their directories come last, so that only the end shows whether they have several pages."""
    page = formats.tiff_pages([render.label(1)] * 2)
    head, data = page[:4], page[8:]
    offset = int.from_bytes(page[4:8], "little")
    padding = bytes(4 * MIB)
    late = head + (offset + len(padding)).to_bytes(4, "little") + padding + data
    body = multipart(late)
    with front(ModelServer(), MAX_DOCUMENTS="1") as gateway, ThreadPoolExecutor(6) as pool:
        wires = [Wire(gateway.service.port, upload_head(len(body)) + body[: 4 * MIB]) for _ in range(6)]
        until(lambda: samples(gateway)["gateway_in_flight"] == 6)
        assert not [*gateway.spool.rglob("document")]
        assert samples(gateway)["gateway_documents_in_flight"] == 0
        for wire in wires:
            wire.reset()
        whole_again(gateway)
        assert pool.submit(gateway.get, "/health/live").result().status_code == 200
    assert not psutil.pid_exists(gateway.service.pid)
