"""Tesseract as a library, by tesserocr: initialised once, then given raw pixels."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import tesserocr

from model_server.reading.engines import EngineInfo, EngineUnavailable, traineddata
from model_server.reading.image import PageImage
from service_kit.page import Parameters, Word

if TYPE_CHECKING:
    from pathlib import Path

_KEPT = 3  # language combinations kept initialised; each costs its data's size and about 20 MB


class TesserocrEngine:
    def __init__(self, tessdata: Path | None) -> None:
        if tessdata is None or not tessdata.is_dir():
            raise EngineUnavailable(f"The folder of language data is missing: {tessdata}.")
        self._tessdata = tessdata
        self._apis: OrderedDict[tuple[str, ...], tesserocr.PyTessBaseAPI] = OrderedDict()
        version = tesserocr.tesseract_version().split()[1]
        self.info = EngineInfo("tesserocr", version, traineddata(tessdata))

    def read(self, image: PageImage, parameters: Parameters) -> list[Word]:
        api = self._api(parameters.languages)
        api.SetPageSegMode(parameters.psm)
        api.SetImageBytes(image.pixels, image.width, image.height, 1, image.width)
        try:
            if image.dpi:
                api.SetSourceResolution(image.dpi)
            if not api.Recognize():
                raise RuntimeError("Tesseract could not recognise the page")
            return _words(api)
        finally:
            api.Clear()
            api.ClearAdaptiveClassifier()  # a page's text must depend on that page alone

    def _api(self, languages: tuple[str, ...]) -> tesserocr.PyTessBaseAPI:
        if languages in self._apis:
            self._apis.move_to_end(languages)
        else:
            while len(self._apis) >= _KEPT:
                self._apis.popitem(last=False)[1].End()
            self._apis[languages] = tesserocr.PyTessBaseAPI(
                path=str(self._tessdata), lang="+".join(languages), oem=tesserocr.OEM.DEFAULT
            )
        return self._apis[languages]


def _words(api: tesserocr.PyTessBaseAPI) -> list[Word]:
    level = tesserocr.RIL
    words: list[Word] = []
    block = paragraph = line = 0
    iterator = api.GetIterator()
    if iterator is None:
        return words
    for at in tesserocr.iterate_level(iterator, level.WORD):
        if at.Empty(level.WORD):
            continue
        if at.IsAtBeginningOf(level.BLOCK):
            block, paragraph, line = block + 1, 0, 0
        if at.IsAtBeginningOf(level.PARA):
            paragraph, line = paragraph + 1, 0
        if at.IsAtBeginningOf(level.TEXTLINE):
            line += 1
        text = at.GetUTF8Text(level.WORD).strip()
        if text:
            words.append(
                {
                    "text": text,
                    "confidence": round(at.Confidence(level.WORD), 2),
                    "bbox": at.BoundingBox(level.WORD),
                    "block": block,
                    "paragraph": paragraph,
                    "line": line,
                }
            )
    return words
