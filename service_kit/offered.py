"""Which languages and engines a model server offers, and whether a request may have them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, get_args

from service_kit.errors import BadEngine, NoSuchEngine, UnknownLanguage
from service_kit.page import ANY_LANGUAGE, EngineName

_READERS = {"tesseract": "Tesseract", "neural": "the neural engine"}


class Offered(NamedTuple):
    """The languages of each engine; `neural` None: the server does not have it. `default` is the usual engine."""

    tesseract: Collection[str]
    neural: Collection[str] | None
    default: EngineName

    @property
    def engines(self) -> list[EngineName]:
        """Engines that can be asked for; without the neural engine, `auto` is Tesseract alone."""
        return [name for name in get_args(EngineName) if name != "neural" or self.neural is not None]

    @property
    def languages(self) -> list[str]:
        return sorted({*self.tesseract, *(self.neural or ())})

    def readers(self, language: str) -> list[str]:
        """The engines that read the language: `tesseract`, `neural`."""
        return [name for name in _READERS if language in self._of(name)]

    def engine(self, given: object) -> EngineName:
        """The engine that a request names, or the default if it names none.

        Raises:
            BadEngine, NoSuchEngine.
        """
        name = self.default if given is None else given
        if name not in get_args(EngineName):
            raise BadEngine
        if name == "neural" and self.neural is None:
            raise NoSuchEngine(f"This server does not have the engine neural. It has: {', '.join(self.engines)}.")
        return name  # type: ignore[return-value]  # it is one of them

    def check(self, languages: Sequence[str], engine: EngineName) -> None:
        """Refuse languages that the engine cannot read together; for `auto`, those that neither engine can.

        Raises:
            UnknownLanguage: its text says which engine has them, or what there is.
        """
        wanted: set[str] = set() if tuple(languages) == (ANY_LANGUAGE,) else {*languages}
        able = [name for name in _READERS if self._of(name) and wanted.issubset(self._of(name))]
        if able if engine == "auto" else engine in able:
            return
        asked = ",".join(languages)
        if able:
            raise UnknownLanguage(
                f"Only {_READERS[able[0]]} reads {asked}: ask for engine={able[0]} or engine=auto."
            )
        if ANY_LANGUAGE in languages:
            raise UnknownLanguage(f"languages={ANY_LANGUAGE} stands alone: it finds the language itself.")
        known = self.languages if engine == "auto" else sorted(self._of(engine))
        if not set(languages) - set(known):
            raise UnknownLanguage(f"No engine reads {asked} together.")
        raise UnknownLanguage(f"Languages offered here: {', '.join([*known, ANY_LANGUAGE])}.")

    def _of(self, name: str) -> Collection[str]:
        return self.tesseract if name == "tesseract" else self.neural or ()
