"""Real services for the tests: one pair for the session, and a way to start others with settings of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from scripts import services
from tests.pictures import formats, render


@dataclass
class Pair:
    """A gateway and its model server, with the files that they log to."""

    model: services.Service
    gateway: services.Service
    model_log: Path
    gateway_log: Path


png = formats.FORMATS["png grey"].encode

Launch = Callable[..., contextlib.AbstractContextManager[Pair]]


@pytest.fixture(scope="session")
def launch(tmp_path_factory: pytest.TempPathFactory) -> Launch:
    """Starts a pair; `model` and `gateway` are settings without their prefix."""

    @contextlib.contextmanager
    def start(model: dict[str, str] | None = None, gateway: dict[str, str] | None = None) -> Iterator[Pair]:
        folder = tmp_path_factory.mktemp("pair")
        logs = folder / "model.log", folder / "gateway.log"
        with logs[0].open("wb") as model_log, logs[1].open("wb") as gateway_log:
            model_env = {"SHUTDOWN_DELAY_SECONDS": "0", **(model or {})}
            gateway_env = {"SHUTDOWN_DELAY_SECONDS": "0", **(gateway or {})}
            first = services.model_server({f"MODEL_SERVER_{k}": v for k, v in model_env.items()}, model_log)
            second = services.api_gateway(
                first.url, {f"API_GATEWAY_{k}": v for k, v in gateway_env.items()}, gateway_log
            )
            first.start()
            second.start()
            with contextlib.ExitStack() as stack:
                stack.callback(first.stop)
                stack.callback(second.stop)
                first.wait_ready()
                second.wait_ready()
                yield Pair(first, second, *logs)

    return start


@pytest.fixture(scope="session")
def pair(launch: Launch) -> Iterator[Pair]:
    with launch() as started:
        yield started


@pytest.fixture(scope="session")
def gateway(pair: Pair) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=pair.gateway.url, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def model(pair: Pair) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=pair.model.url, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def page() -> render.Picture:
    return render.page(1)


@pytest.fixture(scope="session")
def label() -> render.Picture:
    return render.label(1)


@pytest.fixture(scope="session")
def label_png(label: render.Picture) -> bytes:
    return png(label)


@pytest.fixture(scope="session")
def page_png(page: render.Picture) -> bytes:
    return png(page)


@pytest.fixture(scope="session")
def blank_png(label: render.Picture) -> bytes:
    return png(render.Picture(label.image.point(lambda _: 255), "", label.dpi))
