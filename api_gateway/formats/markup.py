"""XML documents whose pages are written one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple
from xml.etree import ElementTree as ET

from api_gateway.answer import Answer, AnswerPage, Model

_PAGES = "pages"  # a comment that stands for them in the serialised document


def not_read(page: AnswerPage) -> ET.Element[Any]:
    """A comment instead of the text of a failed page; none of our error codes can end a comment."""
    comment: ET.Element[Any] = ET.Comment(f" page {page['page']} could not be read: {page['code']} ")
    return comment


def engines(answer: Answer, pages: Iterable[AnswerPage]) -> list[Model]:
    """The models that read the pages, each once; empty if all text was embedded."""
    if answer["model"] is not None:
        return [answer["model"]]
    found: list[Model] = []
    for page in pages:
        if page["model"] is not None and page["model"] not in found:
            found.append(page["model"])
    return found


class Software(NamedTuple):
    """`engine` as words name it."""

    engine: Literal["tesseract", "neural"]
    name: str
    version: str


def software(model: Model) -> list[Software]:
    """The programs that read a page."""
    version, neural = model["tesseract"], model["neural"]
    return [
        *([Software("tesseract", "tesseract", version)] if version else []),
        *([Software("neural", neural["name"], f"{neural['runtime']} {neural['precision']}")] if neural else []),
    ]


def document(
    root: ET.Element, parent: ET.Element, pages: Iterable[ET.Element], doctype: str = ""
) -> Iterator[bytes]:
    """UTF-8, indented: `root` with the pages in `parent`, its empty child."""
    parent.append(ET.Comment(_PAGES))
    ET.indent(root, " ")
    head, tail = ET.tostring(root, encoding="unicode").split(f"<!--{_PAGES}-->")
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n{doctype}{head}'.encode()
    for at, page in enumerate(pages):
        ET.indent(page, " ", level=2)
        yield ("\n  " * (at > 0) + ET.tostring(page, encoding="unicode")).encode()
    yield f"{tail}\n".encode()
