"""What is refused before its route is known, while the model server refuses pictures."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from api_gateway.admission import EarlyRefusal
from api_gateway.errors import Relayed
from service_kit import context
from service_kit.deadline import Deadline
from service_kit.errors import Overloaded
from tests.unit.test_request_admission import admission

START = b'--b\r\nContent-Disposition: form-data; name="image_file"; filename="x"\r\n\r\n\x89PNG'


def passes(
    *,
    has_jobs: bool = True,
    method: str = "POST",
    path: str = "/gateway/ocr",
    prefer: str = "",
    start: bytes = START,
) -> bool:
    """Whether a picture comes to its route."""
    admitted = admission()
    reached = []

    async def app(*_: object) -> None:
        reached.append(True)

    async def receive() -> Any:
        return {"type": "http.request", "body": start, "more_body": True}

    async def ask() -> None:
        context.enter(context.RequestContext("x", Deadline(10)))
        with pytest.raises(Relayed), admitted.request(0, Deadline(10)):
            raise Relayed(429, "overloaded", "", 1)
        scope = {"type": "http", "method": method, "path": path, "headers": [(b"prefer", prefer.encode())]}
        await EarlyRefusal(app, admission=admitted, has_jobs=has_jobs)(scope, receive, receive)  # type: ignore[arg-type]

    try:
        asyncio.run(ask())
    except Overloaded:
        return False
    return bool(reached)


def test_a_picture_is_refused() -> None:
    assert not passes(has_jobs=True)
    assert not passes(has_jobs=True, prefer="wait=5")
    assert not passes(has_jobs=False, prefer="respond-async")


def test_a_job_is_not_refused() -> None:
    assert passes(has_jobs=True, path="/gateway/jobs")
    assert passes(has_jobs=True, prefer="respond-async")


@pytest.mark.parametrize("path", ["/process", "/tika", "/tika/text", "/rmeta/text"])
def test_a_picture_in_a_body_of_its_own_is_refused(path: str) -> None:
    assert not passes(method="PUT", path=path, start=b"\x89PNG")
    assert passes(method="PUT", path=path, start=b"%PDF-1.7")
    assert passes(method="PUT", path=path, start=b"a text" * 1000)


def test_a_picture_in_another_form_is_refused() -> None:
    assert not passes(path="/liteparse/ocr", start=START.replace(b"image_file", b"file"))
    assert passes(path="/documentintelligence/documentModels/prebuilt-read:analyze", start=b"\x89PNG")
