"""The page for people at `/`, its files and what it has to know about this server."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import orjson
from fastapi import APIRouter, Request, Response

from service_kit.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api_gateway.settings import GatewaySettings

FOLDER = Path(__file__).parents[1] / "web"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    "cache-control": "no-cache",  # kept, and asked for with its ETag: after an update the page is the new one
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "vary": "accept-encoding",
}
_ENTITY_TAG = re.compile(r'"[^"]*"')


class WebFile(NamedTuple):
    """A file of the page as it is sent, compressed once."""

    media_type: str
    plain: bytes
    compressed: bytes
    tag: str

    @classmethod
    def of(cls, suffix: str, content: bytes) -> Self:
        return cls(
            _TYPES[suffix],
            content,
            gzip.compress(content, mtime=0),
            f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        )

    def answer(self, request: Request) -> Response:
        headers = {**_HEADERS, "content-type": self.media_type, "etag": f"W/{self.tag}"}  # weak: of both encodings
        if self.tag in _ENTITY_TAG.findall(request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=headers)
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(self.plain, headers=headers)
        return Response(self.compressed, headers={**headers, "content-encoding": "gzip"})


def web_files(folder: Path = FOLDER) -> Mapping[str, WebFile]:
    """All files by their path in the folder."""
    return {
        str(file.relative_to(folder)): WebFile.of(file.suffix, file.read_bytes())
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def make_router(settings: GatewaySettings) -> APIRouter:
    """Neither of these paths needs an API key, and none reveals one."""
    router = APIRouter(include_in_schema=False)
    files = {**web_files(), "offer.json": WebFile.of(".json", orjson.dumps(_offer(settings)))}

    @router.api_route("/", methods=["GET", "HEAD"])
    async def index(request: Request) -> Response:
        return files["index.html"].answer(request)

    @router.api_route("/page/{path:path}", methods=["GET", "HEAD"])
    async def file(request: Request, path: str) -> Response:
        if path not in files:
            raise NotFound
        return files[path].answer(request)

    return router


def _offer(settings: GatewaySettings) -> dict[str, object]:
    """What the page offers and checks before it uploads a file."""
    return {
        "keys": bool(settings.keys),
        "jobs": settings.has_jobs,
        "max_upload_mib": settings.max_upload_mib,
        "max_document_mib": settings.max_document_mib,
        "max_pages": settings.max_pages,
    }
