"""The one place that calls the model server and translates its failures."""

from __future__ import annotations

import asyncio
import logging
import math
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import orjson
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from api_gateway.errors import REFUSALS, RELAYED, ModelServerFailed, ModelServerUnreachable, Relayed
from api_gateway.upstream.arrival import Arrival
from api_gateway.upstream.transport import FreshConnections, Pieces
from service_kit import tracing
from service_kit.context import REQUEST_ID_HEADER
from service_kit.deadline import TIMEOUT_HEADER, Deadline
from service_kit.errors import DeadlineExceeded, NotReady, ServiceError
from service_kit.followed import Followed
from service_kit.page import EngineName, NeuralStamp, Page, Parameters
from service_kit.tls import calling_context

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api_gateway.metrics import GatewayMetrics
    from api_gateway.settings import GatewaySettings

log = logging.getLogger("upstream")

_MARGIN = 0.1  # seconds, so that the model server reports a timeout before the gateway must
_PROBE_SECONDS = 2.0
_MOST_RETRIES_SAVED = 10.0
_RETRIES_PER_SUCCESS = 0.1
_DOCUMENT_PAGE = (("x-priority", "document"),)  # the model server takes single pictures first


class Predictions(TypedDict):
    """A V1 answer; fields of a page that `Page` lacks are dropped."""

    predictions: list[Page]


class NeuralDescription(NeuralStamp):
    languages: list[str]


class EngineDescription(TypedDict):
    """The model server's metadata; `name` is its default engine, `version` and `languages` are Tesseract's."""

    name: EngineName
    version: str
    languages: dict[str, str]
    neural: NeuralDescription | None
    orientation: str | None
    formats: list[str]
    max_megapixels: float
    max_image_mib: float


_PREDICTIONS = TypeAdapter(Predictions)
_DESCRIPTION = TypeAdapter(EngineDescription)


class ModelServer:
    """Uses httpx's transport interface without its client, which adds cookies, redirects and 0.6 ms.

    It keeps no connection open: one address has many pods behind it, and a kept connection would bind this gateway
    to one of them (measured elsewhere: a hundred times more load on one pod than on another).
    """

    def __init__(self, settings: GatewaySettings, metrics: GatewayMetrics) -> None:
        self._connect_seconds = settings.connect_timeout_seconds
        self.patience_seconds = settings.wait_for_model_seconds
        metrics.patience.set(self.patience_seconds)
        self.arrival = Arrival(self.is_ready, metrics.waiting)
        self._metrics = metrics
        self._retries = _RetryBudget()
        base = settings.model_server_url.rstrip("/")
        self._predict_url = httpx.URL(f"{base}/v1/models/{settings.model_name}:predict")
        self._peer = {"server.address": self._predict_url.host, "http.request.method": "POST"}
        self._ready_url = httpx.URL(f"{base}/v1/models/{settings.model_name}")
        self._engine_url = httpx.URL(f"{base}/engine")
        files = settings.model_server_files
        self.certificates = (
            Followed("TLS", files.paths, lambda: calling_context(files))
            if settings.model_server_url.startswith("https:")
            else None
        )
        self._transport = FreshConnections(self.certificates)

    async def read(self, image_b64: bytes, parameters: Parameters, call_id: str, deadline: Deadline) -> Page:
        """Read the page on a picture. A call that was refused or could not connect is repeated once.

        If no model server can be reached, wait for one, if the settings say so.

        Raises:
            Relayed, DeadlineExceeded, ModelServerUnreachable, ModelServerFailed.
        """
        call = _Call(_body(image_b64, parameters), call_id, deadline)
        return await self._timed(self._call_patiently(call), deadline)

    async def read_document_page(
        self, image_b64: bytes | bytearray, parameters: Parameters, call_id: str, deadline: Deadline
    ) -> Page:
        """The same for a page of a document: one call, with lower priority than single pictures."""
        call = _Call(_body(image_b64, parameters), call_id, deadline, _DOCUMENT_PAGE)
        return await self._timed(self._call(call), deadline)

    async def is_ready(self) -> bool:
        try:
            return (await self._get(self._ready_url)).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    async def engine(self) -> EngineDescription:
        """The model server's metadata about its engine.

        Raises:
            ModelServerUnreachable, NotReady, ModelServerFailed.
        """
        try:
            answer = await self._get(self._engine_url)
        except httpx.HTTPError:
            raise ModelServerUnreachable(retry_after=1) from None
        if answer.status_code != httpx.codes.OK:
            raise NotReady(retry_after=1)
        try:
            return _DESCRIPTION.validate_json(answer.content)
        except ValidationError:
            raise _not_understood(answer) from None

    async def _get(self, url: httpx.URL) -> httpx.Response:
        return await self._transport.handle_async_request(
            httpx.Request(
                "GET", url, headers={"connection": "close"}, extensions=_limits(_PROBE_SECONDS, _PROBE_SECONDS)
            )
        )

    async def _timed(self, calling: Any, deadline: Deadline) -> Page:
        began = time.monotonic()
        try:
            async with asyncio.timeout(deadline.left()):
                page: Page = await calling
                return page
        except TimeoutError:
            raise DeadlineExceeded from None
        finally:
            self._metrics.upstream.observe(time.monotonic() - began, tracing.exemplar())

    async def _call_patiently(self, call: _Call) -> Page:
        patience = Deadline(self.patience_seconds)
        while True:
            try:
                return await self._call_twice_at_most(call)
            except ModelServerUnreachable:
                seconds = min(patience.left(), call.deadline.left() - _MARGIN)
                if seconds <= 0:
                    raise
                with tracing.wait("wait for a model server"):
                    is_there = await self.arrival.wait(seconds)
                if not is_there:
                    raise

    async def _call_twice_at_most(self, call: _Call) -> Page:
        """The repeated call uses a new connection, possibly to another pod."""
        try:
            page = await self._call(call)
        except ServiceError as error:
            if error.code not in REFUSALS or not self._retries.spend():
                raise
            log.info("tried again", extra={"code": error.code})
            tracing.note("tried again", code=error.code)
            self._metrics.retries.inc()
            return await self._call(call)
        self._retries.earn()
        return page

    async def _call(self, call: _Call) -> Page:
        with tracing.span(
            "call model server", "client", **self._peer, call=call.id, bytes=sum(map(len, call.body))
        ):
            return await self._make(call)

    async def _make(self, call: _Call) -> Page:
        left = call.deadline.left()
        try:
            answer = await self._transport.handle_async_request(
                httpx.Request(
                    "POST",
                    self._predict_url,
                    stream=Pieces(call.body),
                    headers=[
                        ("connection", "close"),
                        ("host", self._predict_url.netloc.decode()),
                        ("content-type", "application/json"),
                        ("content-length", str(sum(map(len, call.body)))),
                        (REQUEST_ID_HEADER, call.id),
                        (TIMEOUT_HEADER, f"{max(left - _MARGIN, left / 2, 0.001):.3f}"),
                        *call.headers,
                        *tracing.headers(),
                    ],
                    extensions=_limits(min(left, self._connect_seconds), left),
                )
            )
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if isinstance(error.__cause__, ssl.SSLError):
                log.error("TLS with the model server failed", extra={"cause": str(error)})  # noqa: TRY400
            raise ModelServerUnreachable(retry_after=1) from error
        except httpx.TimeoutException as error:
            raise DeadlineExceeded from error
        except httpx.HTTPError as error:  # reset or cut short: it is unknown whether the page was read
            log.error("model server failed", extra={"cause": repr(error)})  # noqa: TRY400
            raise ModelServerFailed from error
        return _understand(answer)


