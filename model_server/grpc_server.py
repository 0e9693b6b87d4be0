"""V2 over gRPC, for docling: ModelInfer, ModelReady, ServerReady and ServerLive, without KServe's own server.

KServe's server lets every client unload the model, and has no limits on memory. Health checks and reflection
are not served: docling does not use them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import grpc
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from model_server.contracts import protobuf
from model_server.contracts.docling import VERSION
from model_server.grpc_status import status_of
from model_server.grpc_tls import credentials
from model_server.settings import MESSAGE_FACTOR
from service_kit import context
from service_kit.deadline import TIMEOUT_HEADER, Deadline
from service_kit.errors import NotReady, PayloadTooLarge, ServiceError, UploadTooSlow
from service_kit.memory import give_free_memory_back
from service_kit.outcome import Outcome, public
from service_kit.server import StartFailed

if TYPE_CHECKING:
    from model_server.bodies import BodyBudget
    from model_server.metrics import ModelServerMetrics
    from model_server.model import OcrModel
    from model_server.settings import ModelServerSettings
    from service_kit.budget import Share
    from service_kit.server import Drain

log = logging.getLogger("server")

SERVICE = "inference.GRPCInferenceService"
_INFER = f"/{SERVICE}/ModelInfer"
_FRAME_BYTES = 1 << 20  # with gRPC's own 16 KiB, 6 MB take 14 ms instead of 5
_LAST_ANSWERS_SECONDS = 3.0  # for cancelled calls to send their status

Context: TypeAlias = Any  # grpc.aio.ServicerContext: grpc has no types


class GrpcServer:
    def __init__(
        self,
        settings: ModelServerSettings,
        model: OcrModel,
        bodies: BodyBudget,
        metrics: ModelServerMetrics,
        drain: Drain,
    ) -> None:
        self._settings = settings
        self._model = model
        self._bodies = bodies
        self._metrics = metrics
        self._drain = drain
        self._calls: set[asyncio.Task[Any]] = set()
        self._grace_is_over = False
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Serve, unless the settings have no port for it.

        Raises:
            StartFailed: the port is not available.
        """
        settings = self._settings
        if not settings.grpc_port:
            return
        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", settings.max_message_bytes),
                ("grpc.so_reuseport", 0),  # a second server on the port must fail
                ("grpc.http2.bdp_probe", 0),  # else a call's window, which no budget counts, grows to megabytes
                ("grpc.http2.max_frame_size", _FRAME_BYTES),
            ]
        )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, self._methods()),))
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        address = f"{host}:{settings.grpc_port}"
        try:
            if settings.tls_cert_file:
                server.add_secure_port(address, credentials(settings.tls_files))
            else:
                server.add_insecure_port(address)
        except RuntimeError:
            raise StartFailed(f"Can't listen on {address} for gRPC.") from None
        await server.start()
        self._server = server
        log.info("listening", extra={"host": settings.host, "port": settings.grpc_port, "protocol": "grpc"})

    async def stop(self, grace_seconds: float) -> None:
        """Take no new calls. Calls in flight may finish within the grace, and are answered UNAVAILABLE then."""
        server, self._server = self._server, None
        if server is None:
            return
        stopping = asyncio.create_task(server.stop(grace_seconds + _LAST_ANSWERS_SECONDS))
        await asyncio.wait({stopping}, timeout=grace_seconds)
        self._grace_is_over = True
        for call in self._calls:
            call.cancel()
        await stopping

    def _methods(self) -> dict[str, grpc.RpcMethodHandler]:
        return {
            # A stream of one message is the same on the wire. Its handler begins before the message is read.
            "ModelInfer": grpc.stream_unary_rpc_method_handler(self._infer),
            "ModelReady": _unary(self._model_ready, pb.ModelReadyRequest, pb.ModelReadyResponse),
            "ServerReady": _unary(self._server_ready, pb.ServerReadyRequest, pb.ServerReadyResponse),
            "ServerLive": _unary(_server_live, pb.ServerLiveRequest, pb.ServerLiveResponse),
        }

    async def _infer(self, _messages: Any, call: Context) -> bytes:
        """Give the call an id, a deadline, one outcome and one log line, as RequestScope does."""
        headers = {key: value for key, value in call.invocation_metadata() or () if isinstance(value, str)}
        longest = self._settings.request_timeout_seconds
        remaining = call.time_remaining()
        request = context.RequestContext(
            id=context.request_id(headers.get(context.REQUEST_ID_HEADER)),
            deadline=Deadline(longest if remaining is None else min(remaining, longest)),
        )
        entered = context.enter(request)
        outcome = Outcome(request, self._metrics, "POST", _INFER, headers)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - narrows the type
        self._calls.add(task)
        try:
            request.deadline = Deadline.from_header(headers.get(TIMEOUT_HEADER), request.deadline.seconds)
            call.set_trailing_metadata((("request-id", request.id),))
            answer = await self._answer(headers, call)
            outcome.status = 200
        except asyncio.CancelledError:
            if not self._grace_is_over:
                late = request.deadline.left() <= 0
                outcome.fail(*(("deadline_exceeded", 504) if late else ("client_gone", 499)))
                raise
            task.uncancel()
            await _fail(NotReady("The service is shutting down.", retry_after=1), request, outcome, call)
        except Exception as error:  # noqa: BLE001 - the outermost handler
            await _fail(public(error), request, outcome, call)
        else:
            return answer
        finally:
            self._calls.discard(task)
            outcome.over()
            outcome.leave()
            context.leave(entered)

    async def _answer(self, headers: Mapping[str, str], call: Context) -> bytes:
        with await self._bodies.wait(MESSAGE_FACTOR * self._settings.max_message_bytes) as share:
            message = await self._message(call, share)
            name, version, wanted = protobuf.decode(message)
            self._model.check(name, version)
            return protobuf.encode(wanted, name, VERSION, await self._model.infer(wanted, headers))

    async def _message(self, call: Context, share: Share) -> bytes:
        """The call's only message. gRPC does not tell its size before it is there.

        Raises:
            UploadTooSlow, PayloadTooLarge.
        """
        try:
            async with asyncio.timeout(self._settings.body_idle_timeout_seconds):
                message = await call.read()
        except TimeoutError:
            raise UploadTooSlow from None
        if message is grpc.aio.EOF:  # gRPC has answered RESOURCE_EXHAUSTED if it is too large
            raise PayloadTooLarge(
                f"The call has no message, or one of more than {self._settings.max_message_bytes} bytes."
            )
        await asyncio.to_thread(give_free_memory_back)  # milliseconds, during which the loop goes on
        share.resize(len(message))
        context.current().received_bytes = len(message)
        return bytes(message)

    async def _model_ready(self, request: Any, _call: Context) -> Any:
        known = request.name == self._model.name and request.version in ("", VERSION)
        return pb.ModelReadyResponse(ready=known and await self._ready())

    async def _server_ready(self, _request: Any, _call: Context) -> Any:
        return pb.ServerReadyResponse(ready=await self._ready())

    async def _ready(self) -> bool:
        return not self._drain.started and await self._model.healthy()


async def _server_live(_request: Any, _call: Context) -> Any:
    return pb.ServerLiveResponse(live=True)


async def _fail(error: ServiceError, request: context.RequestContext, outcome: Outcome, call: Context) -> NoReturn:
    """End the call with the error's status. The text is the same as over HTTP; the code is in the metadata."""
    outcome.fail(error.code, error.status)
    trailing = {"request-id": request.id, "code": error.code, **error.headers}
    await call.abort(status_of(error), str(error), tuple(trailing.items()))
    raise error  # not reached: `abort` raises


def _unary(handler: Any, request: Any, response: Any) -> grpc.RpcMethodHandler:
    return grpc.unary_unary_rpc_method_handler(handler, request.FromString, response.SerializeToString)
