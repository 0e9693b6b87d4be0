"""The header `Prefer: respond-async` (RFC 7240)."""

from __future__ import annotations

import re
from collections.abc import Iterable

RESPOND_ASYNC = "respond-async"

# A preference and its parameters; a quoted string may contain commas and semicolons.
_PREFERENCE = re.compile(r'(?:"(?:\\.|[^"\\])*"?|[^",])+')
_NAME = re.compile(r"[^\s;=]+")


def prefers_async(values: Iterable[str]) -> bool:
    """Whether one of the header's lines has the preference, perhaps with parameters. Names ignore the case."""
    for value in values:
        for preference in _PREFERENCE.findall(value):
            name = _NAME.match(preference.strip())
            if name and name[0].lower() == RESPOND_ASYNC:
                return True
    return False
