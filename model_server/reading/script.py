"""Tesseract's detection of a page's script, which takes about as long as reading half a page."""

from __future__ import annotations

from pathlib import Path

import tesserocr

from model_server.reading.image import PageImage


def detect(image: PageImage, tessdata: Path | None) -> str | None:
    """The script's name, such as `Latin` or `Han`; None: too little text, or no `osd.traineddata`."""
    if tessdata is None or not (tessdata / "osd.traineddata").is_file():
        return None
    # Not kept: its 10 MB of data are seldom needed.
    with tesserocr.PyTessBaseAPI(path=str(tessdata), lang="osd", psm=tesserocr.PSM.OSD_ONLY) as api:
        api.SetImageBytes(image.pixels, image.width, image.height, 1, image.width)
        found = api.DetectOrientationScript()
        return str(found["script_name"]) if found else None
