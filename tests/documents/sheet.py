"""A PDF page that is put together by hand: content stream, resources, annotations, layers."""

from __future__ import annotations

import io
import zlib
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name
from PIL import Image, ImageDraw

from tests.pictures import layout
from tests.pictures.layout import Line

A4 = (595, 842)


def lines(*rows: str, size: float = 40, face: str = layout.SANS) -> Image.Image:
    """A picture of these lines, just around them."""
    width = max(len(row) for row in rows) * size * 0.62 + size
    return layout.draw(
        [Line(row, size / 2, size * (0.5 + 1.4 * at), face, size) for at, row in enumerate(rows)],
        (round(width), round(size * (1.4 * len(rows) + 0.8))),
    )


class Sheet:
    """A page with its origin at the bottom left; methods add to its content in order."""

    def __init__(self, size: tuple[float, float] = A4) -> None:
        self.pdf = pikepdf.new()
        self.page = self.pdf.add_blank_page(page_size=size)
        font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica)
        self.font = self.pdf.make_indirect(font)
        self.resources = Dictionary(Font=Dictionary(F=self.font))
        self.matrix = pikepdf.Matrix()
        self._content = b""
        self._names = 0

    def add(self, content: str | bytes) -> Sheet:
        self._content += (content.encode("latin-1") if isinstance(content, str) else content) + b"\n"
        return self

    def place(self, matrix: pikepdf.Matrix) -> Sheet:
        """All that follows is drawn with this matrix; patterns have to apply it themselves."""
        self.matrix = matrix
        return self.add(f"{' '.join(f'{number:g}' for number in matrix.shorthand)} cm")

    def text(self, words: str, x: float = 60, y: float = 700, size: float = 14, before: str = "") -> Sheet:
        """Text in Helvetica, after the operators `before`."""
        return self.add(f"q {before} BT /F {size} Tf {x} {y} Td ({words}) Tj ET Q")

    def resource(self, kind: str, value: Any) -> str:
        """Its name in the page's resources."""
        self._names += 1
        name = f"/N{self._names}"
        if f"/{kind}" not in self.resources:
            self.resources[f"/{kind}"] = Dictionary()
        self.resources[f"/{kind}"][name] = value
        return name

    def stream(self, content: bytes | str, **entries: Any) -> pikepdf.Stream:
        data = content.encode("latin-1") if isinstance(content, str) else content
        return pikepdf.Stream(self.pdf, data, **entries)

    def image(self, picture: Image.Image) -> pikepdf.Stream:
        grey = picture.convert("L")
        return pikepdf.Stream(
            self.pdf,
            zlib.compress(grey.tobytes()),
            Type=Name.XObject,
            Subtype=Name.Image,
            Width=grey.width,
            Height=grey.height,
            BitsPerComponent=8,
            ColorSpace=Name.DeviceGray,
            Filter=Name.FlateDecode,
        )

    def form(self, content: bytes | str, **resources: Any) -> pikepdf.Stream:
        """A form XObject as large as any page."""
        return self.stream(
            content,
            Type=Name.XObject,
            Subtype=Name.Form,
            BBox=Array([-2000, -2000, 4000, 4000]),
            Resources=Dictionary(Font=Dictionary(F=self.font), **resources),
        )

    def draw(self, thing: Any, *matrix: float) -> Sheet:
        """An image or form; the matrix has six numbers."""
        name = self.resource("XObject", thing)
        placed = f"{' '.join(f'{number:g}' for number in matrix)} cm " if matrix else ""
        return self.add(f"q {placed}{name} Do Q")

    def picture(self, picture: Image.Image, x: float, y: float, width: float) -> Sheet:
        return self.draw(self.image(picture), width, 0, 0, width * picture.height / picture.width, x, y)

    def annotation(
        self, subtype: str, rect: tuple[float, ...], appearance: Any = None, **entries: Any
    ) -> Dictionary:
        made = Dictionary(
            Type=Name.Annot, Subtype=Name(f"/{subtype}"), Rect=Array([*rect]), P=self.page.obj, **entries
        )
        if appearance is not None:
            made.AP = Dictionary(N=appearance)
        if "/Annots" not in self.page:
            self.page.Annots = Array([])
        made = self.pdf.make_indirect(made)
        self.page.Annots.append(made)
        return made

    def appearance(self, content: str, width: float, height: float) -> pikepdf.Stream:
        made = self.form(content)
        made.BBox = Array([0, 0, width, height])
        return made

    def field(self, kind: str, rect: tuple[float, ...], appearance: Any = None, **entries: Any) -> Dictionary:
        """A field of the document's form with its widget."""
        made = self.annotation("Widget", rect, appearance, FT=Name(f"/{kind}"), **entries)
        if "/AcroForm" not in self.pdf.Root:
            self.pdf.Root.AcroForm = Dictionary(
                Fields=Array([]), DR=Dictionary(Font=Dictionary(F=self.font)), DA=b"/F 12 Tf 0 g"
            )
        self.pdf.Root.AcroForm.Fields.append(made)
        return made

    def layers(self, **shown: bool) -> Sheet:
        """Optional-content groups for `/OC /name BDC ... EMC`."""
        groups = {name: self.pdf.make_indirect(Dictionary(Type=Name.OCG, Name=name.encode())) for name in shown}
        off = Array([groups[name] for name in shown if not shown[name]])
        every = Array([*groups.values()])
        self.pdf.Root.OCProperties = Dictionary(OCGs=every, D=Dictionary(OFF=off, Order=every))
        self.resources.Properties = Dictionary({f"/{name}": group for name, group in groups.items()})
        return self

    def saved(self) -> bytes:
        self.page.Resources = self.resources
        self.page.Contents = self.stream(self._content)
        file = io.BytesIO()
        self.pdf.save(file)
        return file.getvalue()


def outlines(words: str, x: float, y: float, height: float) -> str:
    """Operators that fill the shapes of these words' letters with rectangles; `height` is in points."""
    font = layout.font(layout.SANS, 40)
    box = font.getbbox(words)
    picture = Image.new("1", (int(box[2]) + 2, int(box[3]) + 2))
    ImageDraw.Draw(picture).text((0, 0), words, 1, font)
    scale = height / picture.height
    found = [f"q {scale:g} 0 0 {scale:g} {x} {y} cm"]
    rows = picture.convert("L").tobytes()
    for row in range(picture.height):
        run = rows[row * picture.width : (row + 1) * picture.width]
        start = run.find(b"\xff")
        while start >= 0:
            end = (run.find(b"\x00", start) + 1 or len(run) + 1) - 1
            found.append(f"{start} {picture.height - row - 1} {end - start} 1.02 re")
            start = run.find(b"\xff", end)
    return "\n".join([*found, "f Q"])
