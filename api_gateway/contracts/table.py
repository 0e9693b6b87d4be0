"""All contracts: which paths are theirs, how their clients send a key, and how they read an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import orjson

from api_gateway import problem
from api_gateway.contracts import azure_errors
from api_gateway.contracts.wording import text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from service_kit.context import RequestContext
    from service_kit.errors import ServiceError

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
Name = Literal["azure", "openwebui", "mistral", "liteparse", "tika"]


class Contract(NamedTuple):
    """`is_call`: a POST or PUT to this path hands a file in. `key_header` has the API key, or Authorization.

    `render` gets an error's text as clients of contracts read it.
    """

    prefixes: tuple[str, ...]
    is_call: Callable[[str], bool]
    render: Callable[[ServiceError, RequestContext, str], tuple[str, bytes]] = problem.render
    error_type: str = problem.MEDIA_TYPE
    key_header: str | None = None
    file_field: str | None = None
    """Where a picture that is to be read at once stands: a field of a form, or "", which is the whole body."""


def _always(_path: str) -> bool:
    return True


def _as_mistral(error: ServiceError, request: RequestContext, text: str) -> tuple[str, bytes]:
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    body = {"object": "error", "message": text, "type": kind, "param": None, "code": error.code}
    return _JSON, orjson.dumps({**body, "request_id": request.id})


def _as_text(error: ServiceError, _request: RequestContext, text: str) -> tuple[str, bytes]:
    """Open WebUI shows the body to its user."""
    return _TEXT, f"{text} ({error.code})".encode()


def _empty(_error: ServiceError, _request: RequestContext, _text: str) -> tuple[str, bytes]:
    """tika-python reads any body as a result."""
    return _TEXT, b""


CONTRACTS: dict[Name, Contract] = {
    "azure": Contract(
        ("/documentintelligence/", "/formrecognizer/"),
        lambda path: path.endswith(":analyze"),
        azure_errors.render,
        _JSON,
        "ocp-apim-subscription-key",
    ),
    "openwebui": Contract(("/process",), _always, _as_text, _TEXT, file_field=""),
    "mistral": Contract(("/v1/ocr", "/v1/files"), _always, _as_mistral, _JSON),
    "liteparse": Contract(("/liteparse/",), _always, file_field="file"),
    "tika": Contract(("/tika", "/rmeta", "/meta", "/version"), _always, _empty, _TEXT, file_field=""),
}


def contract_of(path: str) -> Name | None:
    for name, found in CONTRACTS.items():
        for prefix in found.prefixes:
            if path.startswith(prefix) and (prefix[-1] == "/" or path[len(prefix) :][:1] in ("", "/")):
                return name
    return None


def is_call(method: str, path: str) -> bool:
    """Whether it hands a file in, so that it is counted and logged as POST /gateway/ocr is."""
    name = contract_of(path)
    return name is not None and method in ("POST", "PUT") and CONTRACTS[name].is_call(path)


def render(error: ServiceError, request: RequestContext) -> tuple[str, bytes]:
    """Media type and body of an error, as the client of this path reads it."""
    name = contract_of(request.path)
    return (
        problem.render(error, request) if name is None else CONTRACTS[name].render(error, request, text_of(error))
    )


def responses(name: Name, codes: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries for the statuses of errors, in the contract's shape."""
    found = CONTRACTS[name]
    if found.render is problem.render:
        return problem.responses(dict(codes))
    media_type = found.error_type.partition(";")[0]
    return {
        status: {"description": problem.explained(text), "content": {media_type: {}}}
        for status, text in codes.items()
    }
