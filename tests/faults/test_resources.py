"""Exhausted resources: file descriptors, disk space, writable folders. Faults 24 and 25."""

from __future__ import annotations

import contextlib
import http.client
import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.services import ROOT
from tests import needs
from tests.documents import make
from tests.faults import engines
from tests.faults.conftest import PairOf, Record
from tests.faults.engines import Fault
from tests.faults.pair import KNOWN, Pair, Watched, until
from tests.faults.wire import Answer, Wire
from tests.pictures import formats, render

SPARE = 4  # descriptors that are left


@contextlib.contextmanager
def few_descriptors(watched: Watched, spare: int) -> Iterator[None]:
    """Meanwhile the process may open only this many more descriptors."""
    process = watched.process
    before = process.rlimit(resource.RLIMIT_NOFILE)
    process.rlimit(resource.RLIMIT_NOFILE, (process.num_fds() + spare, before[1]))
    try:
        yield
    finally:
        process.rlimit(resource.RLIMIT_NOFILE, before)


def tried(read: Callable[[bytes], Answer]) -> str:
    """The outcome of a request now."""
    try:
        answer = read(KNOWN)
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    return f"{answer.status} {answer.code}"


@pytest.mark.parametrize("which", ["gateway", "model server"])
@pytest.mark.fault(24, "No file descriptors are left, and then there are again")
def test_24_file_descriptors(pair: Pair, record: Record, which: str) -> None:
    watched = pair.gateway if which == "gateway" else pair.model
    read = pair.read if which == "gateway" else pair.predict
    with few_descriptors(watched, SPARE), contextlib.ExitStack() as held:
        wires = [held.enter_context(Wire(watched.port)) for _ in range(3 * SPARE)]
        until(lambda: watched.process.num_fds() >= watched.process.rlimit(resource.RLIMIT_NOFILE)[0], "none left")
        began = time.monotonic()
        record.saw(f"{which}: a request then", tried(read), time.monotonic() - began)
        assert watched.service.process.poll() is None
        assert len(wires) == 3 * SPARE
    began = time.monotonic()
    until(lambda: tried(read) == "200 ok", "served again, by the same process")
    record.saw(f"{which}: served again", "200 ok", time.monotonic() - began)
    pair.wait_idle()
    for one in pair.services:  # only the server knows which of them arrived
        one.begin()
    record.whole(pair)


@pytest.mark.fault(24, "A worker dies while no file descriptor is left for another")
def test_24_no_descriptors_for_a_worker(pair: Pair, record: Record) -> None:
    process = pair.model.process
    before = process.rlimit(resource.RLIMIT_NOFILE)
    used = {int(found.name) for found in Path(f"/proc/{process.pid}/fd").iterdir()}
    lowest = next(number for number in range(len(used) + 1) if number not in used)
    failed = len(pair.model.log_lines_of("worker did not start"))
    process.rlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))  # closing descriptors above it frees none
    try:
        pair.workers()[0].kill()
        until(lambda: len(pair.model.log_lines_of("worker did not start")) > failed, "it could not be replaced")
    finally:
        process.rlimit(resource.RLIMIT_NOFILE, before)
    record.saw("full strength again", "2 of 2 workers", pair.wait_workers())
    record.whole(pair)


FULL = Path("/var/tmp") if ROOT.is_relative_to("/tmp") else Path("/tmp")  # not over the project's folder
CONFINE = f"""
set -e
mount -t tmpfs -o size=64k tmpfs {FULL}
head -c 1000000 /dev/zero >{FULL}/full 2>/dev/null || true
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
mount -o remount,bind,ro /
shift
exec "$@"
"""


def confinement() -> list[str]:
    """A prefix for a command, so that it can write nowhere."""
    program = needs.program("unshare", "Debian: util-linux")
    start = [
        program,
        "--mount",
        *(["--map-root-user"] if os.geteuid() else []),
        "sh",
        "-c",
        CONFINE,
        "sh",
        str(ROOT),
    ]
    if subprocess.run([*start, "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        needs.missing("mount namespaces (unshare --mount) are not allowed here")
    return start


@pytest.mark.slow
@pytest.mark.fault(25, "A full /tmp and a read-only root, in a mount namespace")
def test_25_full_tmp_and_read_only_root(pair_of: PairOf, record: Record) -> None:
    confined = pair_of(environment={"TMPDIR": str(FULL)})
    for watched in confined.services:
        watched.service.prefix = confinement()
    with confined.running() as pair:
        pair.begin()
        for watched in pair.services:
            root = Path(f"/proc/{watched.pid}/root")
            with pytest.raises(OSError, match="No space left"):
                (root / FULL.relative_to("/") / "more").write_bytes(bytes(100_000))
            no_room = record.answer("a document", pair.read(make.scanned(render.page(1))))
            if watched is pair.gateway:
                assert (no_room.status, no_room.code) == (503, "no_space")
            for folder in (root, root / ROOT.relative_to("/")):
                with pytest.raises(OSError, match="Read-only"):
                    (folder / "file").write_bytes(b"")
        for name in ("png grey", "jpeg cmyk", "tiff group 4", "webp lossy", "heic", "avif", "gif animated"):
            answer = pair.read(formats.FORMATS[name].encode(render.label(1)))
            assert answer.status == 200, name
            assert answer.text == pair.known_text
        record.answer("pictures of seven formats", answer)
        assert pair.read(engines.picture(Fault.SEGFAULT)).code == "worker_crashed"
        assert pair.read(b"GIF89a").status == 422
        record.also("a crashed worker is replaced there, too")
        record.whole(pair)
