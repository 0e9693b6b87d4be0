"""The order that a query describes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_gateway.order import Order

if TYPE_CHECKING:
    from api_gateway.formats import AnyFormat
    from api_gateway.schemas import OcrQuery


def order_of(query: OcrQuery, name: AnyFormat) -> Order:
    """`name` is that of the format."""
    return Order(
        parameters=query.parameters,
        format=name,
        pages=query.pages,
        dpi=query.dpi,
        may_lower_dpi="dpi" not in query.model_fields_set,
        embedded_text=query.text_layer == "auto",
        allow_partial=query.allow_partial,
    )
