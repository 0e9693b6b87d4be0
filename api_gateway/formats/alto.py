"""ALTO 4.4 (https://www.loc.gov/standards/alto/), laid out as Tesseract does it.

A block is a ComposedBlock, each of its paragraphs a TextBlock. The step is described by OCRProcessing, which
ALTO 4 deprecates and still has: it is what readers of all versions know.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, pairwise
from typing import Any
from xml.etree import ElementTree as ET

from api_gateway.formats.layout import Answer, Box, Line, Word, blocks, printable
from api_gateway.formats.markup import document, not_read

_NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"
_ROOT = {
    "xmlns": _NAMESPACE,
    "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xsi:schemaLocation": f"{_NAMESPACE} http://www.loc.gov/standards/alto/v4/alto-4-4.xsd",
    "SCHEMAVERSION": "4.4",
}


def render(answer: Answer) -> bytes:
    alto = ET.Element("alto", _ROOT)
    _describe(ET.SubElement(alto, "Description"), answer)
    layout = ET.SubElement(alto, "Layout")
    for page in answer["pages"]:
        _page(layout, page)
    return document(alto)


def _describe(description: ET.Element, answer: Answer) -> None:
    ET.SubElement(description, "MeasurementUnit").text = "pixel"
    source = ET.SubElement(description, "sourceImageInformation")
    ET.SubElement(source, "fileIdentifier").text = answer["request_id"]
    if answer["model"] is None:  # nothing was recognised
        return
    processing = ET.SubElement(description, "OCRProcessing", {"ID": "OCR_1"})
    step = ET.SubElement(processing, "ocrProcessingStep")
    languages = ",".join(answer["model"]["languages"])
    ET.SubElement(step, "processingStepSettings").text = f"languages={languages}"
    software = ET.SubElement(step, "processingSoftware")
    ET.SubElement(software, "softwareName").text = "tesseract"
    ET.SubElement(software, "softwareVersion").text = answer["model"]["tesseract"]


def _page(layout: ET.Element, page: dict[str, Any]) -> None:
    number = page["page"]
    if page["status"] == "failed":
        sheet = ET.SubElement(layout, "Page", {"ID": f"page_{number}", "PHYSICAL_IMG_NR": str(number)})
        sheet.append(not_read(page))
        return
    size = {"WIDTH": str(page["width"]), "HEIGHT": str(page["height"])}
    sheet = ET.SubElement(layout, "Page", {"ID": f"page_{number}", "PHYSICAL_IMG_NR": str(number), **size})
    if page["confidence"] is not None:
        sheet.set("PC", _share(page["confidence"]))
    space = ET.SubElement(sheet, "PrintSpace", {"HPOS": "0", "VPOS": "0", **size})
    texts, lines, strings = count(1), count(1), count(1)
    for at, block in enumerate(blocks(page["words"]), 1):
        composed = ET.SubElement(space, "ComposedBlock", _placed(f"cblock_{number}_{at}", block.bbox))
        for paragraph in block.paragraphs:
            text = ET.SubElement(composed, "TextBlock", _placed(f"block_{number}_{next(texts)}", paragraph.bbox))
            for line in paragraph.lines:
                row = ET.SubElement(text, "TextLine", _placed(f"line_{number}_{next(lines)}", line.bbox))
                _fill(row, line, [f"string_{number}_{next(strings)}" for _ in line.words])


def _fill(row: ET.Element, line: Line, identities: Sequence[str]) -> None:
    spaces = [_space(left, right) for left, right in pairwise(line.words)]
    for at, (identity, word) in enumerate(zip(identities, line.words, strict=True)):
        if at:
            ET.SubElement(row, "SP", spaces[at - 1])
        string = ET.SubElement(row, "String", _placed(identity, word["bbox"]))
        string.set("WC", _share(word["confidence"]))
        string.set("CONTENT", printable(word["text"]))


def _space(word: Word, following: Word) -> dict[str, str]:
    """What is between two words, whichever way they are read; of no width where they touch."""
    (x0, y0, x1, _), (next_x0, _, next_x1, _) = word["bbox"], following["bbox"]
    left = min(x1, next_x1)
    return {"HPOS": str(left), "VPOS": str(y0), "WIDTH": str(max(0, max(x0, next_x0) - left))}


def _placed(identity: str, box: Box) -> dict[str, str]:
    x0, y0, x1, y1 = box
    return {"ID": identity, "HPOS": str(x0), "VPOS": str(y0), "WIDTH": str(x1 - x0), "HEIGHT": str(y1 - y0)}


def _share(confidence: float) -> str:
    """0 to 1, as ALTO has it."""
    return f"{confidence / 100:.4f}"
