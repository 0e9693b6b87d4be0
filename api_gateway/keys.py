"""The API keys that the settings and their file contain, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from service_kit.followed import Unusable

_SHORTEST = 16


def read_keys(given: Iterable[str], file: Path | None) -> tuple[str, ...]:
    """The given keys, and those of the file.

    Raises:
        Unusable: the file cannot be read, has no key although none is given, or a key is not safe.
    """
    try:
        listed = file.read_text("utf-8").split("\n") if file else []
    except (OSError, UnicodeDecodeError):
        raise Unusable("API_KEYS_FILE is not a file of UTF-8 text that can be read") from None
    keys = (*given, *stripped(listed))
    if file and not keys:
        raise Unusable("API_KEYS_FILE contains no key, so that everybody could use the gateway")
    if faults := [*_faults(keys)]:
        raise Unusable("; ".join(faults))
    return keys


def stripped(keys: Iterable[str]) -> Iterator[str]:
    """Strip ASCII blanks only: `str.strip` would also remove bytes of a key that is not ASCII."""
    return filter(None, (key.strip(" \t\r\n") for key in keys))


def _faults(keys: Sequence[str]) -> Iterator[str]:
    if any(len(key) < _SHORTEST for key in keys):
        yield f"an API key has fewer than {_SHORTEST} characters: too easy to guess"
    if not all(key.isprintable() and " " not in key for key in keys):
        yield "an API key contains a space, a control character or bytes that are not UTF-8"
