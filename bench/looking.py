"""`python -m bench.looking`: what a born-digital page costs, compared with the recognition of the same page.

The page is A4 and full of text. The times are CPU times, the shortest of several.
"""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from reportlab.pdfgen.canvas import Canvas

from api_gateway.children import pdf_text
from api_gateway.children.pdf_look import Seen
from api_gateway.children.pdf_pages import PageLimits, PdfPages
from bench import limit
from model_server.image_header import read_header
from model_server.reading import decoding
from tests.pictures.render import a4

if TYPE_CHECKING:
    from collections.abc import Callable

_DPI = 300
_SIZE = (595, 842)
_TIMES = 10
_LIMITS = PageLimits(5000, 40_000_000, 20_000_000)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.pdf"
        file.write_bytes(_document(a4(1).text))
        pages = PdfPages(file, None, _LIMITS)
        embedded = least(lambda: pages.page(1, _DPI, embedded_text=True))
        drawing = least(lambda: pages.page(1, _DPI, embedded_text=False))
        _, picture = pages.page(1, _DPI, embedded_text=False)
        with mock.patch.object(pdf_text, "look", lambda _page, _text, letters, *_: Seen(letters, more=False)):
            blind = least(lambda: pages.page(1, _DPI, embedded_text=True))
    decoding.prepare(_LIMITS.pixels)
    grey = decoding.decode(picture, read_header(picture)).image
    recognition = min(reading.cpu for reading in limit.run([grey], [0] * 3, 1).readings)
    look = embedded - blind
    print(f"embedded text: {1000 * embedded:.0f} ms, of which the look at the page {1000 * look:.0f} ms")
    print(f"recognition: {1000 * (drawing + recognition):.0f} ms")
    print(f"the look costs {look / (drawing + recognition):.1%} of recognition")


def _document(text: str) -> bytes:
    stream = io.BytesIO()
    canvas = Canvas(stream, pagesize=_SIZE)
    written = canvas.beginText(60, _SIZE[1] - 60)
    written.setFont("Times-Roman", 11)
    written.textLines(text)
    canvas.drawText(written)
    canvas.save()
    return stream.getvalue()


def least(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(_TIMES):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return min(seconds)


if __name__ == "__main__":
    main()
