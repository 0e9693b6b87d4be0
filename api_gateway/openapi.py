"""The OpenAPI document: each schema once, and only answers that the gateway gives."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

TAGS = [
    {"name": "OCR", "description": "Read a picture or a document at once."},
    {"name": "Jobs", "description": "Hand documents in, and fetch their text later."},
    {"name": "Operation", "description": "For probes, Prometheus and autoscalers. No API key is needed."},
    *(
        {
            "name": name,
            "description": f"The interface of {service}, as far as its clients need it to read text. "
            "They get the address of this gateway.",
        }
        for name, service in {
            "Azure Document Intelligence": "Azure Document Intelligence",
            "Open WebUI": "an external document loader of Open WebUI",
            "Mistral OCR": "Mistral's OCR",
            "LiteParse": "an OCR server of LiteParse",
            "Apache Tika": "Apache Tika's server",
        }.items()
    ),
]
_OF_FRAMEWORK = ("HTTPValidationError", "ValidationError")  # bad parameters are 400 here, with a `Problem`
_WHERE = "#/components/schemas/"


class DescribedApi(FastAPI):
    def openapi(self) -> dict[str, Any]:
        if not self.openapi_schema:
            self.openapi_schema = _tidied(super().openapi())
        return self.openapi_schema


def _tidied(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in _OF_FRAMEWORK:
        schemas.pop(name, None)
    for operations in document["paths"].values():
        for operation in operations.values():
            answers = operation["responses"]
            if "HTTPValidationError" in str(answers.get("422")):
                del answers["422"]
    document["paths"] = _shared(document["paths"], schemas)
    return document


def _shared(value: Any, schemas: dict[str, Any]) -> Any:
    """The value with references to `schemas`, to which each model in it is moved."""
    if isinstance(value, list):
        return [_shared(each, schemas) for each in value]
    if not isinstance(value, dict):
        return value
    for name, schema in value.get("$defs", {}).items():
        moved = _shared(schema, schemas)
        if moved != {"$ref": _WHERE + name}:
            schemas.setdefault(name, moved)
    found = {key: _shared(each, schemas) for key, each in value.items() if key != "$defs"}
    if isinstance(found.get("$ref"), str):
        found["$ref"] = found["$ref"].replace("#/$defs/", _WHERE)
    if "title" in found and isinstance(found.get("properties"), dict):
        schemas.setdefault(found["title"], found)
        return {"$ref": _WHERE + found["title"]}
    return found
