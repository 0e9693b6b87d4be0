"""docling's calls over HTTP: V2's binary extension, decoded here, because KServe's decoding blocks the loop.

Such a call waits for memory and for a worker until its deadline. All other calls go on to KServe.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from model_server.bodies import BodyBudget, body_bytes
from model_server.contracts import tensors
from model_server.contracts.docling import VERSION
from service_kit.body import BodyLimits
from service_kit.errors import BadRequest
from service_kit.outcome import respond

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from model_server.model import OcrModel
    from model_server.settings import ModelServerSettings

_PATH = re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?/infer")


class TensorRoute:
    """ASGI middleware outside of `BodyAdmission` and `BodyLimits`: its bodies are larger, and counted once."""

    def __init__(
        self, app: ASGIApp, *, settings: ModelServerSettings, model: OcrModel, bodies: BodyBudget
    ) -> None:
        self._app = app
        self._model = model
        self._bodies = bodies
        self._most = settings.max_tensor_bytes
        self._limited = BodyLimits(self._serve, settings=settings, max_body_bytes=self._most)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = _PATH.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if path is None:
            await self._app(scope, receive, send)
            return
        headers = _headers(scope)
        name, version = path[1], path[2] or ""
        if tensors.LENGTH_HEADER not in headers and not _is_binary(headers):
            if version:  # KServe answers 501 to a version
                self._model.check(name, version)
                plain = f"/v2/models/{name}/infer"
                scope = {**scope, "path": plain, "raw_path": plain.encode()}
            await self._app(scope, receive, send)
            return
        self._model.check(name, version)
        with await self._bodies.wait(body_bytes(scope, self._most)):
            await self._limited(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        length = headers.get(tensors.LENGTH_HEADER, "")
        if not length.isdecimal():
            raise BadRequest("Send Inference-Header-Content-Length with a number, as V2's binary extension says.")
        body = bytearray()
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        call = tensors.decode(body, int(length))
        outputs = await self._model.infer(call, headers)
        json_bytes, answer = tensors.encode(call, self._model.name, VERSION, outputs)
        found = {"content-type": "application/json"}
        if json_bytes is not None:
            found = {"content-type": "application/octet-stream", tensors.LENGTH_HEADER: str(json_bytes)}
        await respond(send, 200, found, answer)


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _is_binary(headers: dict[str, str]) -> bool:
    return headers.get("content-type", "").partition(";")[0].strip().lower() == "application/octet-stream"
