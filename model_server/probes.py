"""What the second port serves: the addresses that kubelet and Prometheus ask for, without a client certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class Probes:
    """An ASGI application: these addresses of the main one."""

    def __init__(self, app: ASGIApp, model_name: str) -> None:
        self._app = app
        self._paths = {f"/v1/models/{model_name}", "/v2/health/live", "/v2/health/ready", "/metrics"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        served = scope["method"] == "GET" and scope["path"] in self._paths
        answer = self._app if served else PlainTextResponse("Not Found", status_code=404)
        await answer(scope, receive, send)
