"""Documents of every kind, each a pure function of its arguments."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import pikepdf
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from tests.pictures.render import Picture

POINTS = 72
A4 = (595.0, 842.0)


def digital(*pages: str, size: tuple[float, float] = A4) -> bytes:
    """One page per text, with the text's lines, in Helvetica."""
    return _drawn(size, *(_writing(text, size) for text in pages))


def upright(text: str, degrees: int) -> bytes:
    """The same text, rotated on a page with a rotation, as in landscape pages."""
    across, down = A4 if degrees % 180 == 0 else A4[::-1]

    def draw(canvas: Canvas) -> None:
        canvas.translate(across / 2, down / 2)
        canvas.rotate(degrees)
        canvas.translate(-A4[0] / 2, -A4[1] / 2)
        _writing(text, A4)(canvas)

    return turned(_drawn((across, down), draw), degrees)


def scanned(*pictures: Picture, invisible: str = "") -> bytes:
    """One page per picture, at its true size; with `invisible` text in front, as OCR programs write it."""
    stream = io.BytesIO()
    canvas = Canvas(stream, invariant=1)
    for picture in pictures:
        width, height = (side * POINTS / picture.dpi for side in picture.image.size)
        canvas.setPageSize((width, height))
        canvas.drawImage(_image(picture.image), 0, 0, width, height)
        if invisible:
            text = canvas.beginText(20, height - 40)
            text.setTextRenderMode(3)
            text.textLine(invisible)
            canvas.drawText(text)
        canvas.showPage()
    canvas.save()
    return stream.getvalue()


def half_picture(text: str, picture: Picture) -> bytes:
    """Text above, a picture over the lower half of the page."""

    def draw(canvas: Canvas) -> None:
        _writing(text, A4)(canvas)
        canvas.drawImage(_image(picture.image), 0, 0, A4[0], A4[1] / 2)

    return _drawn(A4, draw)


def form(label: str, value: str) -> bytes:
    """A page with a filled-in form field."""

    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 24)
        canvas.drawString(60, 700, label)
        canvas.acroForm.textfield(value=value, x=60, y=600, width=400, height=50, fontSize=24, borderWidth=0)

    return _drawn(A4, draw)


def joined(*documents: bytes) -> bytes:
    """The pages of all documents in one."""
    whole = pikepdf.new()
    for document in documents:
        whole.add_pages_from(pikepdf.open(io.BytesIO(document)))
    return saved(whole)


def turned(document: bytes, degrees: int) -> bytes:
    """Each page with this clockwise rotation."""
    pdf = pikepdf.open(io.BytesIO(document))
    for page in pdf.pages:
        page.rotate(degrees, relative=True)
    return saved(pdf)


def encrypted(document: bytes, password: str) -> bytes:
    return saved(
        pikepdf.open(io.BytesIO(document)), encryption=pikepdf.Encryption(user=password, owner="owner", R=6)
    )


def saved(pdf: pikepdf.Pdf, **options: Any) -> bytes:
    stream = io.BytesIO()
    pdf.save(stream, deterministic_id="encryption" not in options, **options)
    return stream.getvalue()


def with_object_streams(document: bytes) -> bytes:
    return saved(
        pikepdf.open(io.BytesIO(document)),
        object_stream_mode=pikepdf.ObjectStreamMode.generate,
        compress_streams=True,
    )


# Hostile documents, written by hand.


def raw(*objects: bytes, root: int = 1) -> bytes:
    """A PDF of these objects, numbered from 1, with a valid cross-reference table."""
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<</Size %d/Root %d 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, root, table)
    return bytes(out)


def stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<</Length %d%b>>\nstream\n%b\nendstream" % (len(data), entries, data)


_CATALOGUE = b"<</Type/Catalog/Pages 2 0 R>>"
_PAGES = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"


def declared(pages: int) -> bytes:
    """One page, with a false page count."""
    return raw(
        _CATALOGUE,
        b"<</Type/Pages/Kids[3 0 R]/Count %d>>" % pages,
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]>>",
    )


def cyclic() -> bytes:
    """A page tree with a cycle."""
    return raw(
        _CATALOGUE,
        b"<</Type/Pages/Kids[3 0 R 2 0 R]/Count 4>>",
        b"<</Type/Pages/Parent 2 0 R/Kids[2 0 R 3 0 R]/Count 2>>",
    )


def sized(width: float, height: float, content: bytes = b"", entries: bytes = b"") -> bytes:
    """One page of this size in points, with more `entries` in its dictionary."""
    return raw(
        _CATALOGUE,
        _PAGES,
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %g %g]/Contents 4 0 R%b>>" % (width, height, entries),
        stream(content),
    )


