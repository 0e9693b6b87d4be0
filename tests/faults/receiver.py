"""A receiver of webhooks that may be slow, fail, refuse, or send its callers elsewhere."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
from standardwebhooks import Webhook

from tests.faults.wire import HOST

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass(frozen=True)
class Delivery:
    """One attempt; `status` is what it was answered."""

    path: str
    id: str
    body: dict[str, Any]
    status: int
    when: float  # monotonic
    sound: bool  # its signature holds
    headers: dict[str, str]

    @property
    def job(self) -> str:
        return str(self.body["data"]["id"])


@dataclass
class Receiver:
    """`answers` gives the status for a path and the number of earlier attempts with this id; it may also wait."""

    host: str
    port: int = 0
    answers: Callable[[str, int], int] = lambda _path, _times: 204
    location: str = ""  # of its redirects
    deliveries: list[Delivery] = field(default_factory=list)
    close: Callable[[], None] = lambda: None  # it listens no more
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _times: dict[str, int] = field(default_factory=dict)

    def url(self, path: str = "/") -> str:
        return f"http://{self.host}:{self.port}{path}"

    def of(self, job: str) -> list[Delivery]:
        with self._lock:
            return [delivery for delivery in self.deliveries if delivery.job == job]

    def arrived(self, job: str) -> list[Delivery]:
        """Those that were answered with success."""
        return [delivery for delivery in self.of(job) if delivery.status // 100 == 2]

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        arrived, name = time.monotonic(), headers.get("webhook-id", "")
        sound = True
        try:
            Webhook(SECRET).verify(body, headers)
        except Exception:  # noqa: BLE001 - whatever is wrong with it
            sound = False
        with self._lock:
            times = self._times.get(name, 0)
            self._times[name] = times + 1
        status = self.answers(path, times)
        with self._lock:
            self.deliveries.append(Delivery(path, name, orjson.loads(body), status, arrived, sound, headers))
        return status


@contextlib.contextmanager
def receiving(port: int = 0, host: str = HOST) -> Iterator[Receiver]:
    found = Receiver(host)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(length := int(self.headers["content-length"]))
            if len(body) < length:
                return  # the sender was killed
            status = found.take(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            with contextlib.suppress(OSError):
                self.send_response(status)
                if found.location:
                    self.send_header("Location", found.location)
                if status != 204:
                    self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_arguments: Any) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    with Server((host, port), Handler) as server:
        found.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()

        def close() -> None:
            server.shutdown()
            server.server_close()

        found.close = close
        yield found
        server.shutdown()
