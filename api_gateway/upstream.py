"""The one place that speaks to the model server, and translates its failures."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pybase64

from api_gateway.errors import RELAYED, ModelServerFailed, ModelServerUnreachable, NotReady, Relayed
from api_gateway.transport import FreshConnections
from service_kit.context import LONGEST_REQUEST_ID, REQUEST_ID_HEADER, RequestContext
from service_kit.deadline import TIMEOUT_HEADER, Deadline
from service_kit.errors import DeadlineExceeded, ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api_gateway.metrics import Metrics
    from api_gateway.settings import Settings

log = logging.getLogger("upstream")

_MARGIN = 0.1  # seconds: the model server answers that a page took too long, before we must
_PROBE_SECONDS = 2.0
_MOST_RETRIES_SAVED = 10.0
_RETRIES_PER_SUCCESS = 0.1
_BEHIND = ("x-priority", "document")  # the model server takes single pictures first


class ModelServer:
    """Speaks over httpx's transport interface without its client, which adds cookies, redirects and 0.6 ms.

    It keeps no connection: behind one address stand many pods, and a kept connection would bind this gateway to
    one of them (measured elsewhere: a hundred times more load on one pod than on another).
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._retries = _RetryBudget()
        base = str(settings.model_server_url).rstrip("/")
        self._predict_url = httpx.URL(f"{base}/v1/models/{settings.model_name}:predict")
        self._ready_url = httpx.URL(f"{base}/v1/models/{settings.model_name}")
        self._engine_url = httpx.URL(f"{base}/engine")
        self._transport = FreshConnections()

    async def read(self, picture: bytes, parameters: Mapping[str, Any], request: RequestContext) -> dict[str, Any]:
        """The prediction for one picture.

        Raises:
            Relayed, DeadlineExceeded, ModelServerUnreachable, ModelServerFailed.
        """
        call = _Call(_body(pybase64.b64encode(picture), parameters), request.id, request.deadline)
        began = time.monotonic()
        try:
            async with asyncio.timeout(request.deadline.left()):
                answer = await self._call_twice_at_most(call)
        except TimeoutError:
            raise DeadlineExceeded from None
        finally:
            seconds = time.monotonic() - began
            request.facts["upstream_seconds"] = round(seconds, 4)
            self._metrics.upstream.observe(seconds)
        return answer

    async def read_page(
        self, encoded: bytes, parameters: Mapping[str, Any], request: RequestContext, number: int, seconds: float
    ) -> dict[str, Any]:
        """The prediction for a page of a document, in base64: one call, behind single pictures, in so much time.

        Raises:
            Relayed, DeadlineExceeded, ModelServerUnreachable, ModelServerFailed.
        """
        deadline = Deadline(min(seconds, request.deadline.left()))
        call = _Call(_body(encoded, parameters), page_id(request.id, number), deadline, (_BEHIND,))
        began = time.monotonic()
        try:
            async with asyncio.timeout(deadline.left()):
                return await self._call(call)
        except TimeoutError:
            raise DeadlineExceeded from None
        finally:
            self._metrics.upstream.observe(time.monotonic() - began)

    async def is_ready(self) -> bool:
        try:
            return (await self._get(self._ready_url)).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    async def engine(self) -> dict[str, Any]:
        """What the model server says of its engine.

        Raises:
            ModelServerUnreachable, NotReady.
        """
        try:
            answer = await self._get(self._engine_url)
            if answer.status_code != httpx.codes.OK:
                raise NotReady(retry_after=1)
            found: dict[str, Any] = orjson.loads(answer.content)
        except (httpx.HTTPError, orjson.JSONDecodeError):
            raise ModelServerUnreachable(retry_after=1) from None
        return found

    async def _get(self, url: httpx.URL) -> httpx.Response:
        return await self._transport.handle_async_request(
            httpx.Request(
                "GET", url, headers={"connection": "close"}, extensions=_limits(_PROBE_SECONDS, _PROBE_SECONDS)
            )
        )

    async def _call_twice_at_most(self, call: _Call) -> dict[str, Any]:
        """A call that was refused or not connected is tried once more, on a new connection: maybe another pod."""
        try:
            answer = await self._call(call)
        except ServiceError as error:
            if not _is_refusal(error) or not self._retries.spend():
                raise
            log.info("tried again", extra={"code": error.code})
            self._metrics.retries.inc()
            return await self._call(call)
        self._retries.earn()
        return answer

    async def _call(self, call: _Call) -> dict[str, Any]:
        left = call.deadline.left()
        try:
            answer = await self._transport.handle_async_request(
                httpx.Request(
                    "POST",
                    self._predict_url,
                    content=call.body,
                    headers=[
                        ("connection", "close"),
                        ("content-type", "application/json"),
                        (REQUEST_ID_HEADER, call.id),
                        (TIMEOUT_HEADER, f"{max(left - _MARGIN, left / 2, 0.001):.3f}"),
                        *call.headers,
                    ],
                    extensions=_limits(min(left, self._settings.connect_timeout_seconds), left),
                )
            )
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise ModelServerUnreachable(retry_after=1) from error
        except httpx.TimeoutException as error:
            raise DeadlineExceeded from error
        except httpx.HTTPError as error:  # reset, cut short: it may have been read, it may not
            log.error("model server failed", extra={"cause": repr(error)})  # noqa: TRY400
            raise ModelServerFailed from error
        return _understand(answer)


