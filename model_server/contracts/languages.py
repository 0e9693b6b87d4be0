"""Names that docling's users give to languages, which docling sends untouched, and Tesseract's names for them.

PaddleOCR's names of scripts are among them: the model behind docling is often PaddleOCR.
"""

from __future__ import annotations

from service_kit.locales import known
from service_kit.page import ANY_LANGUAGE

# English names, and PaddleOCR's.
_NAMES = {
    "eng": "english",
    "deu": "german",
    "fra": "french",
    "spa": "spanish",
    "ita": "italian",
    "por": "portuguese",
    "nld": "dutch",
    "pol": "polish",
    "ces": "czech",
    "swe": "swedish",
    "dan": "danish",
    "nor": "norwegian",
    "fin": "finnish",
    "hun": "hungarian",
    "ron": "romanian",
    "tur": "turkish",
    "vie": "vietnamese",
    "rus": "russian cyrillic",
    "ukr": "ukrainian eslav",
    "ara": "arabic",
    "fas": "persian",
    "hin": "hindi devanagari",
    "ell": "greek",
    "heb": "hebrew",
    "tha": "thai",
    "tam": "tamil",
    "tel": "telugu",
    "kan": "kannada ka",
    "chi_sim": "chinese ch ch_doc",
    "chi_tra": "chinese_cht",
    "jpn": "japanese japan",
    "kor": "korean",
    ANY_LANGUAGE: "latin",
}
_BY_NAME = {given: name for name, names in _NAMES.items() for given in names.split()}


def tesseract_name(given: str) -> str:
    """Tesseract's name, also of a locale such as `de`. Another name stays: an offer knows whether it exists.

    PaddleOCR's scripts become their most common language, because `auto` would silently read another script if
    that language is not installed. `latin` becomes `auto`, which finds the page's language among dozens.
    """
    return _BY_NAME.get(given.strip().lower().replace("-", "_")) or known(given.strip()) or given
