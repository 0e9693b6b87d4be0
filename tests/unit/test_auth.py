"""API keys, in a small application that requires them."""

from __future__ import annotations

import asyncio
import hashlib

import httpx
import pytest
from fastapi import Depends, FastAPI, Request, Response

from api_gateway.auth import digests, key_check, tenant_of
from api_gateway.errors import Unauthorized
from api_gateway.keys import read_keys
from service_kit.followed import Unusable

LATIN = "schlüssel-à-à-à-à"  # à ends in the byte A0 as UTF-8, which is a blank in Latin-1
CYRILLIC = "ключ-ключ-ключ-ключ"
PLAIN = "0123456789abcdef"


async def _refuse(_request: Request, error: Exception) -> Response:
    return Response(str(error), 401)


NAMED = "fedcba9876543210"
SHA = hashlib.sha256(PLAIN.encode()).hexdigest()[:12]
ACCEPTED = digests(read_keys([PLAIN, LATIN, CYRILLIC, f"scans-2:{NAMED}", f"scans-2:{PLAIN}2"], None))
APP = FastAPI(dependencies=[Depends(key_check(lambda: ACCEPTED))], exception_handlers={Unauthorized: _refuse})
APP.add_api_route("/", tenant_of)
APP.add_api_route("/documentintelligence/", tenant_of)


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


@pytest.mark.parametrize(("key", "tenant"), [(NAMED, "scans-2"), (f"{PLAIN}2", "scans-2"), (PLAIN, SHA)])
def test_the_tenant_is_the_keys_name(key: str, tenant: str) -> None:
    answer = get("/", {b"authorization": f"Bearer {key}".encode()})
    assert (answer.status_code, answer.json()) == (200, tenant)


def test_the_name_is_no_part_of_the_key() -> None:
    assert get("/", {b"authorization": f"Bearer scans-2:{NAMED}".encode()}).status_code == 401


@pytest.mark.parametrize(
    "key", ["UPPER:0123456789abcdef", "-a:0123456789abcdef", f"{'a' * 33}:0123", ":0123456789abcdef"]
)
def test_a_key_whose_colon_follows_no_name_is_a_key_as_a_whole(key: str) -> None:
    assert [found.secret for found in read_keys([key], None)] == [key]


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        (["name:0123456789abcde"], "fewer than 16"),
        (["name:"], "fewer than 16"),
        (["name:0123456789 abcdef"], "a space"),
        ([f"one:{PLAIN}", f"two:{PLAIN}"], "two names"),
    ],
)
def test_a_bad_named_key_is_not_used(entries: list[str], fault: str) -> None:
    with pytest.raises(Unusable, match=fault):
        read_keys(entries, None)


def test_no_header_is_refused() -> None:
    assert get("/", {}).status_code == 401


def test_the_openapi_document_names_the_scheme() -> None:
    document = get("/openapi.json", {}).json()
    assert document["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    assert document["paths"]["/"]["get"]["security"] == [{"HTTPBearer": []}]


@pytest.mark.parametrize(
    ("path", "header"), [("/", b"authorization"), ("/documentintelligence/", b"ocp-apim-subscription-key")]
)
def test_a_refusal_names_the_header_that_the_path_takes_a_key_in(path: str, header: bytes) -> None:
    assert header.decode() in get(path, {header: b"Bearer wrong"}).text.lower()
