"""API keys, in a small application that requires them."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import Depends, FastAPI, Request, Response

from api_gateway.auth import digests, key_check
from api_gateway.errors import Unauthorized

LATIN = "schlüssel-à-à-à-à"  # à ends in the byte A0 as UTF-8, which is a blank in Latin-1
CYRILLIC = "ключ-ключ-ключ-ключ"
PLAIN = "0123456789abcdef"


async def _refuse(_request: Request, _error: Exception) -> Response:
    return Response(status_code=401)


ACCEPTED = digests([PLAIN, LATIN, CYRILLIC])
APP = FastAPI(dependencies=[Depends(key_check(lambda: ACCEPTED))], exception_handlers={Unauthorized: _refuse})
APP.add_api_route("/", lambda: "in")


def get(path: str, headers: dict[bytes, bytes]) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(APP), base_url="http://gateway") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "header",
    [
        f"Bearer {PLAIN}".encode(),
        f"bearer   {PLAIN} \t".encode(),
        f"Bearer {LATIN}".encode(),
        f"Bearer {LATIN}".encode("latin-1"),
        f"Bearer {CYRILLIC}".encode(),
    ],
)
def test_a_key_is_accepted_as_utf_8_and_as_latin_1(header: bytes) -> None:
    assert get("/", {b"authorization": header}).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        f"Basic {PLAIN}".encode(),
        PLAIN.encode(),
        f"Bearer {LATIN[:-1]}".encode(),
        f"Bearer {LATIN}".encode()[:-1],
        f"Bearer {LATIN}".encode("utf-16-le"),
        f"Bearer {CYRILLIC}".encode("koi8-r"),
        b"Bearer " + CYRILLIC.encode().decode("latin-1").encode(),
        b"Bearer \xff\xfe",
    ],
)
def test_any_other_bytes_are_refused(header: bytes) -> None:
    assert get("/", {b"authorization": header}).status_code == 401


def test_no_header_is_refused() -> None:
    assert get("/", {}).status_code == 401


def test_the_openapi_document_names_the_scheme() -> None:
    document = get("/openapi.json", {}).json()
    assert document["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    assert document["paths"]["/"]["get"]["security"] == [{"HTTPBearer": []}]
