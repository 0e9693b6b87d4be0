"""The process that takes one document apart. What it meets may crash it, hang it or fill it: the parent watches.

{"open": path, "kind": "pdf"|"tiff", "password": ...} -> {"page_count": n}
{"page": n, "dpi": 300, "embedded_text": true, "around": [a, b]}
    -> {"page": {...}} and the picture in base64 between a and b, or nothing where the text is embedded
either -> {"error": {"code", "text"}}
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import pybase64

from api_gateway.documents.pdf import Limits, Pdf
from api_gateway.documents.refusal import Refused
from api_gateway.documents.tiff import Tiff
from service_kit.child_main import confine, run

Frame = tuple[dict[str, Any], bytes]


class Splitter:
    def __init__(self, config: dict[str, Any]) -> None:
        self._limits = Limits(config["max_points"], config["max_pixels"], config["max_image_bytes"])
        self._document: Pdf | Tiff | None = None
        self.ready: dict[str, Any] = {}
        confine(config["max_address_space"])

    def answer(self, header: dict[str, Any], _payload: bytes) -> Frame:
        try:
            return self._open(header) if "open" in header else self._page(header)
        except Refused as refused:
            return {"error": {"code": refused.code, "text": str(refused)}}, b""
        except Exception as error:  # noqa: BLE001 - what PDFium's wrapper raises on damaged files is not written down
            code = "damaged_document" if "open" in header else "damaged_page"
            return {"error": {"code": code, "text": "", "cause": repr(error)}}, b""

    def _open(self, header: dict[str, Any]) -> Frame:
        path = Path(header["open"])
        if header["kind"] == "pdf":
            self._document = Pdf(path, header["password"], self._limits)
        else:
            with path.open("rb") as file:
                self._document = Tiff(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return {"page_count": self._document.page_count}, b""

    def _page(self, header: dict[str, Any]) -> Frame:
        number = header["page"]
        if isinstance(self._document, Tiff):
            size, picture = self._document.cut(number, self._limits.image_bytes)
            page = {"width": size.width, "height": size.height, "dpi": size.dpi, "source": "ocr"}
        elif self._document is not None:
            page, picture = self._document.page(number, header["dpi"], embedded_text=header["embedded_text"])
        else:
            raise Refused("damaged_document", "No document was opened.")
        if page["source"] == "embedded":
            return {"page": page}, b""
        before, after = header["around"]  # put together here, the parent has no copy to make
        return {"page": page}, b"".join([before.encode(), pybase64.b64encode(picture), after.encode()])


if __name__ == "__main__":
    run(Splitter)
