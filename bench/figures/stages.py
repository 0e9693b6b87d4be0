"""CPU time of each step around the engine, measured alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson
import pybase64

from bench.workloads import workload
from model_server.image_header import read_header
from model_server.reading import decoding
from service_kit.page import Page, Word, make_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.run import Run
    from bench.workloads import Image

_NAMES = ("label", "page", "a4-200", "a4-300", "photo")
_SECONDS = 0.3
_REPEATS = 3


def measure(run: Run) -> dict[str, Any]:
    run.steps("Steps around the engine", len(_NAMES))
    found: dict[str, Any] = {}
    for name in _NAMES:
        with run.step(name):
            reference = run.reference(name)
            image = workload(name).images[0]
            found[name] = {
                "file_bytes": len(image.file),
                "engine_ms": 1e3 * reference.cpu_seconds[0],
                "steps_ms": {step: _cpu_ms(work) for step, work in _steps(image, reference.texts[0]).items()},
            }
    return {"workloads": found}


def _steps(image: Image, text: str) -> dict[str, Callable[[], object]]:
    header = read_header(image.file)
    encoded = pybase64.b64encode(image.file)
    body = b'{"instances":[{"image":{"b64":"%b"}}]}' % encoded
    words: list[Word] = [
        {"text": word, "confidence": 96.5, "bbox": (10, 10, 50, 30), "block": 1, "paragraph": 1, "line": 1}
        for word in text.split()
    ]

    def page() -> Page:
        size = image.grey
        return make_page(
            words, width=size.width, height=size.height, page_count=1, engine=None, duration_seconds=1.0
        )

    answer = page()
    answered = orjson.dumps(answer)
    return {
        "header": lambda: read_header(image.file),
        "base64, both ways": lambda: pybase64.b64decode(pybase64.b64encode(image.file), validate=True),
        "JSON of the request": lambda: orjson.loads(body),
        "decoding to grey": lambda: decoding.decode(image.file, header),
        "page structure": page,
        "JSON of the answer, both ways": lambda: orjson.loads(orjson.dumps(answer)) and answered,
    }


def _cpu_ms(work: Callable[[], object]) -> float:
    """The smallest of some repeats."""
    best = float("inf")
    for _ in range(_REPEATS):
        began = time.process_time()
        count = 0
        while (used := time.process_time() - began) < _SECONDS / _REPEATS:
            work()
            count += 1
        best = min(best, used / count)
    return 1e3 * best
