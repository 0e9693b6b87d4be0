"""What a client requests for one file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api_gateway.formats import Name
    from service_kit.page import Parameters


@dataclass(frozen=True, slots=True)
class Order:
    """`pages` as in the query parameter (`1-3,7`; None: all); `dpi` and `embedded_text` are for pages of a PDF."""

    parameters: Parameters
    format: Name
    pages: str | None = None
    dpi: float = 300
    embedded_text: bool = True
    allow_partial: bool = False
