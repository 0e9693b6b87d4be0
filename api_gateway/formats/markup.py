"""A tree of elements as an XML document."""

from __future__ import annotations

from xml.etree import ElementTree as ET


def document(root: ET.Element, doctype: str = "") -> bytes:
    """In UTF-8, indented; the tree gains the white space for that. What XML would misread is escaped."""
    ET.indent(root, " ")
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{doctype}{text}\n'.encode()
