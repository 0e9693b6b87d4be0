"""A tree of elements as an XML document."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET


def not_read(page: dict[str, Any]) -> ET.Element[Any]:
    """A comment in place of the text of a page that failed; nothing in a code of ours ends a comment."""
    comment: ET.Element[Any] = ET.Comment(f" page {page['page']} could not be read: {page['code']} ")
    return comment


def document(root: ET.Element, doctype: str = "") -> bytes:
    """In UTF-8, indented; the tree gains the white space for that. What XML would misread is escaped."""
    ET.indent(root, " ")
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{doctype}{text}\n'.encode()
