"""The process that makes a searchable PDF. It parses the upload, so it may crash or hang; the parent watches it.

{"from": path, "kind": "pdf"|"tiff"|"picture", "password": ..., "to": path, "max_bytes": n, "all": bool,
 "record": path, "pages": [[offset, size], ...], "numbers": [number, ...]}
    -> {} with the PDF in the file `to`; or {"error": {"code", "cause"}}

Each page is an `answer.AnswerPage`, one line of JSON in the record; one page at a time is in memory. The text is
inserted before a page's content, where its graphics state has no effect. Nothing else of a PDF's page is changed,
except that the invisible text of an earlier OCR is removed.
"""

from __future__ import annotations

import errno
import io
import logging
import resource
import zlib
from pathlib import Path

import orjson
from pikepdf import Name, ObjectStreamMode, Page, PasswordError, Pdf, PdfError, Stream

from api_gateway.answer import AnswerPage
from api_gateway.children import page_box, picture_page, qpdf_file, text_layer
from api_gateway.children.earlier_text import EarlierText
from api_gateway.children.invisible_font import InvisibleFont
from service_kit import slant
from service_kit.child_main import confine, run
from service_kit.frames import Header
from service_kit.page import Word

_FONT = "OcrInvisible"
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # EFBIG: our own limit


class ComposeHandler:
    def __init__(self, config: Header) -> None:
        self.ready: Header = {}
        confine(config["max_address_space"])
        picture_page.prepare()
        logging.disable()  # qpdf may write many messages, and little of standard error is kept

    def answer(self, header: Header, _payload: bytes) -> tuple[Header, bytes]:
        try:
            _compose(header)
        except PasswordError:
            return {"error": {"code": "wrong_password"}}, b""
        except Exception as error:  # noqa: BLE001 - libraries raise undocumented exceptions on damaged files
            return {"error": {"code": _code(error), "cause": repr(error)}}, b""
        return {}, b""


def _code(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None:  # Pillow sets no errno if it can't decode a file
        return "no_space" if error.errno in _NO_SPACE else "composer_failed"
    return "composer_failed" if isinstance(error, MemoryError) else "damaged_document"


def _compose(job: Header) -> None:
    _limit_files(job["max_bytes"])
    if job["kind"] == "pdf":
        with _opened(job) as pdf:
            _add_text(pdf if job["all"] else _selected(pdf, job["numbers"]), job)
        return
    pictures = Path(f"{job['to']}.pictures")
    with pictures.open("wb") as file:
        picture_page.write(file, picture_page.read(Path(job["from"]), job["numbers"]))
    _limit_files(job["max_bytes"] - pictures.stat().st_size)
    with qpdf_file.opened(pictures, None) as pdf:
        pictures.unlink()
        _add_text(pdf, job)


def _opened(job: Header) -> Pdf:
    """The file, with the pages that were read: repaired, if PDFium or qpdf does not understand it."""
    path, password = Path(job["from"]), job["password"]
    if _is_repaired(job):
        return qpdf_file.repaired(path, password)
    try:
        pdf = qpdf_file.opened(path, password)
        len(pdf.pages)  # fails if the page tree is damaged
    except PasswordError:
        raise
    except PdfError:
        return _understood(path, password)
    return pdf


def _understood(path: Path, password: str | None) -> Pdf:
    """A file that only PDFium understands: repaired by qpdf; if that fails, as PDFium writes it."""
    try:
        return qpdf_file.repaired(path, password)
    except PasswordError:
        raise
    except PdfError:
        from api_gateway.children import pdfium_file  # noqa: PLC0415 - few files need it

        return qpdf_file.opened(io.BytesIO(pdfium_file.copied(path, password)), None)


def _selected(pdf: Pdf, numbers: list[int]) -> Pdf:
    """The requested pages, in that order. pikepdf copies them into memory."""
    selected = Pdf.new()
    for number in numbers:
        selected.pages.append(pdf.pages[number - 1])
    return selected


def _is_repaired(job: Header) -> bool:
    """Whether the pages that were read come from a repaired copy of the file."""
    with Path(job["record"]).open("rb") as record:
        for offset, size in job["pages"]:
            record.seek(offset)
            line = record.read(size)
            if b'"repaired"' in line and "repaired" in orjson.loads(line)["warnings"]:
                return True
    return False


def _limit_files(size: int) -> None:
    """Limit the size of files that are written; Python ignores the signal SIGXFSZ, so that the write fails."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(0, size), resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def _add_text(pdf: Pdf, job: Header) -> None:
    font, earlier = InvisibleFont(pdf), EarlierText(pdf)
    with Path(job["record"]).open("rb") as record:
        for page, (offset, size) in zip(pdf.pages, job["pages"], strict=True):
            record.seek(offset)
            _add_layer(pdf, page, orjson.loads(record.read(size)), font, earlier)
    font.finish()
    pdf.save(job["to"], object_stream_mode=ObjectStreamMode.preserve, encryption=False)


def _add_layer(pdf: Pdf, page: Page, read: AnswerPage, font: InvisibleFont, earlier: EarlierText) -> None:
    width, height, rotation = read["width"], read["height"], read["rotation"]
    if not width or not height:
        return
    words: list[Word] = [
        {**word, "bbox": slant.upright(word["bbox"], (width, height), rotation)}
        for word in read["words"]
        if word.get("source", read["source"]) == "ocr"
    ]
    if not words:
        return
    size = (height, width) if rotation % 180 else (width, height)
    earlier.remove(page)
    page_box.make_sound(page)
    name = page.add_resource(font.object, Name.Font, Name(f"/{_FONT}"))
    matrix = text_layer.to_page(*size, page_box.shown(page), (page.rotation + rotation) % 360)
    layer = text_layer.operators(words, matrix, size, font.encode, str(name)[1:], read["skew"])
    deflated = Stream(pdf, zlib.compress(layer), Filter=Name.FlateDecode)
    page.contents_add(deflated, prepend=True)


if __name__ == "__main__":
    run(lambda config, _: ComposeHandler(config))
