"""What a client may ask for when a file is read."""

from __future__ import annotations

from typing import Literal, TypedDict

Format = Literal["json", "text", "hocr", "alto", "tsv", "ndjson", "pdf"]
Engine = Literal["auto", "tesseract", "neural"]

# How the name of a file in each format ends. A searchable PDF's end differs from that of its original.
SUFFIXES: dict[Format, str] = {
    "text": ".txt",
    "json": ".json",
    "hocr": ".hocr",
    "alto": ".alto.xml",
    "tsv": ".tsv",
    "ndjson": ".ndjson",
    "pdf": ".ocr.pdf",
}


class ReadOptions(TypedDict, total=False):
    """Those that are left out have the server's defaults. README.md of the service describes the values.

    `timeout` is in seconds: the server stops work that takes longer. Without it the server's limits hold.
    """

    engine: Engine | None
    languages: str | None
    psm: int | None
    pages: str | None
    dpi: int | None
    orientation: Literal["auto", "off"] | None
    text_layer: Literal["auto", "ignore"] | None
    allow_partial: bool | None
    password: str | None
    timeout: float | None


_NOT_IN_QUERY = ("password", "timeout")


def query_of(options: ReadOptions) -> dict[str, str]:
    """The query parameters; neither the password nor the timeout is one."""
    query: dict[str, str] = {}
    for name, value in options.items():
        if value is not None and name not in _NOT_IN_QUERY:
            query[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return query
