"""`python -m bench.docling_calls PYTHON`: what docling's calls cost beside the recognition.

PYTHON is the interpreter of `make test-applications`. It prints the figures of docs/applications.md: how long a
page of 1190 x 1684 pixels takes until its recognition begins, how long the server's loop is blocked meanwhile, and
pages per second of eight clients, of which V1 is the yardstick.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from bench.docling_server import RECORD
from scripts.services import Service, model_server
from tests.pictures import formats, render

WAYS = ("v1", "http", "grpc")
SINGLE, ROUNDS, CLIENTS = 20, 2, 8
_DPI = 144
_LOAD = Path(__file__).with_name("docling_load.py")


class Times(NamedTuple):
    """Milliseconds, a value for each call.

    `until_begun` counts from the client's call. `blocked` is the loop's longest processor time without a pause.
    """

    until_begun: list[float]
    blocked: list[float]


def main() -> int:
    python = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record"
        os.environ[RECORD] = str(record)
        pages = [_page(Path(folder), seed) for seed in range(8)]
        with (Path(folder) / "log").open("wb") as log:
            service = model_server({"MODEL_SERVER_NEURAL": "false"}, log)
            service.program = "bench.docling_server"
            with service:
                _load(python, service, "v1", pages, CLIENTS)  # warm
                for way in WAYS:
                    calls = _load(python, service, way, [pages[at % 8] for at in range(SINGLE)], 1)
                    _show_times(way, _times(calls, record))
                seconds = dict.fromkeys(WAYS, 0.0)
                for _, way in product(range(ROUNDS), WAYS):  # in turns, because the machine may have other work
                    seconds[way] += _seconds(_load(python, service, way, pages, CLIENTS))
    for way in WAYS:
        rate, share = ROUNDS * len(pages) / seconds[way], seconds["v1"] / seconds[way]
        print(f"{way}: {rate:.2f} pages/s with {CLIENTS} clients, {share:.2f} of V1")
    return 0


def _page(folder: Path, seed: int) -> str:
    path = folder / f"{seed}.png"
    path.write_bytes(formats.FORMATS["png grey"].encode(render.a4(seed, _DPI)))
    return str(path)


def _load(python: str, service: Service, way: str, pages: list[str], clients: int) -> list[dict[str, Any]]:
    url = f"127.0.0.1:{service.grpc_port}" if way == "grpc" else service.url
    asked = json.dumps({"pages": pages, "way": way, "url": url, "clients": clients})
    done = subprocess.run([python, str(_LOAD)], input=asked, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def _times(calls: list[dict[str, Any]], record: Path) -> Times:
    found = [json.loads(line) for line in record.read_text().splitlines()]
    until, blocked = [], []
    for call in calls:
        began, ended = call["began"], call["ended"]
        until.append(1000 * (_of(found, "begins", began, ended)[0]["at"] - began))
        gaps = [gap["seconds"] for gap in _of(found, "blocked", began, ended)]
        blocked.append(1000 * max(gaps, default=0.0))
    return Times(until, blocked)


def _of(found: list[dict[str, Any]], what: str, began: float, ended: float) -> list[dict[str, Any]]:
    return [line for line in found if line["what"] == what and began <= line["at"] <= ended]


def _show_times(way: str, times: Times) -> None:
    for name, values in times._asdict().items():
        median, least, most = statistics.median(values), min(values), max(values)
        print(f"{way}: {name} {median:.1f} ms in the median, {least:.1f} to {most:.1f}", flush=True)


def _seconds(calls: list[dict[str, Any]]) -> Any:
    return max(call["ended"] for call in calls) - min(call["began"] for call in calls)


if __name__ == "__main__":
    sys.exit(main())
