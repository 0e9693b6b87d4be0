"""HTTP to URLs of clients: each call looks the host up, checks all its addresses and connects to one of them.

Nothing else decides where a connection goes: there are no redirects, no proxies from the environment and no kept
connections. httpcore makes the requests, and verifies certificates against the name in the URL.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any

import httpcore

from api_gateway.jobs.webhooks.addresses import Address, Allowed, Target, UnsafeUrl, check_addresses, parsed
from api_gateway.jobs.webhooks.lookups import Lookups

Resolve = Callable[[str, int], Awaitable[list[Address]]]

_CONNECT_SECONDS = 5.0  # for each address
_MOST_ADDRESSES = 4  # that are tried; all are checked
_AGENT = "ocr-gateway"


class CallFailed(Exception):
    """No complete answer came. The text says why in fixed words, and quotes nothing that the other side sent."""

    def __init__(self, text: str, *, is_final: bool = False) -> None:
        """`is_final`: a repetition would fail too."""
        super().__init__(text)
        self.is_final = is_final


class CallRefused(CallFailed):
    """The URL or the addresses of its host are not acceptable: nothing was sent."""


class CheckedTransport:
    def __init__(
        self, allowed: Allowed, tls: ssl.SSLContext | None = None, resolve: Resolve | None = None
    ) -> None:
        """Without `tls`, certificates must be of the system's authorities, or of those in SSL_CERT_FILE."""
        self._allowed = allowed
        self._tls = tls or system_authorities()
        self._resolve = resolve or Lookups()

    @contextlib.asynccontextmanager
    async def call(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | AsyncIterator[bytes] | None,
        seconds: float,
    ) -> AsyncIterator[httpcore.Response]:
        """Send a request; the answer's body has not been read. `seconds` is for all until the context is left.

        Raises:
            CallFailed, also inside the context while the body is read.
        """
        with _translated():
            async with asyncio.timeout(seconds):
                target = parsed(url)
                backend = _CheckedBackend(target, self._allowed, self._resolve)
                sent = {"host": target.authority, "user-agent": _AGENT, "connection": "close", **headers}
                where = httpcore.URL(
                    scheme=target.scheme, host=target.host, port=target.port, target=target.path.encode()
                )
                async with (
                    httpcore.AsyncConnectionPool(
                        ssl_context=self._tls, network_backend=backend, max_keepalive_connections=0
                    ) as pool,
                    pool.stream(method, where, headers=[*sent.items()], content=body) as response,
                ):
                    yield response


@functools.cache
def system_authorities() -> ssl.SSLContext:
    """Loading them takes tens of milliseconds."""
    return ssl.create_default_context()


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to the addresses of one target that were checked."""

    def __init__(self, target: Target, allowed: Allowed, resolve: Resolve) -> None:
        self._target = target
        self._allowed = allowed
        self._resolve = resolve
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(self, host: str, port: int, *_: Any, **_options: Any) -> httpcore.AsyncNetworkStream:
        addresses = await self._addresses(host, port)
        check_addresses(self._target, addresses, self._allowed)
        failure: Exception = CallFailed("its host has no address")
        for address in addresses[:_MOST_ADDRESSES]:
            try:
                return await self._sockets.connect_tcp(str(address), port, timeout=_CONNECT_SECONDS)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _addresses(self, host: str, port: int) -> list[Address]:
        try:
            return await self._resolve(host, port)
        except OSError:
            raise CallFailed("its host cannot be looked up") from None


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Translate the errors of httpcore, of TLS and of the checks."""
    try:
        yield
    except UnsafeUrl as fault:
        raise CallRefused(f"refused: {fault}") from None
    except (TimeoutError, httpcore.TimeoutException):
        raise CallFailed("no answer in time") from None
    except httpcore.ConnectError as error:
        raise CallFailed(_connect_fault(error)) from None
    except httpcore.ProtocolError:
        raise CallFailed("its answer is not valid HTTP") from None
    except (httpcore.NetworkError, ssl.SSLError):
        raise CallFailed("the connection was closed before the answer") from None


def _connect_fault(error: Exception) -> str:
    cause = error.__context__ or error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError):
        return "TLS could not be agreed on"
    return "no connection"
