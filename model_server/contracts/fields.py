"""Fields that the contracts share: base64 images, page parameters, the number of images per call."""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pybase64

from service_kit.errors import BadPsm, BadRequest, UnknownLanguage
from service_kit.page import MAX_LANGUAGES, PSMS, Parameters

_DEFAULTS = Parameters()


class PageRequest(NamedTuple):
    data: bytes
    parameters: Parameters


class Offer(NamedTuple):
    """Languages and number of images that a call may request."""

    languages: Sequence[str]
    max_instances: int

    def check_count(self, count: int) -> None:
        if not 1 <= count <= self.max_instances:
            raise BadRequest(f"A call takes 1 to {self.max_instances} images, not {count}.")

    def parameters(self, given: Mapping[str, Any]) -> Parameters:
        """Parameters from an object with `languages` and `psm`, both optional.

        Raises:
            UnknownLanguage, BadPsm.
        """
        languages = self._languages(given.get("languages", _DEFAULTS.languages))
        psm = given.get("psm", _DEFAULTS.psm)
        if isinstance(psm, bool) or not isinstance(psm, int) or psm not in PSMS:
            raise BadPsm
        return Parameters(languages, psm)

    def _languages(self, given: Any) -> tuple[str, ...]:
        names = given.split(",") if isinstance(given, str) else given
        if not isinstance(names, (list, tuple)) or not 1 <= len(names) <= MAX_LANGUAGES:
            raise UnknownLanguage(f"languages takes 1 to {MAX_LANGUAGES} of: {', '.join(self.languages)}.")
        for name in names:
            if not isinstance(name, str) or name not in self.languages:
                raise UnknownLanguage(f"Languages offered here: {', '.join(self.languages)}.")
        return tuple(dict.fromkeys(names))


def unbase64(encoded: Any, where: str) -> bytes:
    try:
        return pybase64.b64decode(encoded, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise BadRequest(f"{where} is not base64.") from None
