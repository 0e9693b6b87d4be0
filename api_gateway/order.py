"""What a client requests for one file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api_gateway.formats import AnyFormat
    from service_kit.page import Parameters


@dataclass(frozen=True, slots=True)
class Order:
    """`pages` as in the query parameter (`1-3,7`; None: all); the rest but `format` is for pages of a PDF.

    `may_lower_dpi`: the client asked for no dpi, so that a page too large for `dpi` is drawn with fewer.
    """

    parameters: Parameters
    format: AnyFormat
    pages: str | None = None
    dpi: float = 300
    may_lower_dpi: bool = False
    embedded_text: bool = True
    allow_partial: bool = False
