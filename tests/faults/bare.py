"""A service of three routes with the middleware that both services share: `python -m tests.faults.bare`.

POST /upload    reads the body; answers its length
POST /answer    reads the body; answers as many bytes as the query gives, in one piece
POST /wait      reads the body, and waits for ever; with the query `begun`, in the middle of its answer
GET /health, /metrics

One request at a time; further requests get 429.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import orjson
from pydantic_settings import SettingsConfigDict

from service_kit import logs
from service_kit.body import BodyLimits
from service_kit.budget import Budget, Full
from service_kit.errors import NotFound, Overloaded, ServiceError
from service_kit.outcome import RequestScope, respond
from service_kit.server import Drain, serve
from service_kit.settings import MIB, ServiceSettings

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from service_kit.context import RequestContext


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="TESTS.FAULTS.BARE_")

    port: int = 0


class Counts:
    """The observer; its counts replace metrics."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.in_flight = 0

    def counts(self, method: str, _path: str) -> bool:
        return method == "POST"

    def begin(self, _request: RequestContext) -> None:
        self.in_flight += 1

    def end(self, outcome: str, status: int, _request: RequestContext) -> None:
        self.in_flight -= 1
        self.outcomes[f"{status} {outcome}"] += 1

    def text(self) -> bytes:
        lines = [f'outcomes_total{{outcome="{name}"}} {count}' for name, count in self.outcomes.items()]
        return "\n".join([*lines, f"in_flight {self.in_flight}", ""]).encode()


def render(error: ServiceError, request: RequestContext) -> tuple[str, bytes]:
    return "application/json", orjson.dumps({"code": error.code, "request_id": request.id})


class Bare:
    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._places = Budget(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for _ in range(2):
                await send({"type": (await receive())["type"] + ".complete"})
        elif scope["method"] == "GET":
            await respond(send, 200, {}, self._counts.text())
        else:
            try:
                share = self._places.take()
            except Full:
                raise Overloaded from None
            with share:
                await self._post(scope, receive, send)

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        received, more = 0, True
        while more:
            message = await receive()
            received += len(message["body"])
            more = message["more_body"]
        query = scope["query_string"].decode()
        match scope["path"]:
            case "/upload":
                await respond(send, 200, {}, str(received).encode())
            case "/answer":
                await respond(send, 200, {}, b"x" * int(query))
            case "/wait":
                if query == "begun":
                    await send({"type": "http.response.start", "status": 200, "headers": []})
                    await send({"type": "http.response.body", "body": b"begun", "more_body": True})
                await asyncio.Event().wait()
            case _:
                raise NotFound


def main() -> None:
    settings = Settings.load("bare")
    logs.configure(settings.log_level, settings.log_format)
    drain, counts = Drain(), Counts()
    app = RequestScope(
        BodyLimits(Bare(counts), settings=settings, max_body_bytes=100 * MIB),
        observer=counts,
        render=render,
        longest_seconds=settings.request_timeout_seconds,
        is_draining=drain,
    )
    serve(app, settings, drain, settings.shutdown_grace_seconds)


if __name__ == "__main__":
    main()
