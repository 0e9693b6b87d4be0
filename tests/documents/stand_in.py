"""Model servers that take a fixed time per page and recognise nothing, and a load balancer for them.

The balancer replaces a Kubernetes Service: the gateway opens a connection for each call, and the balancer gives
each to the next server. The servers check that each call has a picture of a page.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import orjson
import pybase64
from PIL import Image

HOST = "127.0.0.1"
_ENGINE = {
    "name": "tesseract",
    "tesseract": "0",
    "languages": ["eng"],
    "traineddata": {"eng": "0"},
    "neural": None,
}

Headers = dict[str, str]
Verdict = tuple[int, dict[str, Any], Headers]


@dataclass
class ModelServer:
    """Reads one page at a time, in `seconds`; up to `queue` calls wait, further calls are refused.

    `verdict` may answer a call instead: its arguments are the page's width and the earlier calls with that width.
    """

    seconds: float = 0.0
    queue: int = 64
    words: int = 1
    version: str = "0"  # reported version of the engine
    verdict: Callable[[int, int], Verdict | None] = lambda _width, _times: None
    calls: list[tuple[Headers, int]] = field(default_factory=list)  # headers and the page's width
    most_at_once: int = 0
    at_once: int = 0
    alive: bool = True  # if not, it answers no call, and the balancer skips it
    gone: int = 0  # callers that disconnected while their page was being read
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
            }
            if head[0].startswith("GET"):
                self._answer(writer, 200, {"name": "ocr-model", "ready": True}, {})
            else:
                body = await reader.readexactly(int(headers["content-length"]))
                await self._predict(reader, writer, headers, body)
            await writer.drain()
        writer.close()

    async def _predict(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: Headers, body: bytes
    ) -> None:
        (instance,) = orjson.loads(body)["instances"]
        with Image.open(io.BytesIO(pybase64.b64decode(instance["image"]["b64"]))) as image:
            width, height = image.size
        times = sum(seen == width for _, seen in self.calls)
        self.calls.append((headers, width))
        if found := self.verdict(width, times):
            self._answer(writer, *found)
            return
        if self.at_once > self.queue:
            self._answer(writer, 429, {"error": "full", "code": "overloaded"}, {"Retry-After": "1"})
            return
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            reading = asyncio.ensure_future(self._read())
            left = asyncio.ensure_future(reader.read(1))
            await asyncio.wait({reading, left}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                self.gone += 1
                reading.cancel()
                return
            left.cancel()
        finally:
            self.at_once -= 1
        if self.alive:
            self._answer(writer, 200, {"predictions": [self._page(width, height)]}, {})

    async def _read(self) -> None:
        async with self._worker:
            await asyncio.sleep(self.seconds)

    def _page(self, width: int, height: int) -> dict[str, Any]:
        word = {
            "text": f"w{width}",
            "confidence": 90.0,
            "bbox": [0, 0, 1, 1],
            "block": 1,
            "paragraph": 1,
            "line": 1,
        }
        return {
            "text": f"w{width}\n",
            "confidence": 90.0,
            "width": width,
            "height": height,
            "format": "tiff",
            "page_count": 1,
            "words": [word] * self.words,
            "engine": {**_ENGINE, "tesseract": self.version},
            "duration_seconds": self.seconds,
            "rotation": 0,
            "skew": 0.0,
            "lines": 0,
            "lines_read_again": 0,
        }

    def _answer(self, writer: asyncio.StreamWriter, status: int, content: Any, headers: Headers) -> None:
        body = orjson.dumps(content)
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = (
            f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{more}\r\n"
        )
        writer.write(head.encode() + body)

    def begin(self) -> None:
        self._worker = asyncio.Lock()


@contextlib.contextmanager
def serving(*servers: ModelServer) -> Iterator[str]:
    """The address of a balancer for these servers, which run in their own thread."""
    ready: Future[int] = Future()
    stop: list[Callable[[], object]] = []

    async def run() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(ended.set))
        async with contextlib.AsyncExitStack() as stack:
            for server in servers:
                server.begin()
            turn = iter(range(1 << 30))

            async def balance(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                alive = [server for server in servers if server.alive]
                await alive[next(turn) % len(alive)].serve(reader, writer)

            listener = await asyncio.start_server(balance, HOST, 0, limit=1 << 22)
            await stack.enter_async_context(listener)
            ready.set_result(listener.sockets[0].getsockname()[1])
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{ready.result(10)}"
    finally:
        stop[0]()
        thread.join(10)


def until(true: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Wait until the value is true; return it."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "in vain"
        time.sleep(0.01)
    return found
