"""KServe's V1.

{"instances": [{"image": {"b64": "..."}, "parameters": {"languages": ["eng"], "psm": 3, "engine": "auto",
"orientation": "auto"}}]} -> {"predictions": [page, ...]}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from model_server.contracts.fields import Offer, PageRequest, unbase64
from model_server.prediction import Prediction
from service_kit.errors import BadRequest, UnsupportedMediaType


def decode(payload: Any, headers: Mapping[str, str], offer: Offer) -> list[PageRequest]:
    """The images of a call, at least one, each with its parameters. Removes their base64 from the payload.

    Raises:
        BadRequest, UnknownLanguage, BadPsm, BadEngine, NoSuchEngine, UnsupportedMediaType.
    """
    if isinstance(payload, bytes):  # KServe parses only the exact media type application/json
        payload = _parse(payload, headers)
    instances = payload.get("instances") if isinstance(payload, dict) else None
    if not isinstance(instances, list):
        raise BadRequest('The body takes {"instances": [{"image": {"b64": "..."}}]}.')
    offer.check_count(len(instances))
    return [_page_request(instance, f"instances[{number}]", offer) for number, instance in enumerate(instances)]


def encode(_payload: Any, _name: str, pages: Sequence[Prediction]) -> dict[str, Any]:
    return {"predictions": pages}


def _page_request(instance: Any, where: str, offer: Offer) -> PageRequest:
    image = instance.get("image") if isinstance(instance, dict) else None
    encoded = image.pop("b64", None) if isinstance(image, dict) else None
    if not isinstance(encoded, str):
        raise BadRequest(f'{where} takes {{"image": {{"b64": "..."}}}}.')
    given = instance.get("parameters") or {}
    if not isinstance(given, dict):
        raise BadRequest(f"{where}.parameters takes an object.")
    return PageRequest(unbase64(encoded, where), offer.parameters(given))


def _parse(body: bytes, headers: Mapping[str, str]) -> Any:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in ("application/json", ""):
        raise UnsupportedMediaType("Send JSON, as application/json.")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from None
