"""The machine's own `tesseract` program, by pytesseract: one process per page, for users with their own build."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytesseract
from PIL import Image

from model_server.reading.engines import EngineInfo, EngineUnavailable, traineddata
from model_server.reading.image import PageImage
from service_kit.page import Parameters, Word

_WORD_LEVEL = 5  # in Tesseract's TSV: 1 page, 2 block, 3 paragraph, 4 line, 5 word


class PytesseractEngine:
    def __init__(self, tessdata: Path | None) -> None:
        program = shutil.which("tesseract")
        if program is None:
            raise EngineUnavailable("The tesseract program is not on PATH (Debian: tesseract-ocr).")
        folder = tessdata or _own_tessdata(program)
        if not folder.is_dir():
            raise EngineUnavailable(f"The folder of language data is missing: {folder}.")
        self._tessdata = folder
        version = str(pytesseract.get_tesseract_version())
        self.info = EngineInfo("pytesseract", version, traineddata(folder))

    def read(self, image: PageImage, parameters: Parameters) -> list[Word]:
        # No text of a request gets into `config`, which pytesseract splits as a shell would: psm is a number.
        config = f"--tessdata-dir {shlex.quote(str(self._tessdata))} --psm {int(parameters.psm)}"
        if image.dpi:
            config += f" --dpi {image.dpi}"
        rows = pytesseract.image_to_data(
            Image.frombytes("L", (image.width, image.height), image.pixels),
            lang="+".join(parameters.languages),
            config=config,
            output_type=pytesseract.Output.DICT,
        )
        words: list[Word] = []
        for at, level in enumerate(rows["level"]):
            text = str(rows["text"][at]).strip()
            if level != _WORD_LEVEL or not text:
                continue
            left, top = rows["left"][at], rows["top"][at]
            words.append(
                {
                    "text": text,
                    "confidence": round(float(rows["conf"][at]), 2),
                    "bbox": (left, top, left + rows["width"][at], top + rows["height"][at]),
                    "block": rows["block_num"][at],
                    "paragraph": rows["par_num"][at],
                    "line": rows["line_num"][at],
                }
            )
        return words


def _own_tessdata(program: str) -> Path:
    """The program's data folder: the output of `--list-langs` begins with it, in quotes."""
    listed = subprocess.run([program, "--list-langs"], capture_output=True, text=True, check=True)  # noqa: S603
    first = (listed.stdout or listed.stderr).partition("\n")[0]
    if '"' not in first:
        raise EngineUnavailable(f"The tesseract program does not print its language folder: {first!r}.")
    return Path(first.split('"')[1])
