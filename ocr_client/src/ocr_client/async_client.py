"""The client for event loops."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from typing import Any, BinaryIO, Literal, Self, TypeVar, Unpack, overload
from weakref import WeakKeyDictionary

import httpx

from ocr_client import protocol, wire
from ocr_client.answers import Answer, Job, Written
from ocr_client.errors import OcrError
from ocr_client.files import FileLike, opened
from ocr_client.gate import Gate
from ocr_client.many import Outcome, Source, as_they_come
from ocr_client.options import Format, ReadOptions
from ocr_client.protocol import Lost, Reply, Send, Steps
from ocr_client.traffic import Traffic

_T = TypeVar("_T")
_NotJson = Literal["text", "hocr", "alto", "tsv", "ndjson", "pdf"]


class AsyncClient:
    """An asynchronous context manager, with the methods of `Client`.

    `patience`: for how many seconds a call waits for a server that is busy or cannot be reached. `at_once`: most
    requests that `read_many` sends at once. Every method may raise `OcrError` and its kinds, and `OSError` for
    files.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8001",
        key: str | None = None,
        *,
        patience: float = 30.0,
        at_once: int = 32,
        verify: bool | str = True,
    ) -> None:
        """`verify`: False, or a PEM file of the authorities that may have issued the server's certificate.

        Raises:
            ValueError: the URL or the key is not valid.
        """
        self._url = wire.base_url(url)
        self._patience = patience
        self._at_once = at_once
        self._gates: WeakKeyDictionary[Traffic, Gate] = WeakKeyDictionary()
        self._http = httpx.AsyncClient(
            base_url=self._url,
            headers=wire.headers_of(key),
            transport=httpx.AsyncHTTPTransport(**wire.transport_options(self._url, verify, at_once)),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    @overload
    async def read(
        self, file: FileLike, *, format: Literal["json"] = "json", **options: Unpack[ReadOptions]
    ) -> Answer: ...
    @overload
    async def read(self, file: FileLike, *, format: _NotJson, **options: Unpack[ReadOptions]) -> bytes: ...
    async def read(
        self, file: FileLike, *, format: Format = "json", **options: Unpack[ReadOptions]
    ) -> Answer | bytes:
        """The text of a picture or a document; in another format than JSON as bytes."""
        with opened(file) as stream:
            if format == "json":
                return await self._run(protocol.read(stream, options, self.traffic()))
            return await self._run(protocol.read_bytes(stream, format, options, self.traffic()))

    async def read_into(
        self,
        file: FileLike,
        target: BinaryIO,
        *,
        format: Format,
        traffic: Traffic | None = None,
        **options: Unpack[ReadOptions],
    ) -> Written:
        """Write the answer to `target`, an empty file that can go back, as it arrives.

        Calls with the same `traffic` send as many requests at once as the server takes.
        """
        shared = traffic or self.traffic()
        with opened(file) as stream:
            return await self._run(protocol.read_into(stream, target, format, options, shared), traffic)

    @overload
    def read_many(
        self,
        files: Iterable[Source] | AsyncIterable[Source],
        *,
        format: Literal["json"] = "json",
        **options: Unpack[ReadOptions],
    ) -> AsyncIterator[Outcome[Source, Answer]]: ...
    @overload
    def read_many(
        self, files: Iterable[Source] | AsyncIterable[Source], *, format: _NotJson, **options: Unpack[ReadOptions]
    ) -> AsyncIterator[Outcome[Source, bytes]]: ...
    async def read_many(
        self,
        files: Iterable[Source] | AsyncIterable[Source],
        *,
        format: Format = "json",
        **options: Unpack[ReadOptions],
    ) -> AsyncIterator[Outcome[Source, Any]]:
        """Each file's outcome as soon as it is known, as many at once as the server takes."""
        traffic = self.traffic()

        async def work(file: Source) -> Outcome[Source, Any]:
            try:
                with opened(file) as stream:
                    if format == "json":
                        return Outcome(
                            file, await self._run(protocol.read(stream, options, traffic), traffic), None
                        )
                    steps = protocol.read_bytes(stream, format, options, traffic)
                    return Outcome(file, await self._run(steps, traffic), None)
            except (OcrError, OSError) as error:
                return Outcome(file, None, error)

        async with contextlib.aclosing(as_they_come(files, work, lambda: traffic.pace.at_once)) as outcomes:
            async for outcome in outcomes:
                yield outcome

    async def submit(
        self,
        file: FileLike,
        *,
        format: Format = "json",
        idempotency_key: str | None = None,
        ttl: float | None = None,
        traffic: Traffic | None = None,
        **options: Unpack[ReadOptions],
    ) -> Job:
        """Hand in a document. The same `idempotency_key`, file and options a second time give the same job."""
        key = idempotency_key or uuid.uuid4().hex
        with opened(file) as stream:
            shared = traffic or self.traffic()
            return await self._run(protocol.submit(stream, key, format, options, ttl, shared), traffic)

    async def job(self, job: Job | str) -> Job:
        """Its present status."""
        return await self._run(protocol.job(protocol.id_of(job), self.traffic()))

    async def jobs(self, most: int = 100) -> list[Job]:
        """Those of this API key, the newest first."""
        return await self._run(protocol.jobs(self.traffic(), most))

    async def wait(
        self,
        job: Job | str,
        *,
        seconds: float | None = None,
        on_change: Callable[[Job], None] = lambda _job: None,
    ) -> Job:
        """Its last status when it has ended, or after `seconds`."""
        return await self._run(protocol.wait(protocol.id_of(job), self.traffic(), on_change, seconds))

    @overload
    async def result(
        self, job: Job | str, *, format: Literal["json"] = "json", allow_partial: bool | None = None
    ) -> Answer: ...
    @overload
    async def result(self, job: Job | str, *, format: _NotJson, allow_partial: bool | None = None) -> bytes: ...
    async def result(
        self, job: Job | str, *, format: Format = "json", allow_partial: bool | None = None
    ) -> Answer | bytes:
        """What `read` would have given; a job that failed raises its error."""
        if format == "json":
            return await self._run(protocol.result(protocol.id_of(job), self.traffic()))
        return await self._run(protocol.result_bytes(protocol.id_of(job), format, allow_partial, self.traffic()))

    async def result_into(
        self, job: Job | str, target: BinaryIO, *, format: Format, allow_partial: bool | None = True
    ) -> Written:
        """Write the result to `target`, an empty file that can go back, as it arrives."""
        steps = protocol.result_into(protocol.id_of(job), target, format, allow_partial, self.traffic())
        return await self._run(steps)

    async def delete(self, job: Job | str) -> None:
        """Cancel a job that has not ended; remove one that has, with its file and its pages."""
        await self._run(protocol.delete(protocol.id_of(job), self.traffic()))

    async def languages(self) -> dict[str, Any]:
        """What the server offers: languages, engines, formats."""
        return await self._run(protocol.languages(self.traffic()))

    def traffic(self) -> Traffic:
        """For calls that run at the same time: `read_into(…, traffic=…)`."""
        return Traffic(self._patience, self._at_once)

    async def _run(self, steps: Steps[_T], traffic: Traffic | None = None) -> _T:
        gate = None if traffic is None else self._gates.setdefault(traffic, Gate(traffic.pace))
        reply: Reply | Lost | None = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as stop:
                done: _T = stop.value
                return done
            if isinstance(step, Send):
                reply = await (self._send(step) if gate is None else gate.through(self._send, step))
            else:
                await asyncio.sleep(step.seconds)
                reply = None

    async def _send(self, send: Send) -> Reply | Lost:
        try:
            answer = await self._http.send(self._http.build_request(**wire.request(send)), stream=True)
            try:
                if send.sink is None or answer.status_code >= 300:
                    return wire.reply(answer, await answer.aread(), send)
                async for piece in answer.aiter_bytes():
                    send.sink.write(piece)
                return wire.reply(answer, b"", send)
            finally:
                await answer.aclose()
        except httpx.TransportError as error:
            return wire.lost(error, send, self._url)