def page_id(request_id: str, number: int) -> str:
    """The id under which a page of a document goes; the request's own where that is too long already."""
    found = f"{request_id}.{number}"
    return found if len(found) <= LONGEST_REQUEST_ID else request_id


@dataclass(frozen=True, slots=True)
class _Call:
    body: bytes
    id: str
    deadline: Deadline
    headers: tuple[tuple[str, str], ...] = ()


def _body(encoded: bytes, parameters: Mapping[str, Any]) -> bytes:
    return b'{"instances":[{"image":{"b64":"%b"},"parameters":%b}]}' % (encoded, orjson.dumps(parameters))


# What an answer is made of; one without it is not understood.
_PAGE = ("text", "confidence", "words", "width", "height", "page_count", "engine", "duration_seconds")
_ENGINE = ("name", "tesseract", "languages", "traineddata")


def _limits(connect_seconds: float, read_seconds: float) -> dict[str, Any]:
    return {"timeout": {"connect": connect_seconds, "read": read_seconds}}


def _is_refusal(error: ServiceError) -> bool:
    """Whether the page was certainly not begun, and another server might take it."""
    return isinstance(error, ModelServerUnreachable) or error.code in ("overloaded", "not_ready")


def _understand(answer: httpx.Response) -> dict[str, Any]:
    try:
        content = orjson.loads(answer.content)
        if answer.status_code == httpx.codes.OK:
            (prediction,) = content["predictions"]
            page: dict[str, Any] = {**prediction}
            parts = {key: page[key] for key in _PAGE}
            parts["engine"] = {key: page["engine"][key] for key in _ENGINE}
            parts["words"] = [*page["words"]]
            return page | parts
        code, text = content["code"], content["error"]
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        log.error("answer not understood", extra={"status": answer.status_code})  # noqa: TRY400
        raise ModelServerFailed("The model server gave an answer that can't be understood.") from None
    if RELAYED.get(code) != answer.status_code:
        log.error("answer not foreseen", extra={"status": answer.status_code, "code": code})
        raise ModelServerFailed
    raise Relayed(answer.status_code, code, str(text), _retry_after(answer))


def _retry_after(answer: httpx.Response) -> float | None:
    try:
        seconds = float(answer.headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return seconds if math.isfinite(seconds) else None


class _RetryBudget:
    """Second tries are a tenth of the successes at most: under overload they would only add to it."""

    def __init__(self) -> None:
        self._saved = _MOST_RETRIES_SAVED

    def earn(self) -> None:
        self._saved = min(_MOST_RETRIES_SAVED, self._saved + _RETRIES_PER_SUCCESS)

    def spend(self) -> bool:
        if self._saved < 1:
            return False
        self._saved -= 1
        return True
