"""Gateways, workers, model servers and their store of jobs: processes that a test may kill and start again."""

from __future__ import annotations

import contextlib
import io
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

import orjson
import psutil

from scripts.services import Service, answers, api_gateway, model_server
from tests.faults.held import Stop
from tests.faults.numbered import Pages
from tests.faults.pair import Metrics, metrics, until
from tests.faults.receiver import SECRET

StoreName = Literal["sqlite", "postgres"]
STORES: tuple[StoreName, ...] = ("sqlite", "postgres")
KEYS = {name: f"{name}-key-of-the-tests-{name}" for name in ("red", "green", "blue")}
LEASE_SECONDS = 2.0
START_SECONDS = 30.0

MODEL = {
    "WORKERS": "2",
    "NEURAL": "false",
    "ENVIRONMENT": "test",
    "TEST_ENGINE": "tests.faults.numbered:Numbered",
    "SHUTDOWN_DELAY_SECONDS": "0",
}
GATEWAY = {
    "API_KEYS": ",".join(f"{name}:{key}" for name, key in KEYS.items()),
    "CONNECT_TIMEOUT_SECONDS": "0.5",
    "SHUTDOWN_DELAY_SECONDS": "0",
    "JOBS_LEASE_SECONDS": f"{LEASE_SECONDS:g}",
    "WEBHOOK_SECRETS": SECRET,
    "WEBHOOK_ALLOW": "127.0.0.0/8",
    "WEBHOOK_TIMEOUT_SECONDS": "2",
}


class Member:
    """One process of a fleet; it keeps its port and its log when it is started again."""

    def __init__(
        self, name: str, folder: Path, make: Callable[[dict[str, str], io.BufferedWriter], Service]
    ) -> None:
        self.name = name
        self.temporary = folder / f"{name}-tmp"
        self.temporary.mkdir()
        self.log = folder / f"{name}.log"
        self._file = self.log.open("ab")
        self.service = make({"TMPDIR": str(self.temporary)}, self._file)

    @property
    def port(self) -> int:
        return self.service.port

    @property
    def pid(self) -> int:
        return self.service.pid

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(self.pid)

    @property
    def runs(self) -> bool:
        return self.service.started and self.service.process.poll() is None

    @property
    def metrics(self) -> Metrics:
        return metrics(self.service)

    def start(self) -> Self:
        self.service.start()
        return self

    def wait_alive(self) -> Self:
        path = "/health/live" if self.service.module == "api_gateway" else "/v1/models/ocr-model"
        until(lambda: not self.runs or answers(self.service.url + path), f"{self.name} is alive", START_SECONDS)
        assert self.runs, f"{self.name} has ended: {self.log.read_text()[-1000:]}"
        return self

    def kill(self) -> None:
        """SIGKILL."""
        self.service.process.kill()
        self.service.process.wait()

    def pause(self) -> None:
        self.service.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.service.process.send_signal(signal.SIGCONT)

    def stop(self, seconds: float = 60) -> int:
        """SIGTERM; the exit status."""
        if self.runs:
            self.resume()
        return self.service.stop(seconds)

    def lines(self) -> list[dict[str, Any]]:
        """Its log; a line that a SIGKILL cut short is left out."""
        found = []
        for line in self.log.read_bytes().split(b"\n"):
            with contextlib.suppress(orjson.JSONDecodeError):
                found.append(orjson.loads(line))
        return found

    def close(self) -> None:
        if self.service.started:
            with contextlib.suppress(ProcessLookupError):
                self.stop()
        self._file.close()


class Fleet:
    """With SQLite there is one gateway, which is the worker as well."""

    def __init__(
        self,
        folder: Path,
        store: StoreName,
        database_url: str | None = None,
        *,
        gateways: int = 1,
        workers: int = 1,
        models: int = 1,
        gateway: Mapping[str, str] | None = None,
        model: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Workers share the model servers evenly.

        `gateway` and `model` are settings without prefix; `environment` is for gateways and workers.
        """
        folder.mkdir(exist_ok=True)
        self.stop = Stop(folder)
        self.folder, self.store, self.database_url = folder, store, database_url
        self.pages = Pages(folder)
        self.jobs_folder = folder / "jobs"
        self._environment = {**self.stop.environment, **(environment or {})}
        self._settings = {**GATEWAY, **(gateway or {})}
        self.models = [self._model(f"model{number}", {**MODEL, **(model or {})}) for number in range(models)]
        if store == "sqlite":
            self.gateways = [self.gateway("gateway0", {"JOBS_DIR": str(self.jobs_folder), **(gateway or {})})]
            self.workers = self.gateways
        else:
            self.gateways = [self.gateway(f"gateway{n}", {"JOBS_ROLE": "gateway"}) for n in range(gateways)]
            self.workers = [
                self.gateway(f"worker{n}", {"JOBS_ROLE": "worker"}, model=self.models[n % models])
                for n in range(workers)
            ]

    def _model(self, name: str, settings: Mapping[str, str]) -> Member:
        env = _prefixed("MODEL_SERVER_", settings) | self.pages.environment
        return Member(name, self.folder, lambda own, log: model_server(env | own, log))

    def gateway(
        self,
        name: str,
        settings: Mapping[str, str],
        environment: Mapping[str, str] | None = None,
        model: Member | None = None,
    ) -> Member:
        """A further process of the gateway, not started."""
        if self.database_url is not None:
            settings = {"JOBS_DATABASE_URL": self.database_url, **settings}
        env = _prefixed("API_GATEWAY_", {**self._settings, **settings})
        env |= {**self._environment, **(environment or {})}

        def make(own: dict[str, str], log: io.BufferedWriter) -> Service:
            service = api_gateway((model or self.models[0]).service.url, env | own, log)
            service.program = "tests.faults.held"
            return service

        return Member(name, self.folder, make)

    @property
    def members(self) -> list[Member]:
        return list(dict.fromkeys((*self.models, *self.gateways, *self.workers)))

    @contextlib.contextmanager
    def running(self) -> Iterator[Self]:
        try:
            for member in self.members:
                member.start()
            for member in self.members:
                member.wait_alive()
            yield self
        finally:
            for member in reversed(self.members):
                member.close()

    def member(self, pid: int) -> Member:
        return next(member for member in self.members if member.service.started and member.pid == pid)

    def whole(self) -> None:
        """Start what has ended, wake what is stopped, and let pages go on."""
        self.stop.nowhere()
        self.pages.let_go()
        for member in self.members:
            if member.runs:
                member.resume()
            else:
                member.start()
        for member in self.members:
            member.wait_alive()


def _prefixed(prefix: str, settings: Mapping[str, str]) -> dict[str, str]:
    return {f"{prefix}{name}": value for name, value in settings.items()} | {f"{prefix}LOG_FORMAT": "json"}
