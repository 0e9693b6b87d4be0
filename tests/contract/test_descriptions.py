"""The OpenAPI document says in words what everything in it is; its references lead somewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.services import api_gateway
from tests.documents.stand_in import ModelServer, serving

FEWEST_WORDS = 3
LEAST_PLACES = 300  # that need a description
KEY = "a-key-of-twenty-letters"
OF_NO_USE = ("Successful Response", "Validation Error")  # the framework's own
OPEN = ("/health/", "/metrics", "/gateway/jobs/backlog")
_SCHEMAS = ("items", "additionalProperties")
_ALTERNATIVES = ("anyOf", "oneOf", "allOf")


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """With everything that can be offered."""
    folder = tmp_path_factory.mktemp("descriptions")
    env = {"API_GATEWAY_JOBS_DIR": str(folder), "API_GATEWAY_API_KEYS": KEY}
    with (folder / "log").open("wb") as log, serving(ModelServer()) as url, api_gateway(url, env, log) as gateway:
        yield httpx.get(f"{gateway.url}/openapi.json", trust_env=False).json()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def described(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Where a description belongs, and the description."""
    for name, operation in operations(document):
        yield f"{name} summary", operation.get("summary", "")
        yield name, operation.get("description", "")
        for parameter in operation.get("parameters", ()):
            yield f"{name} {parameter['name']}", parameter.get("description", "")
        for media in operation.get("requestBody", {}).get("content", {}).values():
            yield from properties(f"{name} body", media["schema"])
        for status, answer in operation["responses"].items():
            yield f"{name} {status}", answer.get("description", "")
            for header, value in answer.get("headers", {}).items():
                yield f"{name} {status} {header}", value.get("description", "")
            for media in answer.get("content", {}).values():
                yield from properties(f"{name} {status}", media.get("schema", {}))
    for name, schema in document["components"]["schemas"].items():
        yield name, schema.get("description", "")
        yield from properties(name, schema)
    for tag in document["tags"]:
        yield f"tag {tag['name']}", tag["description"]


def properties(where: str, schema: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(schema, dict):
        return
    for name, value in schema.get("properties", {}).items():
        yield f"{where}.{name}", value.get("description", "")
        yield from properties(f"{where}.{name}", value)
    for key in _SCHEMAS:
        yield from properties(where, schema.get(key))
    for key in _ALTERNATIVES:
        for value in schema.get(key, ()):
            yield from properties(where, value)


def test_everything_is_described(document: dict[str, Any]) -> None:
    found = dict(described(document))
    assert len(found) > LEAST_PLACES
    assert {where: text for where, text in found.items() if len(text.split()) < FEWEST_WORDS} == {}
    assert not {where: text for where, text in found.items() if text in OF_NO_USE}


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = {line.split('"')[3] for line in json.dumps(document, indent=1).splitlines() if '"$ref"' in line}
    assert found
    prefix = "#/components/schemas/"
    assert {reference.removeprefix(prefix) for reference in found} <= document["components"]["schemas"].keys()


def test_only_what_a_key_guards_asks_for_one(document: dict[str, Any]) -> None:
    (scheme,) = document["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    unguarded = {name for name, operation in operations(document) if "security" not in operation}
    assert unguarded
    assert all(any(path in name for path in OPEN) for name in unguarded), unguarded


def test_the_packaged_reference_needs_no_key_and_has_a_strict_policy(tmp_path: Path) -> None:
    with (
        (tmp_path / "log").open("wb") as log,
        serving(ModelServer()) as url,
        api_gateway(url, {"API_GATEWAY_API_KEYS": KEY, "API_GATEWAY_PAGE": "false"}, log) as gateway,
        httpx.Client(base_url=gateway.url, trust_env=False) as client,
    ):
        for name in ("", "/swagger-ui.css", "/swagger-ui-bundle.js", "/start.js"):
            answer = client.get(f"/docs{name}")
            assert answer.status_code == 200
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "http" not in policy
        again = client.get("/docs/start.js", headers={"if-none-match": answer.headers["etag"]})
        assert again.status_code == 304
        assert client.get("/docs/__init__.py").status_code == 404
        assert client.get("/openapi.json").status_code == 200
