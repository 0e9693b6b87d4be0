"""Addresses of names, looked up in threads that nothing else uses and that nothing waits for."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading

from api_gateway.jobs.webhooks.addresses import Address, literal

_MOST = 64  # threads; a name server that does not answer holds one for about half a minute


class Lookups:
    """A slow name server delays neither other work of the process, which uses the loop's threads, nor its end."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(_MOST)

    async def __call__(self, host: str, port: int) -> list[Address]:
        """All addresses of the host, the preferred one first.

        Raises:
            OSError: the name has no address, or its name server does not answer.
        """
        if (address := literal(host)) is not None:
            return [address]
        await self._free.acquire()  # released when the thread ends, also if nobody waits for it any more
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Address]] = loop.create_future()

        def end(found: list[Address] | OSError) -> None:
            self._free.release()
            if answer.done():
                return
            if isinstance(found, OSError):
                answer.set_exception(found)
            else:
                answer.set_result(found)

        def look_up() -> None:
            found: list[Address] | OSError
            try:
                found = _addresses(host, port)
            except OSError as error:
                found = error
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(end, found)

        threading.Thread(target=look_up, name="lookup", daemon=True).start()
        return await answer


def _addresses(host: str, port: int) -> list[Address]:
    found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    return [*dict.fromkeys(ipaddress.ip_address(sockaddr[0]) for *_, sockaddr in found)]
