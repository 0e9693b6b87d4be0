"""The font of the invisible text: each character has its own code, and all codes show the same glyph, a box.

Viewers take the text from the ToUnicode table. Poppler computes a word's rectangle from the widths and the ascent,
PDFium from the outlines: a word whose outlines have no height is not found where a page is rotated, and nothing is
highlighted. Text rendering mode 3 keeps the boxes invisible. The font is a TrueType file of two glyphs, made here
and embedded, so that no viewer substitutes another font.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pikepdf import Array, Dictionary, Name, Stream

from api_gateway.children.text_layer import GLYPH_WIDTH

if TYPE_CHECKING:
    from pikepdf import Object, Pdf

_UNITS = 1000  # per em
_WIDTH = int(GLYPH_WIDTH * _UNITS)
_MOST_CODES = 0xFFFF
_CORNERS = 4
_RANGES_AT_ONCE = 100  # PDF 9.10.3


class InvisibleFont:
    """The font of one document. `encode` may be called until `finish`."""

    def __init__(self, pdf: Pdf) -> None:
        self._pdf = pdf
        self._codes: dict[str, int] = {}
        self.object: Object = pdf.make_indirect(Dictionary())

    def encode(self, text: str) -> bytes:
        """Four hexadecimal digits per character."""
        return "".join(f"{self._code(letter):04X}" for letter in text).encode()

    def finish(self) -> None:
        """Fill in the font, now that its characters are known."""
        pdf = self._pdf
        descriptor = Dictionary(
            Type=Name.FontDescriptor,
            FontName=Name.InvisibleText,
            Flags=4 | 1,  # symbolic, of one width
            FontBBox=Array([0, 0, _WIDTH, _UNITS]),
            ItalicAngle=0,
            Ascent=_UNITS,
            Descent=-1,  # viewers take 0 for missing, and guess
            CapHeight=_UNITS,
            StemV=80,
            FontFile2=pdf.make_indirect(Stream(pdf, _truetype())),
        )
        count = len(self._codes) + 1
        descendant = Dictionary(
            Type=Name.Font,
            Subtype=Name.CIDFontType2,
            BaseFont=Name.InvisibleText,
            CIDSystemInfo=Dictionary(Registry=b"Adobe", Ordering=b"Identity", Supplement=0),
            FontDescriptor=pdf.make_indirect(descriptor),
            DW=_WIDTH,
            CIDToGIDMap=pdf.make_indirect(Stream(pdf, b"\0\0" + b"\0\1" * (count - 1))),
        )
        self.object.update(
            Dictionary(
                Type=Name.Font,
                Subtype=Name.Type0,
                BaseFont=Name.InvisibleText,
                Encoding=Name("/Identity-H"),
                DescendantFonts=Array([pdf.make_indirect(descendant)]),
                ToUnicode=pdf.make_indirect(Stream(pdf, self._to_unicode())),
            )
        )

    def _code(self, letter: str) -> int:
        if len(self._codes) >= _MOST_CODES:
            return self._codes.get(letter, 1)
        return self._codes.setdefault(letter, len(self._codes) + 1)

    def _to_unicode(self) -> bytes:
        lines = [
            "/CIDInit /ProcSet findresource begin",
            "12 dict begin begincmap",
            "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
            "/CMapName /Adobe-Identity-UCS def /CMapType 2 def",
            "1 begincodespacerange <0000> <FFFF> endcodespacerange",
        ]
        pairs = [
            f"<{code:04X}> <{letter.encode('utf-16-be', 'replace').hex().upper()}>"
            for letter, code in self._codes.items()
        ]
        for at in range(0, len(pairs), _RANGES_AT_ONCE):
            part = pairs[at : at + _RANGES_AT_ONCE]
            lines += [f"{len(part)} beginbfchar", *part, "endbfchar"]
        return "\n".join([*lines, "endcmap CMapName currentdict /CMap defineresource pop end end", ""]).encode()


def _truetype() -> bytes:
    """An empty glyph and a box, both `_WIDTH` wide (the tables that PDF 9.9 asks of such a font)."""
    glyphs = 2
    box = _box()
    tables = {
        b"glyf": box,
        b"head": struct.pack(
            ">IIIIHHQQhhhhHHhhh",
            *(0x10000, 0x10000, 0, 0x5F0F3CF5, 0b1011, _UNITS, 0, 0, 0, 0, _WIDTH, _UNITS, 0, 8, 2, 0, 0),
        ),
        b"hhea": struct.pack(">IhhhHhhhhhh8shH", 0x10000, _UNITS, 0, 0, _WIDTH, *(0,) * 6, b"\0" * 8, 0, glyphs),
        b"hmtx": struct.pack(">HhHh", _WIDTH, 0, _WIDTH, 0),
        b"loca": struct.pack(">HHH", 0, 0, len(box) // 2),
        b"maxp": struct.pack(">IH13H", 0x10000, glyphs, _CORNERS, 1, 0, 0, 1, *(0,) * 8),
    }
    largest = 2 ** (len(tables).bit_length() - 1)
    head = struct.pack(
        ">IHHHH", 0x10000, len(tables), 16 * largest, largest.bit_length() - 1, 16 * (len(tables) - largest)
    )
    offset = len(head) + 16 * len(tables)
    directory, body = b"", b""
    for name, data in tables.items():
        padded = data + b"\0" * (-len(data) % 4)
        directory += name + struct.pack(">III", _sum(padded), offset + len(body), len(data))
        body += padded
    whole = bytearray(head + directory + body)
    adjustment = whole.index(struct.pack(">I", 0x5F0F3CF5)) - 4
    whole[adjustment : adjustment + 4] = struct.pack(">I", (0xB1B0AFBA - _sum(bytes(whole))) % 2**32)
    return bytes(whole)


def _box() -> bytes:
    """The glyph that fills its cell: one contour, whose points lie on the curve and are given as differences."""
    bounds = struct.pack(">hhhhh", 1, 0, 0, _WIDTH, _UNITS)
    contour = struct.pack(">HH4B", _CORNERS - 1, 0, *(1,) * _CORNERS)
    across, up = (0, 0, _WIDTH, 0), (0, _UNITS, 0, -_UNITS)
    return bounds + contour + struct.pack(">4h4h", *across, *up)


def _sum(data: bytes) -> int:
    words: tuple[int, ...] = struct.unpack(f">{len(data) // 4}I", data)
    return sum(words) % 2**32
