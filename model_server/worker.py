"""A worker process: decodes one image at a time, reads it with one warm engine, sends plain results."""

from __future__ import annotations

import logging
import re
import sys
import time
from pathlib import Path
from typing import Any

from model_server import engines, imaging
from model_server.errors import EngineFailed
from model_server.header import ImageHeader
from model_server.page import GreyImage, Parameters, prediction
from service_kit.child_main import complaints, run
from service_kit.errors import ServiceError

# Tesseract and Leptonica go on after a failed allocation and return less text: only stderr tells. Not every
# complaint is one: of narrow pictures and thin lines they say "Error in pixScanForForeground: invalid box".
_LOST_TEXT = re.compile(r"alloc fail|\bnot made\b|bad_alloc|out of memory", re.IGNORECASE)
_SMALLEST = 3  # pixels; below, Tesseract's own steps fail, and no letter fits in

Frame = tuple[dict[str, Any], bytes]


class Worker:
    def __init__(self, config: dict[str, Any]) -> None:
        imaging.prepare(config["max_pixels"])
        tessdata = config["tessdata"]
        self._engine = engines.make(config["engine"], Path(tessdata) if tessdata else None)
        self._warm_up(tuple(config["languages"]))
        self.ready = {"engine": self._engine.info.as_dict()}

    def answer(self, header: dict[str, Any], payload: bytes) -> Frame:
        """`{"page": prediction}`, or `{"error": {"code", "text"}}` where the image or the engine is at fault."""
        try:
            return {"page": self._read(header, payload)}, b""
        except ServiceError as error:
            return {"error": {"code": error.code, "text": str(error)}}, b""
        except RuntimeError as error:
            return {"error": {"code": EngineFailed.code, "text": EngineFailed.text, "cause": str(error)}}, b""

    def _read(self, header: dict[str, Any], payload: bytes) -> dict[str, Any]:
        started = time.perf_counter()
        parameters = Parameters(tuple(header["languages"]), header["psm"])
        decoded = imaging.decode(payload, ImageHeader(**header["image"]))
        decoded_at = time.perf_counter()
        image = decoded.image
        words = self._engine.read(image, parameters) if min(image.width, image.height) >= _SMALLEST else []
        if found := _LOST_TEXT.search(complaints()):
            raise RuntimeError(f"the engine complained: {found[0]}")
        info = self._engine.info
        ended = time.perf_counter()
        return prediction(
            words,
            image,
            format=header["image"]["format"],
            page_count=decoded.page_count,
            engine={
                "name": info.name,
                "tesseract": info.version,
                "languages": list(parameters.languages),
                "traineddata": {name: info.languages[name] for name in parameters.languages},
            },
            decoding_seconds=round(decoded_at - started, 6),
            duration_seconds=round(ended - started, 6),
        )

    def _warm_up(self, languages: tuple[str, ...]) -> None:
        """Load the data and touch the code paths, so that the first page is not slower than the second."""
        installed = [name for name in languages or ("eng",) if name in self._engine.info.languages]
        first = installed[:1] or list(self._engine.info.languages)[:1]
        if first:
            blank = GreyImage(b"\xff" * (64 * 64), 64, 64, 0)
            self._engine.read(blank, Parameters(tuple(first)))


if __name__ == "__main__":
    logging.disable()
    try:
        run(Worker)
    except engines.EngineUnavailable as missing:
        sys.exit(str(missing))