def bomb(mib: int) -> bytes:
    """A content stream, deflated twice, that expands to this many MiB."""
    data = zlib.compress(zlib.compress(b"0 0 m " * (mib * (1 << 20) // 6), 9), 9)
    return raw(
        _CATALOGUE,
        _PAGES,
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 4 0 R>>",
        stream(data, b"/Filter[/FlateDecode/FlateDecode]"),
    )


def huge_image(side: int) -> bytes:
    """A page with a bilevel image of this many pixels per side."""
    data = zlib.compress(bytes((side + 7) // 8 * side), 9)
    return raw(
        _CATALOGUE,
        _PAGES,
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 4 0 R/Resources<</XObject<</I 5 0 R>>>>>>",
        stream(b"100 0 0 100 0 0 cm /I Do"),
        stream(
            data,
            b"/Type/XObject/Subtype/Image/Width %d/Height %d/BitsPerComponent 1/ColorSpace/DeviceGray"
            b"/Filter/FlateDecode" % (side, side),
        ),
    )


def form_in_itself() -> bytes:
    """A form that draws itself, twice."""
    return raw(
        _CATALOGUE,
        _PAGES,
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 4 0 R/Resources<</XObject<</F 5 0 R>>>>>>",
        stream(b"/F Do"),
        stream(b"/F Do /F Do", b"/Type/XObject/Subtype/Form/BBox[0 0 100 100]/Resources<</XObject<</F 5 0 R>>>>"),
    )


def doubling(levels: int) -> bytes:
    """A form that draws another twice, which draws another twice, and so on: 2**levels strokes in a small file."""
    first = 5
    forms = [
        stream(
            b"/F Do /F Do" if level + 1 < levels else b"0 0 m 100 100 l S",
            b"/Type/XObject/Subtype/Form/BBox[0 0 100 100]/Resources<</XObject<</F %d 0 R>>>>"
            % (first + level + 1),
        )
        for level in range(levels)
    ]
    return raw(
        _CATALOGUE,
        _PAGES,
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 4 0 R/Resources<</XObject<</F 5 0 R>>>>>>",
        stream(b"/F Do"),
        *forms,
    )


def object_stream_in_itself() -> bytes:
    """The required objects are in an object stream that contains and extends itself."""
    inner = b"1 0 2 30 <</Type/Catalog/Pages 2 0 R>> <</Type/Pages/Kids[3 0 R]/Count 1>>"
    body = stream(inner, b"/Type/ObjStm/N 2/First 9/Extends 4 0 R")
    out = bytearray(b"%PDF-1.7\n")
    at = len(out)
    out += b"4 0 obj\n" + body + b"\nendobj\n"
    table = len(out)

    def row(kind: int, first: int, second: int) -> bytes:
        return bytes([kind]) + first.to_bytes(4, "big") + second.to_bytes(2, "big")

    rows = [row(0, 0, 65535), row(2, 4, 0), row(2, 4, 1), row(2, 4, 4), row(2, 4, 0), row(1, table, 0)]
    assert at
    entries = b"/Type/XRef/Size 6/W[1 4 2]/Root 1 0 R"
    out += b"5 0 obj\n" + stream(b"".join(rows), entries) + b"\nendobj\nstartxref\n%d\n%%%%EOF\n" % table
    return bytes(out)


def _drawn(size: tuple[float, float], *pages: Callable[[Canvas], None]) -> bytes:
    stream = io.BytesIO()
    canvas = Canvas(stream, pagesize=size, invariant=1)
    for draw in pages:
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return stream.getvalue()


def _writing(text: str, size: tuple[float, float]) -> Callable[[Canvas], None]:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 16)
        for number, line in enumerate(text.split("\n")):
            canvas.drawString(50, size[1] - 60 - 22 * number, line)

    return draw


def _image(image: Image.Image) -> ImageReader:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return ImageReader(io.BytesIO(stream.getvalue()))


def tiff(pages: Sequence[Picture], **options: Any) -> bytes:
    """One page per picture; `options` are Pillow's."""
    from tests.pictures import formats  # noqa: PLC0415 - its imports take a second

    return formats.tiff_pages(pages) if not options else _tiff(pages, **options)


def _tiff(pages: Sequence[Picture], **options: Any) -> bytes:
    stream = io.BytesIO()
    first, *rest = (picture.image for picture in pages)
    first.save(stream, "TIFF", save_all=True, append_images=rest, dpi=(pages[0].dpi, pages[0].dpi), **options)
    return stream.getvalue()
