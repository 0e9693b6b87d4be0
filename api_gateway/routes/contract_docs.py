"""What /docs says of the routes of contracts."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from api_gateway.contracts.table import responses
from api_gateway.routes import ocr_docs
from api_gateway.routes.jobs_docs import RESULT_ERRORS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api_gateway.contracts.table import Name

_FILE = {"type": "string", "format": "binary", "description": "The picture or the document."}
_STORE = {503: "store_unavailable, not_ready"}
FILE: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": _FILE}}},
    "parameters": ocr_docs.HEADERS,
}


def form(field: str, texts: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    """A body with a file, and other fields with what each is."""
    properties = {
        field: _FILE,
        **{name: {"type": "string", "maxLength": 1024, "description": text} for name, text in texts.items()},
    }
    schema = {"type": "object", "required": [field], "properties": properties}
    return {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}},
        "parameters": ocr_docs.HEADERS,
    }


def answer(media_type: str, description: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": description, "content": {media_type: {}}}}


def errors_of_call(name: Name) -> dict[int | str, dict[str, Any]]:
    """Those of a call that hands a file in."""
    return responses(name, {**ocr_docs.errors(with_jobs=True), 404: "not_found"})


def errors_of_result(name: Name) -> dict[int | str, dict[str, Any]]:
    """Those of a stored result."""
    return responses(name, RESULT_ERRORS)


def errors_of_job(name: Name) -> dict[int | str, dict[str, Any]]:
    """Those of a question for something that is stored."""
    return responses(
        name,
        {
            400: "bad_parameter, bad_request, bad_timeout",
            401: "unauthorized",
            404: "not_found: there is nothing with this id, or it belongs to another API key",
            **_STORE,
        },
    )
