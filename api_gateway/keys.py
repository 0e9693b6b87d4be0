"""The API keys that the settings and their file contain, and what is wrong with them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from service_kit.followed import Unusable

_SHORTEST = 16
_NAMED = re.compile(r"([a-z0-9][a-z0-9-]{0,31}):(.*)", re.DOTALL)
_DIGEST_NAME = 12  # hex digits


class ApiKey(NamedTuple):
    """`tenant` owns the jobs that are submitted with the key; several keys may have one tenant."""

    tenant: str
    secret: str


def read_keys(given: Iterable[str], file: Path | None) -> tuple[ApiKey, ...]:
    """The given keys, and those of the file.

    Raises:
        Unusable: the file cannot be read, has no key although none is given, or a key is not safe.
    """
    try:
        listed = file.read_text("utf-8").split("\n") if file else []
    except (OSError, UnicodeDecodeError):
        raise Unusable("API_KEYS_FILE is not a file of UTF-8 text that can be read") from None
    keys = tuple(map(_key, (*given, *stripped(listed))))
    if file and not keys:
        raise Unusable("API_KEYS_FILE contains no key, so that everybody could use the gateway")
    if faults := [*_faults(keys)]:
        raise Unusable("; ".join(faults))
    return keys


def stripped(keys: Iterable[str]) -> Iterator[str]:
    """Strip ASCII blanks only: `str.strip` would also remove bytes of a key that is not ASCII."""
    return filter(None, (key.strip(" \t\r\n") for key in keys))


def _key(entry: str) -> ApiKey:
    """`NAME:KEY`; an entry without a valid name is a key as a whole, and its name is made of its digest."""
    if found := _NAMED.fullmatch(entry):
        return ApiKey(found[1], found[2])
    return ApiKey(hashlib.sha256(entry.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGEST_NAME], entry)


def _faults(keys: Sequence[ApiKey]) -> Iterator[str]:
    if any(len(key.secret) < _SHORTEST for key in keys):
        yield f"an API key has fewer than {_SHORTEST} characters: too easy to guess"
    if not all(key.secret.isprintable() and " " not in key.secret for key in keys):
        yield "an API key contains a space, a control character or bytes that are not UTF-8"
    if len({key.secret for key in keys}) < len(set(keys)):
        yield "an API key has two names"
