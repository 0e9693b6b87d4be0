"""The process that makes a searchable PDF: it parses the upload again, and may crash or hang: the parent watches.

{"from": path, "kind": "pdf"|"tiff"|"picture", "password": ..., "to": path, "all": bool, "pages": [page, ...]}
    -> {} with the PDF in the file `to`; or {"error": {"code", "text", "cause"}}

A page is one of `schemas.OcrAnswer`. Pages of a PDF stay as they are: the text goes in front of their content,
where no graphics state of theirs is in force.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pikepdf import Name, ObjectStreamMode, Page, PasswordError, Pdf, PdfError

from api_gateway.documents import picture_page, text_layer
from api_gateway.documents.invisible_font import InvisibleFont
from service_kit.child_main import confine, run

Frame = tuple[dict[str, Any], bytes]

_FONT = "OcrInvisible"


class Composer:
    def __init__(self, config: dict[str, Any]) -> None:
        self.ready: dict[str, Any] = {}
        confine(config["max_address_space"])

    def answer(self, header: dict[str, Any], _payload: bytes) -> Frame:
        try:
            _compose(header)
        except PasswordError:
            return {"error": {"code": "wrong_password", "text": ""}}, b""
        except (PdfError, OSError, ValueError, RuntimeError, MemoryError, TypeError, KeyError) as error:
            return {"error": {"code": "damaged_document", "text": "", "cause": repr(error)}}, b""
        return {}, b""


def _compose(job: dict[str, Any]) -> None:
    source = Path(job["from"])
    if job["kind"] == "pdf":
        with Pdf.open(source, password=job["password"] or "") as pdf:
            _save(_selected(pdf, job), job)
    else:
        with Pdf.new() as pdf:
            picture_page.add(pdf, source, [page["page"] for page in job["pages"]])
            _save(pdf, job)


def _selected(pdf: Pdf, job: dict[str, Any]) -> Pdf:
    """The document itself, or the pages that were asked for, in that order."""
    if job["all"]:
        return pdf
    part = Pdf.new()
    for page in job["pages"]:
        part.pages.append(pdf.pages[page["page"] - 1])
    return part


def _save(pdf: Pdf, job: dict[str, Any]) -> None:
    font = InvisibleFont(pdf)
    for page, read in zip(pdf.pages, job["pages"], strict=True):
        if read["source"] == "ocr" and read["words"]:
            _add_layer(pdf, page, read, font)
    font.finish()
    pdf.save(job["to"], object_stream_mode=ObjectStreamMode.preserve, encryption=False)


def _add_layer(pdf: Pdf, page: Page, read: dict[str, Any], font: InvisibleFont) -> None:
    name = page.add_resource(font.object, Name.Font, Name(f"/{_FONT}"))
    matrix = text_layer.to_page(read["width"], read["height"], _shown(page), page.rotation % 360)
    layer = text_layer.operators(read["words"], matrix, read["height"], font.encode, str(name)[1:])
    page.contents_add(pdf.make_stream(layer), prepend=True)


def _shown(page: Page) -> tuple[float, float, float, float]:
    """Left, bottom, right, top of what a viewer shows: the crop box, as far as it lies in the media box."""
    boxes = [[float(value) for value in box.as_list()] for box in (page.mediabox, page.cropbox)]
    (a, b), (c, d) = ((sorted(box[at::2]) for at in (0, 1)) for box in boxes)
    left, right = max(a[0], c[0]), min(a[1], c[1])
    bottom, top = max(b[0], d[0]), min(b[1], d[1])
    if left < right and bottom < top:
        return left, bottom, right, top
    return a[0], b[0], a[1], b[1]


if __name__ == "__main__":
    run(Composer)
