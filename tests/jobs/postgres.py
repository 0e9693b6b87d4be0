"""A PostgreSQL of its own for the tests: Debian's, in a temporary folder, as a user that is not root."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psutil

from scripts.services import free_port
from tests.needs import missing

_USER = "ocr"
_READY_SECONDS = 60
_FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")


class PostgresServer:
    """A server on a free port. Every process of it belongs to this object, which ends it."""

    def __init__(self, folder: Path, options: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.port = free_port()
        self._data = folder / "data"
        self._log = folder / "server.log"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "-D", str(self._data), "-U", _USER, "--auth=trust", "--no-sync", "-E", "UTF8")

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        command = [_program("postgres"), "-D", str(self._data), "-p", str(self.port), "-k", str(self.folder)]
        for option in ("listen_addresses=127.0.0.1", "max_connections=200", *self._options):
            command += ["-c", option]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, **unprivileged())  # type: ignore[call-overload]
        ready = [_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        end = time.monotonic() + _READY_SECONDS
        while subprocess.run(ready, check=False).returncode:
            assert self._process is not None
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < end, self._log.read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        """End it as an administrator does who does not wait for its clients."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            self._process = None

    def kill(self) -> None:
        """SIGKILL all its processes, as if the machine had lost its power but kept what it has written."""
        processes = self._processes()
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if self._process is not None:
            self._process.wait(30)
        psutil.wait_procs(processes, 30)
        self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def freeze(self) -> None:
        """SIGSTOP all its processes: connections stay open, and nothing answers."""
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()

    def thaw(self) -> None:
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    def create(self) -> str:
        """The URL of a new, empty database."""
        name = f"jobs_{uuid4().hex[:12]}"
        self.query(f'CREATE DATABASE "{name}"', "postgres")
        return self.url(name)

    def url(self, name: str) -> str:
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{name}"

    def query(self, statement: str, name: str) -> str:
        """Run a statement in psql; what it prints, without headings."""
        return self._run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url(name))

    def _processes(self) -> list[psutil.Process]:
        if self._process is None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            server = psutil.Process(self._process.pid)
            return [server, *server.children(recursive=True)]
        return []

    def _run(self, name: str, *arguments: str) -> str:
        done = subprocess.run(
            [_program(name), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            **unprivileged(),  # type: ignore[call-overload]
        )
        assert done.returncode == 0, done.stderr
        return str(done.stdout)


@contextlib.contextmanager
def postgres_server(*, durable: bool = False, options: tuple[str, ...] = ()) -> Iterator[PostgresServer]:
    """A running server; `durable`: it syncs each commit to the disk, as it does by default."""
    if not _programs():
        missing("PostgreSQL is not installed (Debian: postgresql)")
    # Not in pytest's folders, which only their owner may enter; a short path, because of the socket in it.
    folder = Path(tempfile.mkdtemp(prefix="ocr-pg-"))
    if os.geteuid() == 0:
        owner = _owner()
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    try:
        server = PostgresServer(folder, (*(() if durable else _FAST), *options))
        server.start()
        try:
            yield server
        finally:
            server.thaw()
            server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_installed() -> bool:
    return bool(_programs())


def _programs() -> list[Path]:
    """Debian's folders of PostgreSQL's programs, the newest last."""
    return sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))


def _program(name: str) -> str:
    return str(_programs()[-1] / name)


def _owner() -> pwd.struct_passwd:
    """PostgreSQL refuses to run as root."""
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def unprivileged() -> dict[str, object]:
    if os.geteuid():
        return {}
    owner = _owner()
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
