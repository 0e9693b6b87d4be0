"""Starts and stops the services as separate processes: for `make run`, the tests and the benchmark."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import deque
from pathlib import Path
from typing import IO, Self

ROOT = Path(__file__).resolve().parents[1]
READY_SECONDS = 60.0
STOP_SECONDS = 60.0
_POLL_SECONDS = 0.05
_FIRST_PORT, _PORTS = 20_000, 10_000  # below those of Kubernetes, too
_MOST_HELD = 500  # ports; the services of earlier ones have ended, or listen
_held: deque[socket.socket] = deque()


class ServiceFailed(Exception):
    """A service ended, or did not become ready."""


class Service:
    """One service on 127.0.0.1, as `python -m MODULE`; a context manager that stops the service."""

    def __init__(
        self, module: str, ready_path: str, env: dict[str, str] | None = None, log: IO[bytes] | None = None
    ) -> None:
        self.module = module
        self.grpc_port = int((env or {}).get("MODEL_SERVER_GRPC_PORT", 0))  # of a model server
        self.port = int((env or {}).get(f"{module.upper()}_PORT", 0)) or free_port()
        self._ready_path = ready_path
        prefix = module.upper()
        self._env = {**os.environ, f"{prefix}_HOST": "127.0.0.1", **(env or {}), f"{prefix}_PORT": str(self.port)}
        self._log = log
        self.prefix: list[str] = []  # put before the command, to run it under another program
        self.program = module  # tests run another module, which runs this one
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def started(self) -> bool:
        return self._process is not None

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, f"{self.module} was not started"  # noqa: S101
        return self._process

    def start(self) -> Self:
        self._process = subprocess.Popen(  # noqa: S603
            [*self.prefix, sys.executable, "-m", self.program],
            cwd=ROOT,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # a terminal's Ctrl-C reaches only us
        )
        return self

    def wait_ready(self, seconds: float = READY_SECONDS) -> Self:
        """Wait until the readiness URL answers 200.

        Raises:
            ServiceFailed: the process ended, or the time is over.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if (status := self.process.poll()) is not None:
                raise ServiceFailed(f"{self.module} ended with status {status} before it was ready.")
            if answers(self.url + self._ready_path):
                return self
            time.sleep(_POLL_SECONDS)
        raise ServiceFailed(f"{self.module} was not ready within {seconds:g} seconds.")

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """Send SIGTERM, and SIGKILL after `seconds`; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def __enter__(self) -> Self:
        return self.start().wait_ready() if self._process is None else self

    def __exit__(self, *_exception: object) -> None:
        self.stop()


def model_server(env: dict[str, str] | None = None, log: IO[bytes] | None = None) -> Service:
    """Unless `env` says otherwise, with a free port for gRPC: many may run side by side."""
    settings = {"MODEL_SERVER_GRPC_PORT": str(free_port()), **(env or {})}
    name = settings.get("MODEL_SERVER_MODEL_NAME", "ocr-model")
    return Service("model_server", f"/v1/models/{name}", settings, log)


def api_gateway(model_url: str, env: dict[str, str] | None = None, log: IO[bytes] | None = None) -> Service:
    return Service("api_gateway", "/health/ready", {"API_GATEWAY_MODEL_SERVER_URL": model_url, **(env or {})}, log)


def free_port() -> int:
    """Below those that the kernel gives to connections, so that none of them takes it before a service does.

    No other process gets the same port meanwhile: the UDP port of this number is held for it.
    """
    while True:
        port = _FIRST_PORT + secrets.randbelow(_PORTS)  # tests seed `random`
        held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with contextlib.suppress(OSError):
            held.bind(("127.0.0.1", port))
            if not in_use(port):
                _held.append(held)
                if len(_held) > _MOST_HELD:
                    _held.popleft().close()
                return port
        held.close()


def in_use(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def answers(url: str) -> bool:
    """Whether the URL answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
