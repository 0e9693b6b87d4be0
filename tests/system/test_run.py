"""`make run`, as a person uses it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from scripts import services
from tests.documents import make
from tests.documents.stand_in import until
from tests.pictures import render

ROOT = Path(__file__).parents[2]
READY = re.compile(r"curl -F image_file=@YOUR_PICTURE '(http://127\.0\.0\.1:\d+/gateway/ocr\?format=text)'")


@contextmanager
def running(**env: str) -> Iterator[subprocess.Popen[str]]:
    """Without `API_GATEWAY_JOBS_DIR`, jobs are kept until it ends: the folder `.jobs` is for one at a time."""
    with tempfile.TemporaryDirectory() as jobs:
        process = subprocess.Popen(
            [sys.executable, "-m", "scripts.run"],
            cwd=ROOT,
            env={
                **os.environ,
                "MODEL_SERVER_PORT": str(services.free_port()),
                "MODEL_SERVER_GRPC_PORT": str(services.free_port()),
                "API_GATEWAY_PORT": str(services.free_port()),
                "API_GATEWAY_JOBS_DIR": jobs,
                **env,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def wait_ready(process: subprocess.Popen[str]) -> str:
    """The address that it prints."""
    assert process.stdout
    for line in process.stdout:
        if found := READY.search(line):
            return found[1]
    pytest.fail("it ended before it was ready")


def test_it_prints_a_line_that_works_and_stops_cleanly(label_png: bytes) -> None:
    with running() as process:
        url = wait_ready(process)
        assert httpx.post(url, files={"image_file": ("x", label_png)}).status_code == 200
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "Traceback" not in rest
        assert not psutil.wait_procs(children, timeout=5)[1]


def test_a_job_goes_on_where_ctrl_c_stopped_it(page: render.Picture, tmp_path: Path) -> None:
    document = make.scanned(*[page] * 4)
    with running(API_GATEWAY_JOBS_DIR=str(tmp_path)) as process:
        gateway = wait_ready(process).partition("/gateway/")[0]
        answer = httpx.post(f"{gateway}/gateway/jobs", files={"image_file": ("x", document)})
        assert answer.status_code == 202, answer.text
        path = f"/gateway/jobs/{answer.json()['id']}"
        until(lambda: httpx.get(gateway + path).json()["pages_done"] >= 1, 60)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    with running(API_GATEWAY_JOBS_DIR=str(tmp_path)) as process:
        gateway = wait_ready(process).partition("/gateway/")[0]
        first = httpx.get(gateway + path).json()
        assert first["pages_done"] >= 1
        until(lambda: httpx.get(gateway + path).json()["status"] == "complete", 60)
        job = httpx.get(gateway + path).json()
        assert (job["pages_done"], job["attempts"]) == (4, 0)
        assert len(httpx.get(f"{gateway}{path}/result").json()["pages"]) == 4
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def test_a_port_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with running(API_GATEWAY_PORT=str(port)) as process:
            said, _ = process.communicate(timeout=30)
            assert process.returncode == 1
            assert f"Port {port} is in use" in said


def test_a_service_that_dies_ends_it_all() -> None:
    with running() as process:
        wait_ready(process)
        children = psutil.Process(process.pid).children()
        (model,) = [child for child in children if "model_server" in child.cmdline()]
        model.kill()
        said, _ = process.communicate(timeout=30)
        assert process.returncode == 1
        assert "model_server ended with status -9" in said
        assert not psutil.wait_procs(children, timeout=5)[1]


def test_a_service_that_can_t_start_says_why(tmp_path: Path) -> None:
    with running(MODEL_SERVER_TESSDATA_DIR=str(tmp_path / "nowhere")) as process:
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "The folder of language data is missing" in said
        assert "Traceback" not in said
