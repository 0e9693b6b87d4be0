"""How many pages an output has, and which of them failed, as far as the output says so."""

from __future__ import annotations

import json
from typing import BinaryIO

from ocr_client.options import Format

_PIECE = 1 << 20
# What stands once in each page. A quotation mark inside a text is escaped in JSON, and a bracket in XML.
_MARKS: dict[Format, bytes] = {
    "json": b'{"page":',
    "ndjson": b'{"page":',
    "hocr": b'class="ocr_page"',
    "alto": b"<Page ",
    "text": b"\f",
}


def pages_in(file: BinaryIO, form: Format) -> int | None:
    """None if the format does not tell."""
    mark = _MARKS.get(form)
    if mark is None:
        return None
    file.seek(0)
    count, before = 0, b""
    while piece := file.read(_PIECE):
        joined = before + piece
        count += joined.count(mark)
        before = joined[len(joined) - len(mark) + 1 :] if len(mark) > 1 else b""
    return count + (form == "text")


def failed_in(file: BinaryIO, form: Format) -> list[tuple[int, str]]:
    """Number and code of each failed page, of JSON and NDJSON; empty for other formats."""
    if form not in ("json", "ndjson"):
        return []
    file.seek(0)
    if form == "json":
        answer = json.load(file)
        pages = [] if answer["status"] == "complete" else answer["pages"]
    else:
        pages = [json.loads(line) for line in file if b'"status":"failed"' in line]
    return [(page["page"], page["code"]) for page in pages if page.get("status") == "failed"]
