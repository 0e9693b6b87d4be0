"""The process that splits one document into pages. A document may crash it, hang it or use up its memory.

{"open": path, "kind": "pdf"|"tiff"|"picture", "password": ...} -> {"page_count": n}
{"page": n, "dpi": 300, "may_lower_dpi": true, "embedded_text": true}
    -> {"width", "height", "dpi", "warnings"} and the picture in base64; or those and {"page": as by make_page};
       or those, the picture and {"words": embedded ones, each as a `reading_order.PlacedWord`}
{"page": n, "preview": width} -> {"width", "height"} and a JPEG in base64
any of them -> {"error": {"code", "text"}}
"""

from __future__ import annotations

import logging
import mmap
from pathlib import Path
from typing import TYPE_CHECKING

import pybase64

from api_gateway.children.pdf_pages import PageLimits, PdfPages
from api_gateway.children.refusal import Refused
from api_gateway.children.tiff_pages import TiffPages
from service_kit.child_main import confine, run
from service_kit.frames import Header

if TYPE_CHECKING:
    from api_gateway.children.preview import Preview


class SplitHandler:
    def __init__(self, config: Header) -> None:
        self._limits = PageLimits(config["max_points"], config["max_pixels"], config["max_image_bytes"])
        self._document: PdfPages | TiffPages | bytes | None = None  # bytes: a picture
        self.ready: Header = {}
        confine(config["max_address_space"])
        logging.disable()  # qpdf may write many messages, and little of standard error is kept

    def answer(self, header: Header, _payload: bytes) -> tuple[Header, bytes]:
        try:
            return self._open(header) if "open" in header else self._page(header)
        except Refused as refused:
            return {"error": {"code": refused.code, "text": str(refused)}}, b""
        except Exception as error:  # noqa: BLE001 - PDFium's wrapper raises undocumented exceptions on damaged files
            code = "damaged_document" if "open" in header else "damaged_page"
            return {"error": {"code": code, "text": "", "cause": repr(error)}}, b""

    def _open(self, header: Header) -> tuple[Header, bytes]:
        path = Path(header["open"])
        if header["kind"] == "pdf":
            self._document = PdfPages(path, header["password"], self._limits)
        elif header["kind"] == "tiff":
            with path.open("rb") as file:
                self._document = TiffPages(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        else:
            self._document = path.read_bytes()
            return {"page_count": 1}, b""
        return {"page_count": self._document.page_count}, b""

    def _page(self, header: Header) -> tuple[Header, bytes]:
        number = header["page"]
        if "preview" in header:
            drawn = self._preview(number, header["preview"])
            known: Header = {"width": drawn.width, "height": drawn.height}
            picture = drawn.jpeg
        elif isinstance(self._document, TiffPages):
            size, picture = self._document.cut(number, self._limits.image_bytes)
            known = size._asdict()
        elif isinstance(self._document, PdfPages):
            known, picture = self._document.page(
                number,
                header["dpi"],
                embedded_text=header["embedded_text"],
                may_lower_dpi=header["may_lower_dpi"],
            )
        else:
            raise Refused("damaged_document", "No document was opened.")
        return known, pybase64.b64encode(picture)

    def _preview(self, number: int, width: int) -> Preview:
        if isinstance(self._document, PdfPages):
            return self._document.preview(number, width)
        from api_gateway.children import preview_picture  # noqa: PLC0415 - decoders, which nothing else here needs

        if isinstance(self._document, TiffPages):
            data = self._document.cut(number, self._limits.image_bytes)[1]
        elif self._document is not None:
            data = self._document
        else:
            raise Refused("damaged_document", "No document was opened.")
        return preview_picture.drawn(data, width, self._limits.pixels)


if __name__ == "__main__":
    run(lambda config, _: SplitHandler(config))
