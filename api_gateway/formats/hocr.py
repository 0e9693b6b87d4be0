"""hOCR 1.2 (http://kba.github.io/hocr-spec/1.2/) as XHTML, with the elements and ids that Tesseract uses.

The property `image` is left out: only the client knows the picture's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from xml.etree import ElementTree as ET

from api_gateway.answer import Answer, AnswerPage
from api_gateway.formats.blocks import Box, Line, blocks, direction, printable
from api_gateway.formats.markup import document, engines, not_read, software

_CAPABILITIES = "ocr_page ocr_carea ocr_par ocr_line ocrx_word ocrp_wconf"


def render(answer: Answer, pages: Iterable[AnswerPage]) -> Iterator[bytes]:
    html = ET.Element("html", {"xmlns": "http://www.w3.org/1999/xhtml"})
    head = ET.SubElement(html, "head")
    ET.SubElement(head, "title").text = "Recognised text"
    ET.SubElement(head, "meta", {"charset": "utf-8"})
    systems = dict.fromkeys(
        f"{program.name} {program.version}" for model in engines(answer, pages) for program in software(model)
    )
    for name, content in {
        "ocr-system": ", ".join(systems) or "embedded text",
        "ocr-capabilities": _CAPABILITIES,
        "ocr-number-of-pages": str(answer["pages_ok"] + answer["pages_failed"]),
    }.items():
        ET.SubElement(head, "meta", {"name": name, "content": content})
    yield from document(html, ET.SubElement(html, "body"), map(_page, pages), "<!DOCTYPE html>\n")


def _page(page: AnswerPage) -> ET.Element:
    number = page["page"]
    box = _bbox((0, 0, page["width"] or 0, page["height"] or 0))
    division = ET.Element("div", _attributes("ocr_page", f"page_{number}", f"{box}; ppageno {number - 1}"))
    division.text = "\n"  # not <div/>, which browsers read as an opening tag
    if page["status"] == "failed":
        division.append(not_read(page))
    paragraphs, lines, words = count(1), count(1), count(1)
    for at, block in enumerate(blocks(page["words"]), 1):
        area = _element(division, "div", "ocr_carea", f"block_{number}_{at}", _bbox(block.bbox))
        for paragraph in block.paragraphs:
            par = _element(area, "p", "ocr_par", f"par_{number}_{next(paragraphs)}", _bbox(paragraph.bbox))
            for line in paragraph.lines:
                title = _bbox(line.bbox) + _angle(page, line)
                span = _element(par, "span", "ocr_line", f"line_{number}_{next(lines)}", title)
                for word in line.words:
                    # A whole number: fractions are allowed, but not all readers accept them.
                    title = f"{_bbox(word['bbox'])}; x_wconf {round(word['confidence'])}"
                    if "engine" in word:  # a property of our own, which begins with x_ as hOCR wants
                        title += f"; x_engine {word['engine']}"
                    leaf = _element(span, "span", "ocrx_word", f"word_{number}_{next(words)}", title)
                    leaf.text = printable(word["text"])
    return division


def _element(parent: ET.Element, tag: str, kind: str, identity: str, title: str) -> ET.Element:
    return ET.SubElement(parent, tag, _attributes(kind, identity, title))


def _attributes(kind: str, identity: str, title: str) -> dict[str, str]:
    return {"class": kind, "id": identity, "title": title}


def _angle(page: AnswerPage, line: Line) -> str:
    """In degrees counterclockwise, as hOCR counts."""
    angle = direction(page, line.words)
    return f"; textangle {angle:g}" if angle else ""


def _bbox(box: Box) -> str:
    return "bbox {} {} {} {}".format(*box)
