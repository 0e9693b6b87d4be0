"""ALTO 4.4 (https://www.loc.gov/standards/alto/), structured like Tesseract's output.

A block is a ComposedBlock, each of its paragraphs a TextBlock. OCRProcessing describes the recognition, one for
each engine: ALTO 4 deprecates it, but readers of all versions know it. On pages that two engines read, each word
refers to its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count, pairwise
from xml.etree import ElementTree as ET

from api_gateway.answer import Answer, AnswerPage, Model
from api_gateway.formats.blocks import Box, Line, blocks, direction, printable
from api_gateway.formats.markup import Software, document, engines, not_read, software
from service_kit.page import Word

_NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"
_ROOT = {
    "xmlns": _NAMESPACE,
    "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xsi:schemaLocation": f"{_NAMESPACE} http://www.loc.gov/standards/alto/v4/alto-4-4.xsd",
    "SCHEMAVERSION": "4.4",
}


def render(answer: Answer, pages: Iterable[AnswerPage]) -> Iterator[bytes]:
    alto = ET.Element("alto", _ROOT)
    description = ET.SubElement(alto, "Description")
    ET.SubElement(description, "MeasurementUnit").text = "pixel"
    source = ET.SubElement(description, "sourceImageInformation")
    ET.SubElement(source, "fileIdentifier").text = answer["request_id"]
    models = engines(answer, pages)
    for number, model in enumerate(models, 1):
        for program in software(model):
            identity = f"OCR_{number}_{program.engine}"
            _describe(ET.SubElement(description, "OCRProcessing", {"ID": identity}), model, program)
    yield from document(alto, ET.SubElement(alto, "Layout"), (_page(page, models) for page in pages))


def _describe(processing: ET.Element, model: Model, program: Software) -> None:
    step = ET.SubElement(processing, "ocrProcessingStep")
    ET.SubElement(step, "processingStepSettings").text = f"languages={','.join(model['languages'])}"
    described = ET.SubElement(step, "processingSoftware")
    ET.SubElement(described, "softwareName").text = program.name
    ET.SubElement(described, "softwareVersion").text = program.version


def _page(page: AnswerPage, models: Sequence[Model]) -> ET.Element:
    number = page["page"]
    processing = f"OCR_{models.index(page['model']) + 1}" if page["model"] else ""
    sheet = ET.Element("Page", {"ID": f"page_{number}", "PHYSICAL_IMG_NR": str(number)})
    if page["status"] == "failed":
        sheet.append(not_read(page))
        return sheet
    size = {"WIDTH": str(page["width"]), "HEIGHT": str(page["height"])}
    sheet.attrib.update(size)
    if page["confidence"] is not None:
        sheet.set("PC", _share(page["confidence"]))
    space = ET.SubElement(sheet, "PrintSpace", {"HPOS": "0", "VPOS": "0", **size})
    texts, lines, strings = count(1), count(1), count(1)
    for at, block in enumerate(blocks(page["words"]), 1):
        composed = ET.SubElement(space, "ComposedBlock", _placed(f"cblock_{number}_{at}", block.bbox))
        for paragraph in block.paragraphs:
            text = ET.SubElement(composed, "TextBlock", _placed(f"block_{number}_{next(texts)}", paragraph.bbox))
            if angle := direction(page, [word for line in paragraph.lines for word in line.words]):
                text.set("ROTATION", f"{angle:g}")  # counterclockwise, as `direction`
            for line in paragraph.lines:
                row = ET.SubElement(text, "TextLine", _placed(f"line_{number}_{next(lines)}", line.bbox))
                _fill(row, line, [f"string_{number}_{next(strings)}" for _ in line.words], processing)
    return sheet


def _fill(row: ET.Element, line: Line, identities: Sequence[str], processing: str) -> None:
    """`processing` is the beginning of the ids of the page's OCRProcessing."""
    spaces = [_space(left, right) for left, right in pairwise(line.words)]
    for at, (identity, word) in enumerate(zip(identities, line.words, strict=True)):
        if at:
            ET.SubElement(row, "SP", spaces[at - 1])
        string = ET.SubElement(row, "String", _placed(identity, word["bbox"]))
        string.set("WC", _share(word["confidence"]))
        string.set("CONTENT", printable(word["text"]))
        if "engine" in word:
            string.set("PROCESSINGREFS", f"{processing}_{word['engine']}")


def _space(word: Word, following: Word) -> dict[str, str]:
    """The space between two words, in either reading direction; of width 0 if they touch."""
    (x0, y0, x1, _), (next_x0, _, next_x1, _) = word["bbox"], following["bbox"]
    left = min(x1, next_x1)
    return {"HPOS": str(left), "VPOS": str(y0), "WIDTH": str(max(0, max(x0, next_x0) - left))}


def _placed(identity: str, box: Box) -> dict[str, str]:
    x0, y0, x1, y1 = box
    return {"ID": identity, "HPOS": str(x0), "VPOS": str(y0), "WIDTH": str(x1 - x0), "HEIGHT": str(y1 - y0)}


def _share(confidence: float) -> str:
    """ALTO's confidence, 0 to 1."""
    return f"{confidence / 100:.4f}"
