"""JSON: the answer itself."""

from __future__ import annotations

import orjson

from api_gateway.formats.layout import Answer


def render(answer: Answer) -> bytes:
    return orjson.dumps(answer)
