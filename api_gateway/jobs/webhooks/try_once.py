"""One try to deliver a webhook."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from api_gateway.jobs.webhooks.signing import secrets_of, signed_headers
from api_gateway.jobs.webhooks.transport import CallFailed, CheckedTransport
from service_kit import tracing

if TYPE_CHECKING:
    import httpcore

    from api_gateway.jobs.job import Hook
    from api_gateway.jobs.settings import JobSettings

Deliver = Callable[["Hook"], Awaitable[int]]
"""Makes one try; returns the status of the answer, or raises CallFailed."""

_READ_BYTES = 16 * 1024
_READ_SECONDS = 1.0


class WebhookCall:
    def __init__(self, settings: JobSettings, transport: CheckedTransport) -> None:
        self._secrets = settings.webhook_secrets
        self._seconds = settings.webhook_timeout_seconds
        self._transport = transport

    async def __call__(self, hook: Hook) -> int:
        secrets = secrets_of(hook.tenant, self._secrets)
        if not secrets:
            raise CallFailed("WEBHOOK_SECRETS has no secret for this API key any more")
        headers = {
            "content-type": "application/json",
            **signed_headers(secrets, hook.id, int(hook.claimed), hook.body),
            **dict(tracing.headers()),
        }
        status = None
        try:
            async with self._transport.call("POST", hook.url, headers, hook.body, self._seconds) as response:
                status = response.status
                await _read_a_little(response)
        except CallFailed:
            if status is None:
                raise
        assert status is not None  # noqa: S101 - narrows the type
        return status


async def _read_a_little(response: httpcore.Response) -> None:
    """Read a short body to its end, so that the receiver does not see a broken connection. It is not kept."""
    read = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_READ_SECONDS):
            async for piece in response.aiter_stream():
                read += len(piece)
                if read > _READ_BYTES:
                    return
