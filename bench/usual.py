"""The usual design of tutorials: the handler calls pytesseract, which starts the program for each page.

`python -m bench.usual PORT`; TESSDATA_PREFIX is the folder of the language data.
"""

from __future__ import annotations

import sys

import pytesseract
import uvicorn
from fastapi import FastAPI, UploadFile
from PIL import Image

app = FastAPI()


@app.post("/ocr")
def ocr(image_file: UploadFile) -> dict[str, str]:
    return {"text": pytesseract.image_to_string(Image.open(image_file.file))}


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
