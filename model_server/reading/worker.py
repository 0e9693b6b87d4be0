"""A worker process: decodes one image at a time, reads it with one initialised engine, returns plain data."""

from __future__ import annotations

import logging
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

from model_server.errors import EngineFailed
from model_server.image_header import ImageHeader
from model_server.prediction import Prediction
from model_server.reading import bands, decoding, engines, script
from model_server.reading.image import PageImage
from model_server.reading.language import Reading, read_any
from service_kit.child_main import complaints, forget_complaints, run
from service_kit.errors import ServiceError
from service_kit.frames import Header
from service_kit.page import ANY_LANGUAGE, EngineStamp, Parameters, Word, make_page

# Tesseract and Leptonica continue after a failed allocation and return less text; only stderr shows it. Other
# messages are harmless: for narrow pictures and thin lines, "Error in pixScanForForeground: invalid box".
_LOST_TEXT = re.compile(r"alloc fail|\bnot made\b|bad_alloc|out of memory", re.IGNORECASE)
_SMALLEST = 3  # pixels; Tesseract fails below this, and no letter fits


class Worker:
    def __init__(self, config: Header) -> None:
        decoding.prepare(config["max_pixels"])
        self._tessdata = Path(config["tessdata"]) if config["tessdata"] else None
        self._engine = engines.make(config["engine"], self._tessdata)
        installed = self._engine.info.languages
        self._languages = [name for name in config["languages"] or installed if name in installed]
        self._warm_up()
        self.ready = {"engine": self._engine.info.as_dict()}

    def answer(self, header: Header, payload: bytes) -> tuple[Header, bytes]:
        """`{"page": Prediction}`, or `{"error": {"code", "text"}}` if the image or the engine fails."""
        try:
            return {"page": self._read(header, payload)}, b""
        except ServiceError as error:
            return {"error": {"code": error.code, "text": str(error)}}, b""
        except RuntimeError as error:
            forget_complaints()  # they are reported; a full standard error would end this process
            return {"error": {"code": EngineFailed.code, "text": EngineFailed.text, "cause": str(error)}}, b""

    def _read(self, header: Header, payload: bytes) -> Prediction:
        started = time.perf_counter()
        parameters = Parameters(
            tuple(header["languages"]), header["psm"], header["engine"], header["orientation"]
        )
        image, page_count, warnings = decoding.decode(payload, ImageHeader(**header["image"]))
        decoded_at = time.perf_counter()
        words, languages = self._words(image, parameters)
        if found := _LOST_TEXT.search(complaints()):
            raise RuntimeError(f"the engine complained: {found[0]}")
        page = make_page(
            words,
            width=image.width,
            height=image.height,
            page_count=page_count,
            engine=self._stamp(languages),
            duration_seconds=time.perf_counter() - started,
            warnings=warnings,
        )
        return {
            **page,
            "lines": 0,
            "lines_read_again": 0,
            "format": header["image"]["format"],
            "decoding_seconds": round(decoded_at - started, 6),
        }

    def _stamp(self, languages: tuple[str, ...]) -> EngineStamp:
        info = self._engine.info
        return {
            "name": "tesseract",
            "tesseract": info.version,
            "languages": list(languages),
            "traineddata": {name: info.languages[name] for name in languages},
            "neural": None,
        }

    def _words(self, image: PageImage, parameters: Parameters) -> Reading:
        def read(languages: tuple[str, ...]) -> list[Word]:
            if min(image.width, image.height) < _SMALLEST:
                return []
            return bands.read(self._engine, image, replace(parameters, languages=languages))

        if parameters.languages != (ANY_LANGUAGE,):
            return Reading(read(parameters.languages), parameters.languages)
        return read_any(read, self._languages, lambda: script.detect(image, self._tessdata))

    def _warm_up(self) -> None:
        """Read a blank page, so that the first real page is not slower than the second."""
        first = "eng" if "eng" in self._languages else next(iter(self._languages), None)
        if first:
            blank = PageImage(b"\xff" * (64 * 64), 64, 64, 0)
            self._engine.read(blank, Parameters((first,)))


if __name__ == "__main__":
    logging.disable()
    try:
        run(Worker)
    except engines.EngineUnavailable as missing:
        sys.exit(str(missing))
