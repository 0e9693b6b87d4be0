"""A process that sends the webhooks of a store until it is killed: its settings are in its environment."""

from __future__ import annotations

import asyncio

from api_gateway.jobs.opening import make_store
from api_gateway.jobs.webhooks import sender
from api_gateway.settings import GatewaySettings
from tests.jobs.stores import event


async def main() -> None:
    sender._MARK_SECONDS = 1.0
    settings = GatewaySettings()
    store = make_store(settings, event)
    await store.open()
    await sender.Webhooks(store, settings).run()


if __name__ == "__main__":
    asyncio.run(main())
