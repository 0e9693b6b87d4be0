"""The query parameters of Azure Document Intelligence."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from api_gateway.formats.azure import ContentFormat, StringIndex
from api_gateway.schemas import PageNumbers


class AnalyzeQuery(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)

    api_version: Annotated[str, Field(alias="api-version", pattern=r"^\d{4}-\d{2}-\d{2}(-preview)?$")] = (
        "2024-11-30"
    )
    pages: PageNumbers | None = None
    locale: Annotated[str | None, Field(max_length=40)] = None
    string_index: Annotated[StringIndex, Field(alias="stringIndexType")] = "textElements"
    content: Annotated[ContentFormat, Field(alias="outputContentFormat")] = "text"
    features: Annotated[str | None, Field(max_length=200)] = None
    output: Annotated[str | None, Field(max_length=40)] = None
