"""The query parameters of Azure Document Intelligence."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from api_gateway.formats.azure import ContentFormat, StringIndex
from api_gateway.schemas import PAGES_TEXT, PageNumbers


class AnalyzeQuery(BaseModel):
    """Query parameters of an operation and of its result."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    api_version: Annotated[
        str,
        Field(
            alias="api-version",
            pattern=r"^\d{4}-\d{2}-\d{2}(-preview)?$",
            description="Version of Azure's interface, which the result repeats.",
        ),
    ] = "2024-11-30"
    pages: Annotated[PageNumbers | None, Field(description=PAGES_TEXT, examples=["1-3,7"])] = None
    locale: Annotated[
        str | None,
        Field(max_length=40, description="Language of the document, such as `de`; without it, it is found."),
    ] = None
    string_index: Annotated[
        StringIndex, Field(alias="stringIndexType", description="What the offsets of the result count.")
    ] = "textElements"
    content: Annotated[
        ContentFormat, Field(alias="outputContentFormat", description="Form of `content` in the result.")
    ] = "text"
    features: Annotated[
        str | None,
        Field(max_length=200, description="Only such as change nothing about the text; others are refused."),
    ] = None
    output: Annotated[str | None, Field(max_length=40, description="`pdf` also makes a searchable PDF.")] = None
