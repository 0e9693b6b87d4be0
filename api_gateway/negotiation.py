"""Which format of answer a client wants."""

from __future__ import annotations

from api_gateway.errors import NotAcceptable
from api_gateway.formats import ALL_FORMATS, FORMATS, AnyFormat, Name

_OFFERED = {known.media_type: name for name, known in FORMATS.items()}


def negotiate(asked: Name | None, accept: str | None, default: AnyFormat = "json") -> AnyFormat:
    """The query parameter decides, else the Accept header (RFC 9110, 12.5.1), else the default.

    Raises:
        NotAcceptable: the header excludes all available types.
    """
    if asked:
        return asked
    if not accept:
        return default
    qualities = {name: _quality(name, accept) for name in (ALL_FORMATS[default].media_type, *_OFFERED)}
    best = max(qualities, key=lambda name: qualities[name])  # the first one if several are equal
    if not qualities[best]:
        raise NotAcceptable
    return _OFFERED[best]


def _quality(media_type: str, accept: str) -> float:
    """The quality of the most specific matching range; 0 if none matches."""
    ranges = {"*/*": 1, media_type.partition("/")[0] + "/*": 2, media_type: 3}
    found = (0, 0.0)
    for item in accept.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        if name in ranges:
            found = max(found, (ranges[name], _q(parameters)))
    return found[1]


def _q(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return min(1.0, max(0.0, float(parameter[2:])))
            except ValueError:
                return 0.0
    return 1.0
