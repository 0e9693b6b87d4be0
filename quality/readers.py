"""What reads the pages. A reader lives in a process of its own and reads one page after the other."""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PIL import Image

from service_kit.page import Word

TESSDATA = Path(sys.prefix) / "share" / "tessdata"
RAPIDOCR = Path(__file__).resolve().parents[1] / ".tools" / "quality"  # `make quality` installs it
_MAX_PIXELS = 100_000_000


@dataclass(frozen=True)
class Reading:
    """What was read, and the CPU seconds of it in all threads of the process, decoding included.

    `rotation` is the number of degrees (0, 90, 180, 270) by which the page was turned clockwise before it was
    read, `skew` the angle that was corrected. `lines_read_again_share` is None where no line can be read again.
    """

    text: str
    words: list[Word]
    cpu_seconds: float
    rotation: int = 0
    skew: float = 0.0
    lines_read_again_share: float | None = None


class ReadFailed(Exception):
    """The page was not read; the text gives the code and the cause."""


class Reader(Protocol):
    def read(self, image_bytes: bytes, *, engine: str, languages: tuple[str, ...], psm: int) -> Reading:
        """Read an image file.

        Raises:
            ReadFailed: the subject reports an error.
        """
        ...


class ServiceReader:
    """The worker of the model server, as the model server itself calls it."""

    def __init__(self) -> None:
        from model_server.image_header import read_header  # noqa: PLC0415 - the other readers do without it
        from model_server.reading.worker import Worker  # noqa: PLC0415

        config = {
            "engine": "auto",
            "tesseract": "tesserocr",
            "neural": "neural",
            "tessdata": str(TESSDATA),
            "languages": [],
            "max_pixels": _MAX_PIXELS,
        }
        self._worker = Worker(config)
        self._read_header = read_header
        _stderr_to_file()

    def read(self, image_bytes: bytes, *, engine: str, languages: tuple[str, ...], psm: int) -> Reading:
        from service_kit.child_main import forget_complaints  # noqa: PLC0415

        image = self._read_header(image_bytes)
        header = {
            "image": {"format": image.format, "width": image.width, "height": image.height},
            "languages": list(languages),
            "psm": psm,
            "engine": engine,
            "orientation": "auto",
            "helpers": 0,
        }
        forget_complaints()
        began = time.process_time()
        answer, _ = self._worker.answer(header, image_bytes)
        used = time.process_time() - began
        if error := answer.get("error"):
            raise ReadFailed(f"{error['code']}: {error.get('cause') or error['text']}")
        page = answer["page"]
        share = page["lines_read_again"] / page["lines"] if page["lines"] else 0.0
        return Reading(page["text"], page["words"], used, page["rotation"], page["skew"], share)


class BareTesseract:
    """The library without anything around it: the page as it is, no orientation, no correction."""

    def __init__(self) -> None:
        self._apis: dict[tuple[str, ...], object] = {}

    def read(self, image_bytes: bytes, *, engine: str, languages: tuple[str, ...], psm: int) -> Reading:  # noqa: ARG002
        import tesserocr  # noqa: PLC0415

        if languages not in self._apis:
            self._apis[languages] = tesserocr.PyTessBaseAPI(path=str(TESSDATA), lang="+".join(languages))
        api: tesserocr.PyTessBaseAPI = self._apis[languages]
        began = time.process_time()
        with Image.open(io.BytesIO(image_bytes)) as opened:
            dpi = round(float(opened.info.get("dpi", (0, 0))[0]))
            image = opened.convert("L")
        api.SetPageSegMode(psm)
        api.SetImageBytes(image.tobytes(), image.width, image.height, 1, image.width)
        if dpi:
            api.SetSourceResolution(dpi)
        text = api.GetUTF8Text()
        api.Clear()
        api.ClearAdaptiveClassifier()
        return Reading(text, [], time.process_time() - began)


class BareNeural:
    """The library rapidocr as it comes, with PP-OCRv6 small, OpenVINO and one thread.

    It knows no languages. Its lines, from top to bottom, are the lines of the text.
    """

    def __init__(self) -> None:
        sys.path.append(str(RAPIDOCR))  # the last: packages of .venv come first
        import cv2  # noqa: PLC0415
        from rapidocr import EngineType, RapidOCR  # noqa: PLC0415

        cv2.setNumThreads(1)
        engines = {f"{part}.engine_type": EngineType.OPENVINO for part in ("Det", "Cls", "Rec")}
        one_thread = {"EngineConfig.openvino.inference_num_threads": 1}
        self._read = RapidOCR(params={**engines, **one_thread, "Global.log_level": "error"})

    def read(self, image_bytes: bytes, *, engine: str, languages: tuple[str, ...], psm: int) -> Reading:  # noqa: ARG002
        began = time.process_time()
        lines = self._read(image_bytes).txts or ()
        return Reading("\n".join(lines), [], time.process_time() - began)


def _stderr_to_file() -> None:
    """The worker looks into its standard error for complaints of the engine, and must find a file there."""
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
