"""Fields that the contracts share: base64 images, page parameters, the number of images per call."""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, get_args

import pybase64

from service_kit.errors import BadPsm, BadRequest, UnknownLanguage
from service_kit.frames import Payload
from service_kit.offered import Offered
from service_kit.page import (
    BETWEEN_LANGUAGES,
    MAX_LANGUAGES,
    PSMS,
    EngineName,
    Orientation,
    Parameters,
)

_DEFAULTS = Parameters()

_LINE_BREAKS = b"\r\n"
_AT_THE_END = "=\r\n"
_OF_URLS = re.compile("[-_]")
_STANDARD = bytes.maketrans(b"-_", b"+/")  # from the alphabet for URLs
_STRANGE = re.compile(r"[^A-Za-z0-9+/_\-\r\n]")
_LONGEST_PREFIX = 256
_PIECE = 1 << 20


class PageRequest(NamedTuple):
    """A picture, as a file or as a head and pixels, and how to read it."""

    data: Payload
    parameters: Parameters


class Offer(NamedTuple):
    """Languages, engines and number of images that a call may request."""

    offered: Offered
    max_instances: int

    def check_count(self, count: int) -> None:
        if not 1 <= count <= self.max_instances:
            raise BadRequest(f"A call takes 1 to {self.max_instances} images, not {count}.")

    def parameters(self, given: Mapping[str, Any]) -> Parameters:
        """Parameters from an object with `languages`, `psm`, `engine` and `orientation`, all optional.

        Raises:
            UnknownLanguage, BadPsm, BadEngine, NoSuchEngine, BadRequest.
        """
        engine = self.offered.engine(given.get("engine"))
        languages = self._languages(given.get("languages", _DEFAULTS.languages), engine)
        psm = given.get("psm", _DEFAULTS.psm)
        if isinstance(psm, bool) or not isinstance(psm, int) or psm not in PSMS:
            raise BadPsm
        orientation = given.get("orientation", _DEFAULTS.orientation)
        if orientation not in get_args(Orientation):
            raise BadRequest(f"orientation takes {' or '.join(get_args(Orientation))}.")
        return Parameters(languages, psm, engine, orientation)

    def _languages(self, given: Any, engine: EngineName) -> tuple[str, ...]:
        names = re.split(BETWEEN_LANGUAGES, given) if isinstance(given, str) else given
        if (
            not isinstance(names, (list, tuple))
            or not 1 <= len(names) <= MAX_LANGUAGES
            or not all(isinstance(name, str) for name in names)
        ):
            raise UnknownLanguage
        found = tuple(dict.fromkeys(names))
        self.offered.check(found, engine)
        return found


def unbase64(encoded: Any, where: str) -> bytes:
    """Decode base64; line breaks, a `data:` prefix, and the URL alphabet with or without padding are accepted.

    Raises:
        BadRequest: its text says what is wrong.
    """
    try:
        return pybase64.b64decode(encoded, validate=True)
    except (binascii.Error, TypeError, ValueError):
        if not isinstance(encoded, (str, bytes)):
            raise BadRequest(f"{where} is not base64: it is no text.") from None
        try:
            return _unbase64_in_pieces(encoded if isinstance(encoded, str) else encoded.decode("latin-1"))
        except ValueError as error:
            raise BadRequest(f"{where} is not base64: {error}.") from None


def _unbase64_in_pieces(encoded: str) -> bytes:
    """In pieces, because each step makes a copy.

    Raises:
        ValueError: its text is a part of a sentence.
    """
    start, end = _data_at(encoded), len(encoded)
    padding = 0
    while end > start and encoded[end - 1] in _AT_THE_END:
        end -= 1
        padding += encoded[end] == "="
    decoded = bytearray()
    rest = b""
    for at in range(start, end, _PIECE):
        piece = encoded[at : min(end, at + _PIECE)]
        if strange := _STRANGE.search(piece):
            raise ValueError(f"it has the character {strange[0]!r} at {at + strange.start()}")
        digits = rest + piece.encode().translate(_STANDARD, _LINE_BREAKS)
        whole = len(digits) // 4 * 4
        decoded += pybase64.b64decode(digits[:whole])
        rest = digits[whole:]
    missing = -len(rest) % 4
    if missing == 3 or (padding != missing and (padding or not _OF_URLS.search(encoded, start))):
        raise ValueError("it is cut short, or its padding is wrong")
    return bytes(decoded + pybase64.b64decode(rest + b"=" * missing))


def _data_at(encoded: str) -> int:
    """Where the data begin, behind the prefix of a `data:` URL."""
    if encoded[:5].lower() != "data:":
        return 0
    comma = encoded.find(",", 0, _LONGEST_PREFIX)
    if not encoded[: max(0, comma)].lower().endswith(";base64"):
        raise ValueError("its data: prefix does not say ;base64")
    return comma + 1
