"""The client that waits for each answer."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, Literal, Self, TypeVar, Unpack, overload

import httpx

from ocr_client import protocol, wire
from ocr_client.answers import Answer, Job, Written
from ocr_client.background import Background
from ocr_client.files import FileLike, opened
from ocr_client.many import Outcome, Source
from ocr_client.options import Format, ReadOptions
from ocr_client.protocol import Lost, Reply, Send, Steps
from ocr_client.traffic import Traffic

_T = TypeVar("_T")
_NotJson = Literal["text", "hocr", "alto", "tsv", "ndjson", "pdf"]


class Client:
    """A context manager. It may be used by several threads.

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
        self._arguments: dict[str, Any] = {
            "url": url, "key": key, "patience": patience, "at_once": at_once, "verify": verify,
        }  # fmt: skip
        self._url = wire.base_url(url)
        self._patience = patience
        self._http = httpx.Client(
            base_url=self._url,
            headers=wire.headers_of(key),
            transport=httpx.HTTPTransport(**wire.transport_options(self._url, verify, at_once)),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    @overload
    def read(
        self, file: FileLike, *, format: Literal["json"] = "json", **options: Unpack[ReadOptions]
    ) -> Answer: ...
    @overload
    def read(self, file: FileLike, *, format: _NotJson, **options: Unpack[ReadOptions]) -> bytes: ...
    def read(self, file: FileLike, *, format: Format = "json", **options: Unpack[ReadOptions]) -> Answer | bytes:
        """The text of a picture or a document; in another format than JSON as bytes."""
        with opened(file) as stream:
            if format == "json":
                return self._run(protocol.read(stream, options, self._traffic()))
            return self._run(protocol.read_bytes(stream, format, options, self._traffic()))

    def read_into(
        self, file: FileLike, target: BinaryIO, *, format: Format, **options: Unpack[ReadOptions]
    ) -> Written:
        """Write the answer to `target`, an empty file that can go back, as it arrives."""
        with opened(file) as stream:
            return self._run(protocol.read_into(stream, target, format, options, self._traffic()))

    @overload
    def read_many(
        self, files: Iterable[Source], *, format: Literal["json"] = "json", **options: Unpack[ReadOptions]
    ) -> Iterator[Outcome[Source, Answer]]: ...
    @overload
    def read_many(
        self, files: Iterable[Source], *, format: _NotJson, **options: Unpack[ReadOptions]
    ) -> Iterator[Outcome[Source, bytes]]: ...
    def read_many(
        self, files: Iterable[Source], *, format: Format = "json", **options: Unpack[ReadOptions]
    ) -> Iterator[Outcome[Source, Any]]:
        """Each file's outcome as soon as it is known, as many at once as the server takes.

        A thread with an event loop of its own reads them. Leaving the loop ends it.
        """
        from ocr_client.async_client import AsyncClient  # noqa: PLC0415 - which imports this package's parts

        async def outcomes() -> Any:
            async with AsyncClient(**self._arguments) as client:
                async for outcome in client.read_many(files, format=format, **options):
                    yield outcome

        with Background(outcomes) as background:
            yield from background

    def submit(
        self,
        file: FileLike,
        *,
        format: Format = "json",
        idempotency_key: str | None = None,
        ttl: float | None = None,
        **options: Unpack[ReadOptions],
    ) -> Job:
        """Hand in a document. The same `idempotency_key`, file and options a second time give the same job."""
        key = idempotency_key or uuid.uuid4().hex
        with opened(file) as stream:
            return self._run(protocol.submit(stream, key, format, options, ttl, self._traffic()))

    def job(self, job: Job | str) -> Job:
        """Its present status."""
        return self._run(protocol.job(protocol.id_of(job), self._traffic()))

    def jobs(self, most: int = 100) -> list[Job]:
        """Those of this API key, the newest first."""
        return self._run(protocol.jobs(self._traffic(), most))

    def wait(
        self,
        job: Job | str,
        *,
        seconds: float | None = None,
        on_change: Callable[[Job], None] = lambda _job: None,
    ) -> Job:
        """Its last status when it has ended, or after `seconds`."""
        return self._run(protocol.wait(protocol.id_of(job), self._traffic(), on_change, seconds))

    @overload
    def result(
        self, job: Job | str, *, format: Literal["json"] = "json", allow_partial: bool | None = None
    ) -> Answer: ...
    @overload
    def result(self, job: Job | str, *, format: _NotJson, allow_partial: bool | None = None) -> bytes: ...
    def result(
        self, job: Job | str, *, format: Format = "json", allow_partial: bool | None = None
    ) -> Answer | bytes:
        """What `read` would have given; a job that failed raises its error."""
        if format == "json":
            return self._run(protocol.result(protocol.id_of(job), self._traffic()))
        return self._run(protocol.result_bytes(protocol.id_of(job), format, allow_partial, self._traffic()))

    def result_into(
        self, job: Job | str, target: BinaryIO, *, format: Format, allow_partial: bool | None = True
    ) -> Written:
        """Write the result to `target`, an empty file that can go back, as it arrives."""
        steps = protocol.result_into(protocol.id_of(job), target, format, allow_partial, self._traffic())
        return self._run(steps)

    def delete(self, job: Job | str) -> None:
        """Cancel a job that has not ended; remove one that has, with its file and its pages."""
        self._run(protocol.delete(protocol.id_of(job), self._traffic()))

    def languages(self) -> dict[str, Any]:
        """What the server offers: languages, engines, formats."""
        return self._run(protocol.languages(self._traffic()))

    def _traffic(self) -> Traffic:
        return Traffic(self._patience)

    def _run(self, steps: Steps[_T]) -> _T:
        reply: Reply | Lost | None = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as stop:
                done: _T = stop.value
                return done
            if isinstance(step, Send):
                reply = self._send(step)
            else:
                time.sleep(step.seconds)
                reply = None

    def _send(self, send: Send) -> Reply | Lost:
        try:
            answer = self._http.send(self._http.build_request(**wire.request(send)), stream=True)
            try:
                if send.sink is None or answer.status_code >= 300:
                    return wire.reply(answer, answer.read(), send)
                for piece in answer.iter_bytes():
                    send.sink.write(piece)
                return wire.reply(answer, b"", send)
            finally:
                answer.close()
        except httpx.TransportError as error:
            return wire.lost(error, send, self._url)
