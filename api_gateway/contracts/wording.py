"""Texts of errors for clients of contracts: those of our own routes name parameters that contracts do not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api_gateway.errors import NotFinished, PagesFailed, PasswordRequired

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from service_kit.errors import ServiceError

_TEXTS = {
    NotFinished.text: "There is no result yet.",
    PasswordRequired.text: "The document is encrypted.",
}


def text_of(error: ServiceError) -> str:
    return of_pages(error.pages) if isinstance(error, PagesFailed) else reworded(str(error))


def reworded(text: str) -> str:
    """The text of an error, as it was raised or as a job has kept it."""
    return _TEXTS.get(text, text)


def of_pages(failed: Iterable[Mapping[str, Any]]) -> str:
    """Which pages failed, and why; each of `failed` has `page` and `detail`."""
    numbers: dict[str, list[str]] = {}
    for page in failed:
        numbers.setdefault(page["detail"], []).append(str(page["page"]))
    reasons = (f" Page{'s' * (len(of) > 1)} {', '.join(of)}: {why}" for why, of in numbers.items())
    return "Some pages could not be read." + "".join(reasons)
