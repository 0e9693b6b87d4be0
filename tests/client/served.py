"""The command as a process, and gateways for it on one model server with the misbehaving engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx
import orjson
from prometheus_client.parser import text_string_to_metric_families

from scripts import services
from scripts.services import Service
from tests.faults.pair import until
from tests.pictures import formats, render

SOURCE = services.ROOT / "ocr_client" / "src"
png = formats.FORMATS["png grey"].encode


class Ocr:
    """Runs `ocr` with a folder of its own, without the settings of whoever runs the tests."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("OCR_")},
            "PYTHONPATH": str(SOURCE),
            "HOME": str(folder / "home"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_STATE_HOME": str(folder / "state"),
            "OCR_URL": url,
            "COLUMNS": "100",
        }

    def start(self, *arguments: str | os.PathLike[str], **options: Any) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "ocr_client", *(os.fspath(argument) for argument in arguments)]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        env = {**self.env, **options.pop("env", {})}
        return subprocess.Popen(command, cwd=self.folder, env=env, **{**pipes, **options})

    def run(
        self, *arguments: str | os.PathLike[str], stdin: bytes | None = None, **options: Any
    ) -> subprocess.CompletedProcess[bytes]:
        if stdin is not None:
            options["stdin"] = subprocess.PIPE
        process = self.start(*arguments, **options)
        out, err = process.communicate(stdin, timeout=60)
        assert b"Traceback" not in err, err.decode()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def files(self, below: str = ".") -> set[str]:
        """All files, hidden ones too, but for journals."""
        found = [path.relative_to(self.folder) for path in (self.folder / below).rglob("*") if path.is_file()]
        return {str(path) for path in found if path.name != ".ocr-done.jsonl"}


def interrupted(process: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    """Send what Ctrl-C sends; return exit code and outputs."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert b"Traceback" not in err, err.decode()
    return process.returncode, out, err


def json_lines(out: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in out.splitlines()]


def pages_read(model: Service) -> int:
    """How many pages the model server has read."""
    text = httpx.get(f"{model.url}/metrics", trust_env=False).text
    families = text_string_to_metric_families(text)
    samples = (sample for family in families for sample in family.samples)
    return int(sum(one.value for one in samples if one.name == "ocr_pages_read_total"))


@contextmanager
def gateway(model: Service, log: IO[bytes], settings: Mapping[str, str] | None = None) -> Iterator[Service]:
    env = {"SHUTDOWN_DELAY_SECONDS": "0", "SPLITTER_TIMEOUT_SECONDS": "20", **(settings or {})}
    with services.api_gateway(
        model.url, {f"API_GATEWAY_{name}": value for name, value in env.items()}, log
    ).start() as started:
        yield started.wait_ready()


def labels(folder: Path, count: int, kinds: int = 8) -> list[Path]:
    """Small pictures, of which each kind has another text."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = [png(render.label(seed)) for seed in range(1, kinds + 1)]
    paths = [folder / f"{number:03}.png" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(drawn[number % kinds])
    return paths


def until_outputs(folder: Path, count: int, suffix: str = ".txt") -> None:
    until(lambda: len([*folder.rglob(f"*{suffix}")]) >= count, f"{count} outputs", 20)


__all__: Sequence[str] = ("Ocr", "gateway", "interrupted", "json_lines", "labels", "pages_read", "until_outputs")
