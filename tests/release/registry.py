"""A registry on this machine, as much of the OCI distribution protocol as a push and a pull need."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import re
import threading
import urllib.parse
from collections.abc import Iterator

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Store(http.server.BaseHTTPRequestHandler):
    """Blobs by digest, manifests by repository and reference."""

    protocol_version = "HTTP/1.1"
    blobs: dict[str, bytes]
    manifests: dict[tuple[str, str], tuple[str, bytes]]

    def do_POST(self) -> None:
        """Begins an upload; the client then puts the whole blob."""
        self.answer(202, {"Location": f"{self.path.partition('?')[0]}one"})

    def do_PUT(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        if found := re.fullmatch(r"/v2/(.+)/manifests/(.+)", path):
            repository, reference = found.groups()
            for name in (reference, digest):
                self.manifests[repository, name] = self.headers["Content-Type"], body
        elif urllib.parse.parse_qs(query).get("digest") == [digest]:
            self.blobs[digest] = body
        else:
            self.answer(400, {})
            return
        self.answer(201, {"Location": path, "Docker-Content-Digest": digest})

    def do_GET(self) -> None:
        if self.path == "/v2/":
            self.answer(200, {})
        elif found := re.fullmatch(r"/v2/(.+)/manifests/(.+)", self.path):
            self.give(*self.manifests.get((found[1], found[2]), ("", None)))
        elif found := re.fullmatch(r"/v2/.+/blobs/(.+)", self.path):
            self.give("application/octet-stream", self.blobs.get(found[1]))
        elif found := re.fullmatch(r"/v2/(.+)/tags/list(?:\?.*)?", self.path):
            tags = [tag for name, tag in self.manifests if name == found[1] and not DIGEST.fullmatch(tag)]
            listed = ",".join(f'"{tag}"' for tag in tags)
            self.give("application/json", f'{{"name":"{found[1]}","tags":[{listed}]}}'.encode())
        else:
            self.answer(404, {})

    def do_HEAD(self) -> None:
        self.do_GET()

    def give(self, media_type: str, body: bytes | None) -> None:
        if body is None:
            self.answer(404, {})
            return
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        self.answer(200, {"Content-Type": media_type, "Docker-Content-Digest": digest}, body)

    def answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_line: object) -> None:
        pass


@contextlib.contextmanager
def serve() -> Iterator[tuple[str, type[Store]]]:
    """Its address, HOST:PORT, and what it keeps."""
    store = type("Kept", (Store,), {"blobs": {}, "manifests": {}})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), store) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", store
        server.shutdown()
