"""A splitter whose parent dies (SIGKILL) when a page of a certain width is taken out, or its document opened.

For `API_GATEWAY_ENVIRONMENT=test` and `API_GATEWAY_TEST_SPLITTER=tests.faults.murderous` only.
"""

from __future__ import annotations

import os
import signal

from api_gateway.children.pdf_pages import PdfPages
from api_gateway.children.split_main import SplitHandler
from service_kit.child_main import run
from service_kit.frames import Header

PAGE, DOCUMENT = 301, 302  # widths in points


class Murderous(SplitHandler):
    def _open(self, header: Header) -> tuple[Header, bytes]:
        found = super()._open(header)
        if self._width(1) == DOCUMENT:
            os.kill(os.getppid(), signal.SIGKILL)
        return found

    def _page(self, header: Header) -> tuple[Header, bytes]:
        if self._width(header["page"]) == PAGE:
            os.kill(os.getppid(), signal.SIGKILL)
        return super()._page(header)

    def _width(self, page: int) -> int:
        if not isinstance(self._document, PdfPages):
            return 0
        return int(self._document._file._document.get_page_size(page - 1)[0])


if __name__ == "__main__":
    run(lambda config, _: Murderous(config))
