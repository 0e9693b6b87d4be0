"""The process that makes a searchable PDF. It parses the upload, so it may crash or hang; the parent watches it.

{"from": path, "kind": "pdf"|"tiff"|"picture", "password": ..., "to": path, "max_bytes": n, "all": bool,
 "record": path, "pages": [[offset, size], ...], "numbers": [number, ...]}
    -> {} with the PDF in the file `to`; or {"error": {"code", "cause"}}

Each page is an `answer.AnswerPage`, one line of JSON in the record; one page at a time is in memory. Pages of a
PDF are not changed: the text is inserted before their content, where their graphics state has no effect.
"""

from __future__ import annotations

import errno
import logging
import resource
import zlib
from pathlib import Path

import orjson
from pikepdf import AccessMode, Name, ObjectStreamMode, Page, PasswordError, Pdf, Stream

from api_gateway.answer import AnswerPage
from api_gateway.children import picture_page, text_layer
from api_gateway.children.invisible_font import InvisibleFont
from service_kit.child import Header
from service_kit.child_main import confine, run

_FONT = "OcrInvisible"
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # EFBIG: our own limit


class ComposeHandler:
    def __init__(self, config: Header) -> None:
        self.ready: Header = {}
        confine(config["max_address_space"])
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
        with _open(job["from"], job["password"] or "") as pdf:
            _add_text(pdf if job["all"] else _selected(pdf, job["numbers"]), job)
        return
    pictures = Path(f"{job['to']}.pictures")
    with pictures.open("wb") as file:
        picture_page.write(file, picture_page.read(Path(job["from"]), job["numbers"]))
    _limit_files(job["max_bytes"] - pictures.stat().st_size)
    with _open(pictures) as pdf:
        pictures.unlink()
        _add_text(pdf, job)


def _selected(pdf: Pdf, numbers: list[int]) -> Pdf:
    """The requested pages, in that order. pikepdf copies them into memory."""
    selected = Pdf.new()
    for number in numbers:
        selected.pages.append(pdf.pages[number - 1])
    return selected


def _open(path: str | Path, password: str = "") -> Pdf:
    """Open it without a memory map, which would count as resident memory."""
    return Pdf.open(path, password=password, access_mode=AccessMode.stream)


def _limit_files(size: int) -> None:
    """Limit the size of files that are written; Python ignores the signal SIGXFSZ, so that the write fails."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(0, size), resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def _add_text(pdf: Pdf, job: Header) -> None:
    font = InvisibleFont(pdf)
    with Path(job["record"]).open("rb") as record:
        for page, (offset, size) in zip(pdf.pages, job["pages"], strict=True):
            record.seek(offset)
            _add_layer(pdf, page, orjson.loads(record.read(size)), font)
    font.finish()
    pdf.save(job["to"], object_stream_mode=ObjectStreamMode.preserve, encryption=False)


def _add_layer(pdf: Pdf, page: Page, read: AnswerPage, font: InvisibleFont) -> None:
    width, height = read["width"], read["height"]
    if read["source"] != "ocr" or not read["words"] or not width or not height:
        return
    name = page.add_resource(font.object, Name.Font, Name(f"/{_FONT}"))
    matrix = text_layer.to_page(width, height, _shown(page), page.rotation % 360)
    layer = text_layer.operators(read["words"], matrix, (width, height), font.encode, str(name)[1:])
    deflated = Stream(pdf, zlib.compress(layer), Filter=Name.FlateDecode)
    page.contents_add(deflated, prepend=True)


def _shown(page: Page) -> tuple[float, float, float, float]:
    """Left, bottom, right, top of the area that viewers show: the part of the crop box inside the media box."""
    boxes = [[float(value) for value in box.as_list()] for box in (page.mediabox, page.cropbox)]
    (a, b), (c, d) = ((sorted(box[at::2]) for at in (0, 1)) for box in boxes)
    left, right = max(a[0], c[0]), min(a[1], c[1])
    bottom, top = max(b[0], d[0]), min(b[1], d[1])
    if left < right and bottom < top:
        return left, bottom, right, top
    return a[0], b[0], a[1], b[1]


if __name__ == "__main__":
    run(ComposeHandler)
