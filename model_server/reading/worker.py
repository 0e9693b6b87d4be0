"""A worker process: decodes one image at a time, reads it with one initialised engine, returns plain data."""

from __future__ import annotations

import logging
import re
import sys
import time
from pathlib import Path

from model_server.errors import EngineFailed
from model_server.image_header import ImageHeader
from model_server.prediction import Prediction
from model_server.reading import decoding, engines
from model_server.reading.helpers import Helpers
from model_server.reading.image import PageImage
from model_server.reading.reader import Reader, neural_engine, orientation_model
from service_kit.child_main import Parent, complaints, forget_complaints, run
from service_kit.errors import ServiceError
from service_kit.frames import Header
from service_kit.memory import give_large_blocks_back, reuse_large_blocks
from service_kit.page import Parameters, make_page

# Tesseract and Leptonica continue after a failed allocation and return less text; only stderr shows it. Other
# messages are harmless: for narrow pictures and thin lines, "Error in pixScanForForeground: invalid box".
_LOST_TEXT = re.compile(r"alloc fail|\bnot made\b|bad_alloc|out of memory", re.IGNORECASE)


class Worker:
    def __init__(self, config: Header, parent: Parent | None = None) -> None:
        self._parent = parent
        decoding.prepare(config["max_pixels"])
        tessdata = Path(config["tessdata"]) if config["tessdata"] else None
        tesseract = engines.make(config["tesseract"], tessdata)
        neural, notes = neural_engine(config["neural"], needed=config["engine"] == "neural")
        orientation, more_notes = orientation_model() if neural else (None, ())
        self._reader = Reader(
            tesseract,
            neural,
            orientation,
            config["engine"],
            config["languages"],
            tessdata,
            [*notes, *more_notes],
        )
        reuse_large_blocks()
        self._warm_up(tuple(config["languages"]))
        self.ready = {"engine": self._reader.info}

    def answer(self, header: Header, payload: bytes) -> tuple[Header, bytes]:
        """`{"page": Prediction}`, or `{"error": {"code", "text"}}` if the image or the engine fails.

        `steps` are those of the reading, as in `Step`.

        For a part of another worker's page, the reply to that worker takes the place of the prediction.
        """
        self._reader.steps.take()
        try:
            read = self._read_part if "part" in header else self._read
            return {"page": read(header, payload), "steps": self._reader.steps.take()}, b""
        except ServiceError as error:
            return {"error": {"code": error.code, "text": str(error)}}, b""
        except RuntimeError as error:
            forget_complaints()  # they are reported; a full standard error would end this process
            return {"error": {"code": EngineFailed.code, "text": EngineFailed.text, "cause": str(error)}}, b""

    def _read(self, header: Header, payload: bytes) -> Prediction:
        started = time.perf_counter()
        parameters = Parameters(tuple(header["languages"]), header["psm"], header["engine"], header["orientation"])
        with self._reader.steps.step("decode"):
            image, page_count, warnings = decoding.decode(payload, ImageHeader(**header["image"]))
        decoded_at = time.perf_counter()
        reading, stamp = self._reader.read(image, parameters, Helpers(self._parent, header["helpers"]))
        _check_complaints()
        page = make_page(
            reading.words,
            width=image.width,
            height=image.height,
            page_count=page_count,
            engine=stamp,
            duration_seconds=time.perf_counter() - started,
            rotation=reading.turn.rotation,
            skew=reading.turn.skew,
            warnings=warnings,
        )
        return {
            **page,
            "lines": reading.lines,
            "lines_read_again": reading.read_again,
            "format": header["image"]["format"],
            "decoding_seconds": round(decoded_at - started, 6),
        }

    def _read_part(self, header: Header, payload: bytes) -> Header:
        reply = self._reader.answer(header, payload)
        _check_complaints()
        return reply

    def _warm_up(self, languages: tuple[str, ...]) -> None:
        """Read a blank page, so that the first real page is not slower than the second."""
        installed = self._reader.info["languages"]
        first = [name for name in languages or ("eng",) if name in installed] or list(installed)
        blank = PageImage(b"\xff" * (64 * 64), 64, 64, 0)
        self._reader.read(blank, Parameters(tuple(first[:1])))


def _check_complaints() -> None:
    if found := _LOST_TEXT.search(complaints()):
        raise RuntimeError(f"the engine complained: {found[0]}")


if __name__ == "__main__":
    logging.disable()
    give_large_blocks_back()
    try:
        run(Worker)
    except engines.EngineUnavailable as missing:
        sys.exit(str(missing))
