"""All contracts: which paths are theirs, how their clients send a key, and how they read an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from api_gateway import problem
from api_gateway.contracts import azure_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from service_kit.context import RequestContext
    from service_kit.errors import ServiceError

Name = Literal["azure", "openwebui", "mistral", "liteparse", "tika"]


class Contract(NamedTuple):
    """`key_header`: has the API key, beside Authorization. `is_call`: POSTs here are counted and logged."""

    prefixes: tuple[str, ...]
    is_call: Callable[[str], bool]
    render: Callable[[ServiceError, RequestContext], tuple[str, bytes]] = problem.render
    key_header: str | None = None


def _always(_path: str) -> bool:
    return True


def _as_text(error: ServiceError, _request: RequestContext) -> tuple[str, bytes]:
    """Open WebUI shows the body to its user."""
    return "text/plain; charset=utf-8", f"{error} ({error.code})".encode()


def _empty(_error: ServiceError, _request: RequestContext) -> tuple[str, bytes]:
    """tika-python reads any body as a result."""
    return "text/plain; charset=utf-8", b""


CONTRACTS: dict[Name, Contract] = {
    "azure": Contract(
        ("/documentintelligence/", "/formrecognizer/"),
        lambda path: path.endswith(":analyze"),
        azure_errors.render,
        "ocp-apim-subscription-key",
    ),
    "openwebui": Contract(("/process",), _always, _as_text),
    "mistral": Contract(("/v1/ocr", "/v1/files"), lambda path: path == "/v1/ocr"),
    "liteparse": Contract(("/liteparse/",), _always),
    "tika": Contract(("/tika", "/rmeta", "/meta", "/version"), _always, _empty),
}


def contract_of(path: str) -> Name | None:
    return next((name for name, found in CONTRACTS.items() if path.startswith(found.prefixes)), None)


def is_call(method: str, path: str) -> bool:
    """Whether it hands a file in, so that it is counted and logged as POST /gateway/ocr is."""
    name = contract_of(path)
    return name is not None and method in ("POST", "PUT") and CONTRACTS[name].is_call(path)


def render(error: ServiceError, request: RequestContext) -> tuple[str, bytes]:
    """Media type and body of an error, as the client of this path reads it."""
    name = contract_of(request.path)
    return problem.render(error, request) if name is None else CONTRACTS[name].render(error, request)
