"""Real scans with their true text, if there is a folder of them (OCR_SCANS=folder)."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import httpx
import pytest

from tests.pictures.accuracy import word_error_rate

FOLDER = Path(os.environ.get("OCR_SCANS", "/nowhere"))

# Picture, its text, page segmentation mode, languages, and the share of words that may be wrong (in columns
# with a photograph, their order counts too).
SCANS = [
    ("phototest.tif", "phototest.gold.txt", 3, "eng", 0.0),
    ("phototest-rotated-180.png", "phototest.gold.txt", 1, "eng", 0.0),
    ("phototest-rotated-L.png", "phototest.gold.txt", 1, "eng", 0.0),
    ("phototest-rotated-R.png", "phototest.gold.txt", 1, "eng", 0.0),
    ("eurotext.tif", "eurotext.txt", 3, "eng,deu", 0.15),
    ("8071_093.3B.tif", "8071_093.3B.txt", 3, "eng", 0.2),
]


@pytest.mark.skipif(not FOLDER.is_dir(), reason="OCR_SCANS names no folder of real scans")
@pytest.mark.parametrize(("picture", "text", "psm", "languages", "most"), SCANS)
def test_a_real_scan(model: httpx.Client, picture: str, text: str, psm: int, languages: str, most: float) -> None:
    image = {"b64": base64.b64encode((FOLDER / picture).read_bytes()).decode()}
    parameters = {"psm": psm, "languages": languages.split(",")}
    answer = model.post(
        "/v1/models/ocr-model:predict", json={"instances": [{"image": image, "parameters": parameters}]}
    )
    (found,) = answer.json()["predictions"]
    assert word_error_rate((FOLDER / text).read_text(), found["text"]) <= most
