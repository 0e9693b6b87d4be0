"""A collector that takes spans by OTLP, and that may be slow, fail, or be away."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass
class Collector:
    port: int
    status: int = 200
    seconds: float = 0.0  # before each answer
    headers: dict[str, str] = field(default_factory=dict)  # of the last request
    names: list[str] = field(default_factory=list)  # of the spans that were accepted
    requests: int = 0
    close: Callable[[], None] = lambda: None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def collecting(port: int = 0) -> Iterator[Collector]:
    found = Collector(port)
    over = threading.Event()

    class OtlpHandler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert self.path == "/v1/traces"
            found.requests += 1
            found.headers = {name.lower(): value for name, value in self.headers.items()}
            status = found.status
            over.wait(found.seconds)
            with contextlib.suppress(OSError):
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()
            if status == 200:
                call = ExportTraceServiceRequest.FromString(body)
                for resource in call.resource_spans:
                    for scope in resource.scope_spans:
                        found.names += [span.name for span in scope.spans]

        def log_message(self, *_arguments: Any) -> None: ...

    class OtlpServer(ThreadingHTTPServer):
        daemon_threads = True

    with OtlpServer(("127.0.0.1", port), OtlpHandler) as server:
        found.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            over.set()
            server.shutdown()
            thread.join()


def until(true: Callable[[], Any], what: str, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)
