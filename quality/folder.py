"""A folder of pictures with their texts, as more sets: one for each folder in it that has pages.

- `x.png` beside `x.gold.txt` or `x.txt`, as in tesseract-ocr/test; any format of picture;
- PAGE XML that names its picture, as in OCR-D/assets: the lines of the file in its order.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from quality.page import Page

_PICTURES = frozenset(
    [".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".pbm", ".pgm", ".ppm", ".heic", ".avif"]
)
_TEXTS = (".gold.txt", ".txt")


@dataclass(frozen=True)
class Sample:
    """A picture and the file with its text."""

    picture: Path
    truth: Path

    def page(self, language: str) -> Page:
        if self.truth.suffix == ".xml":
            text = _page_xml_text(ET.parse(self.truth).getroot())
        else:
            text = self.truth.read_text(encoding="utf-8-sig")
        return Page(self.picture.read_bytes(), text, language)


def samples(folder: Path) -> dict[str, list[Sample]]:
    """By the name of the folder, in the order of the names.

    Raises:
        FileNotFoundError: there is no picture with a text.
    """
    found: dict[str, list[Sample]] = {}
    for file in sorted(folder.rglob("*")):
        sample = _beside(file) if file.suffix.lower() in _PICTURES else _page_xml(file, folder)
        if sample:
            found.setdefault(_name(file.parent, folder), []).append(sample)
    if not found:
        raise FileNotFoundError(f"No picture in {folder} has a text beside it (x.png and x.txt).")
    return found


def _name(of: Path, folder: Path) -> str:
    return folder.resolve().name if of == folder else str(of.relative_to(folder))


def _beside(picture: Path) -> Sample | None:
    for ending in _TEXTS:
        truth = picture.with_name(picture.stem + ending)
        if truth.is_file():
            return Sample(picture, truth)
    return None


def _page_xml(file: Path, folder: Path) -> Sample | None:
    """None if the file is no PAGE XML, its picture is not there, or it has no text."""
    if file.suffix.lower() != ".xml":
        return None
    try:
        root = ET.parse(file).getroot()
    except ET.ParseError:
        return None
    page = root.find("{*}Page")
    name = page.get("imageFilename", "") if page is not None else ""
    if not name or not _page_xml_text(root).strip():
        return None
    for parent in (file.parent, *file.parent.parents):
        if (picture := parent / name).is_file():
            return Sample(picture, file)
        if parent == folder:
            break
    return None


def _page_xml_text(root: ET.Element) -> str:
    """The lines' own texts; where a line has none, its words'."""
    rows = []
    for line in root.iter():
        if line.tag.endswith("}TextLine"):
            own = line.findtext("{*}TextEquiv/{*}Unicode")
            words = (word.findtext("{*}TextEquiv/{*}Unicode") or "" for word in line.iterfind("{*}Word"))
            rows.append(own or " ".join(words))
    return "\n".join(rows)