@dataclass(frozen=True, slots=True)
class _Call:
    body: Sequence[bytes | bytearray]
    id: str
    deadline: Deadline
    headers: tuple[tuple[str, str], ...] = ()


def _body(image_b64: bytes | bytearray, parameters: Parameters) -> Sequence[bytes | bytearray]:
    """The V1 call in pieces, so that the image is not copied."""
    given = orjson.dumps(
        {
            "languages": parameters.languages,
            "psm": parameters.psm,
            "engine": parameters.engine,
            "orientation": parameters.orientation,
        }
    )
    return b'{"instances":[{"image":{"b64":"', image_b64, b'"},"parameters":' + given + b"}]}"


def _limits(connect_seconds: float, read_seconds: float) -> dict[str, Any]:
    return {"timeout": {"connect": connect_seconds, "read": read_seconds}}


def _understand(answer: httpx.Response) -> Page:
    """The page, or the model server's error. Anything else is a failure of the model server."""
    try:
        if answer.status_code == httpx.codes.OK:
            (page,) = _PREDICTIONS.validate_json(answer.content)["predictions"]
            if page["engine"] is None:
                raise _not_understood(answer)
            return page
        content = orjson.loads(answer.content)
        code, text = content["code"], content["error"]
    except (KeyError, TypeError, ValueError):  # ValidationError and JSONDecodeError are ValueErrors
        raise _not_understood(answer) from None
    if not isinstance(code, str) or RELAYED.get(code) != answer.status_code:
        log.error("answer not foreseen", extra={"status": answer.status_code, "code": str(code)})
        raise ModelServerFailed
    raise Relayed(answer.status_code, code, str(text), _retry_after(answer))


def _not_understood(answer: httpx.Response) -> ModelServerFailed:
    log.error("answer not understood", extra={"status": answer.status_code})
    return ModelServerFailed("The model server gave an answer that is not valid.")


def _retry_after(answer: httpx.Response) -> float | None:
    try:
        seconds = float(answer.headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return seconds if math.isfinite(seconds) else None


class _RetryBudget:
    """Repeated calls are at most a tenth of the successful ones: they would increase an overload."""

    def __init__(self) -> None:
        self._saved = _MOST_RETRIES_SAVED

    def earn(self) -> None:
        self._saved = min(_MOST_RETRIES_SAVED, self._saved + _RETRIES_PER_SUCCESS)

    def spend(self) -> bool:
        if self._saved < 1:
            return False
        self._saved -= 1
        return True
