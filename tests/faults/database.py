"""What fault tests do to a PostgreSQL server besides ending it: copy its files, give it a small disk."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests import needs
from tests.jobs.postgres import PostgresServer


class CopiedServer(PostgresServer):
    """A server, not started, with another one's files as they are at this instant."""

    def __init__(self, other: PostgresServer, folder: Path) -> None:
        super().__init__(folder)
        shutil.rmtree(self._data)
        other.freeze()
        try:
            shutil.copytree(other._data, self._data, ignore=shutil.ignore_patterns("postmaster.pid"))
        finally:
            other.thaw()
        give(folder, like=other.folder)


def give(folder: Path, like: Path) -> None:
    """Give the folder to the owner of the other one."""
    owner = like.stat()
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)


@contextlib.contextmanager
def small_disk(folder: Path, mib: int) -> Iterator[Path]:
    """Meanwhile the folder is a file system of that size."""
    mount, umount = (needs.program(name, "Debian: mount") for name in ("mount", "umount"))
    done = subprocess.run([mount, "-t", "tmpfs", "-o", f"size={mib}m,mode=777", "tmpfs", folder], check=False)
    if done.returncode:
        needs.missing("the right to mount a file system")
    try:
        yield folder
    finally:
        subprocess.run([umount, "--lazy", folder], check=True)


def fill(folder: Path, left: int) -> Path:
    """A file that leaves only this many bytes of the folder's file system."""
    filler = folder / "filler"
    with filler.open("wb") as file, contextlib.suppress(OSError):
        while (free := shutil.disk_usage(folder).free) > left:
            file.write(bytes(min(1 << 20, free - left)))
            file.flush()
    return filler
