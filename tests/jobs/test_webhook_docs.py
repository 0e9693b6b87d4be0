"""What docs/webhooks.md shows works: its receiver, its check, its example and its command."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from api_gateway.jobs.job import Job
from api_gateway.jobs.sql.sqlite import SqliteDriver
from api_gateway.jobs.sql_store import SqlStore
from api_gateway.jobs.webhooks.event import event_body
from api_gateway.jobs.webhooks.sender import Webhooks
from api_gateway.jobs.webhooks.signing import secret_faults
from api_gateway.settings import GatewaySettings
from tests.jobs.stores import claimed, handed_in, read

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
RECEIVER, CHECK = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SECRET = f"whsec_{base64.b64encode(b'd' * 32).decode()}"

Check = Callable[[str, dict[str, str], bytes], bool]


@pytest.fixture
def is_genuine() -> Check:
    names: dict[str, Check] = {}
    exec(CHECK, names)
    return names["is_genuine"]


def test_the_example_is_signed_with_the_secret_that_the_page_names(
    is_genuine: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    (request,) = re.findall(r"```\nPOST /hook HTTP/1.1\n(.*?)\n```", PAGE, re.DOTALL)
    head, _, body = request.partition("\n\n")
    headers = dict(line.split(": ", 1) for line in head.split("\n"))
    (secret,) = re.findall(r"The secret of this example is `(whsec_\S+)`", PAGE)
    sent = int(headers["webhook-timestamp"])
    monkeypatch.setattr(time, "time", lambda: sent + 299)
    assert is_genuine(secret, headers, body.encode())
    assert not is_genuine(secret, headers, body.encode() + b" ")
    assert not is_genuine(SECRET, headers, body.encode())
    monkeypatch.setattr(time, "time", lambda: sent + 301)
    assert not is_genuine(secret, headers, body.encode())


def test_the_command_makes_a_secret() -> None:
    (command,) = re.findall(r"^ +(echo .*)$", PAGE, re.MULTILINE)
    printed = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert not [*secret_faults([SecretStr(printed.stdout.strip())])]


def test_the_receiver_of_the_page_accepts_what_the_gateway_sends(tmp_path: Path) -> None:
    asyncio.run(received(tmp_path))


async def received(folder: Path) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    (folder / "receiver.py").write_text(RECEIVER)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(folder / "receiver.py"),
        env={**os.environ, "WEBHOOK_SECRET": SECRET, "PORT": str(port)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    store = SqlStore(SqliteDriver(folder / "jobs"), lambda job: event_body(job, ""), 1 << 30)
    await store.open()
    settings = GatewaySettings(webhook_secrets=(SecretStr(SECRET),), webhook_allow=("127.0.0.1",))
    sending = asyncio.create_task(Webhooks(store, settings).run())
    try:
        job: Job = await handed_in(store, webhook_url=f"http://127.0.0.1:{port}/hook")
        await read(store, await claimed(store), [1])
        async with asyncio.timeout(30):  # the receiver may start later than the first try
            assert await process.stdout.readline() == f"ocr.job.complete {job.id}\n".encode()
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        process.kill()
        await process.wait()
        await store.close()
