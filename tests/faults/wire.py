"""Plain sockets: a misbehaving client and a misbehaving model server."""

from __future__ import annotations

import contextlib
import http.client
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import orjson

HOST = "127.0.0.1"
BOUNDARY = "----faults"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
JSON = {"content-type": "application/json"}
_SECONDS = 20.0


@dataclass
class Answer:
    """An answer, and the time that it took."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def code(self) -> str:
        """`ok` or the error's code; "" if the answer is not from our code."""
        if self.status == 200:
            return "ok"
        with contextlib.suppress(orjson.JSONDecodeError):
            return str(self.json.get("code", ""))
        return ""

    @property
    def text(self) -> str:
        """The recognised text, in the answer of either service."""
        found = self.json
        return str(found["text"] if "text" in found else found["predictions"][0]["text"])


def exchange(
    port: int, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """An ordinary request on its own connection."""
    began = time.monotonic()
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    try:
        connection.request(method, path, body, {"connection": "close", **(headers or {})})
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    found = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, found, content, time.monotonic() - began)


def parsed(data: bytes, seconds: float) -> Answer:
    """A complete answer with a Content-Length, as bytes."""
    raw_head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = raw_head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    assert len(body) == int(headers["content-length"]), "the answer is whole"
    return Answer(int(first.split()[1]), headers, body, seconds)


def multipart(data: bytes, field_name: str = "image_file", file_name: str = "picture.png") -> bytes:
    return (
        (
            f"--{BOUNDARY}\r\n"
            f'Content-Disposition: form-data; name="{field_name}"; filename="{file_name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        + data
        + f"\r\n--{BOUNDARY}--\r\n".encode()
    )


def head(path: str, *headers: str, method: str = "POST") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {HOST}", *headers, "", ""]).encode("latin-1")


def upload_head(length: int | str | None, *headers: str, path: str = "/gateway/ocr") -> bytes:
    """The head of an upload; `length` None: chunked."""
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return head(path, f"Content-Type: {FORM}", size, *headers)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Wire:
    """One connection, on which a test can send any bytes."""

    def __init__(self, port: int, *said: bytes, seconds: float = _SECONDS) -> None:
        self._began = time.monotonic()
        self.socket = socket.create_connection((HOST, port), timeout=seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for data in said:
            self.say(data)

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> Answer:
        """The next answer; raises the socket's error if there is none."""
        response = http.client.HTTPResponse(self.socket)
        response.begin()
        body = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, body, time.monotonic() - self._began)

    def ended(self) -> bool:
        """Whether the other side closes or resets without sending more."""
        try:
            return self.socket.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    def seconds(self) -> float:
        return time.monotonic() - self._began

    def reset(self) -> None:
        """Close with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


PAGE = {
    "text": "said by a stand-in\n",
    "confidence": 90.0,
    "width": 10,
    "height": 10,
    "format": "png",
    "page_count": 1,
    "words": [],
    "engine": {
        "name": "tesseract",
        "tesseract": "0",
        "languages": ["eng"],
        "traineddata": {"eng": "0"},
        "neural": None,
    },
    "duration_seconds": 0.1,
    "rotation": 0,
    "skew": 0.0,
    "lines": 0,
    "lines_read_again": 0,
}


def response(status: int, body: Any, *headers: str) -> bytes:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + content


def sound(wire: socket.socket) -> None:
    wire.sendall(response(200, {"predictions": [PAGE]}))


Behaviour = Callable[[socket.socket], None]


@dataclass
class StandIn:
    """A scripted model server. Each predict call uses the next behaviour; the last one repeats."""

    behaviours: list[Behaviour] = field(default_factory=lambda: [sound])
    calls: list[dict[str, str]] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)
    port: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def does(self, *behaviours: Behaviour) -> None:
        with self._lock:
            self.calls.clear()
            self.gone.clear()
            self.behaviours = list(behaviours)

    def wait_until_closed(self, wire: socket.socket) -> None:
        """A behaviour: send nothing until the other side closes."""
        wire.settimeout(_SECONDS)
        with contextlib.suppress(OSError):
            while wire.recv(65536):
                pass
        self.gone.set()

    def serve(self, wire: socket.socket) -> None:
        wire.settimeout(_SECONDS)
        with wire.makefile("rb") as stream:
            first = stream.readline()
            if not first:
                return
            headers = http.client.parse_headers(stream)
            if first.startswith(b"GET"):
                wire.sendall(response(200, {"name": "ocr-model", "ready": True}))
                return
            stream.read(int(headers["content-length"]))
        with self._lock:
            self.calls.append({name.lower(): value for name, value in headers.items()})
            behaviour = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
        with contextlib.suppress(OSError):
            behaviour(wire)


@contextlib.contextmanager
def stand_in(port: int = 0) -> Iterator[StandIn]:
    """A stand-in for the model server, on a port of its own."""
    told = StandIn()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            told.serve(self.request)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        request_queue_size = 128

    with Server((HOST, port), Handler) as server:
        told.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield told
        server.shutdown()


def reset(wire: socket.socket) -> None:
    """A behaviour: reset the connection."""
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()
