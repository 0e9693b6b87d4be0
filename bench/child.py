"""A helper process: `python -m bench.child MODULE` reads one plan from standard input and writes one result.

Both are pickles; `MODULE.prepare(plan)` returns the function to run. Before running it, the child writes `ready`
and waits for `go`: the start of Python is not timed, and several children start together.
"""

from __future__ import annotations

import importlib
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

_ROOT = Path(__file__).resolve().parents[1]
_READY = b"ready\n"
_GO = b"go\n"


class ChildFailed(Exception):
    """A helper process ended without a result; its standard error has been shown."""


class Child:
    def __init__(self, module: str, plan: object, env: dict[str, str], pass_fds: tuple[int, ...] = ()) -> None:
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.child", module],
            cwd=_ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=pass_fds,
            start_new_session=True,  # like the services: Linux schedules by session (autogroup)
        )
        encoded = pickle.dumps(plan)
        self._stdin.write(len(encoded).to_bytes(8, "little") + encoded)
        self._stdin.flush()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def _stdin(self) -> Any:
        return self._process.stdin

    @property
    def _stdout(self) -> Any:
        return self._process.stdout

    def wait_ready(self) -> Self:
        if self._stdout.read(len(_READY)) != _READY:
            raise ChildFailed(f"{self._module} ended with status {self._process.wait()} before it began.")
        return self

    def go(self) -> None:
        self._stdin.write(_GO)
        self._stdin.flush()

    def result(self) -> Any:
        encoded = self._stdout.read()
        if status := self._process.wait():
            raise ChildFailed(f"{self._module} ended with status {status}.")
        return pickle.loads(encoded)

    def close(self) -> None:
        """Kill the process if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._stdin.close()
        self._stdout.close()


def main() -> None:
    """The child's side."""
    # Not sys.stdin.buffer and sys.stdout.buffer, which are unbuffered where PYTHONUNBUFFERED is set.
    stdin, stdout = os.fdopen(0, "rb", closefd=False), os.fdopen(1, "wb", closefd=False)
    plan = pickle.loads(stdin.read(int.from_bytes(stdin.read(8), "little")))
    work = importlib.import_module(sys.argv[1]).prepare(plan)
    stdout.write(_READY)
    stdout.flush()
    if stdin.read(len(_GO)) == _GO:
        pickle.dump(work(), stdout)
        stdout.flush()


if __name__ == "__main__":
    main()
