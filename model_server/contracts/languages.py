"""Names that docling's users give to languages, which docling sends untouched, and Tesseract's names for them.

PaddleOCR's names of scripts are among them: the model behind docling is often PaddleOCR.
"""

from __future__ import annotations

from service_kit.page import ANY_LANGUAGE

# English names, ISO 639-1 codes, and PaddleOCR's names.
_NAMES = {
    "eng": "english en",
    "deu": "german de",
    "fra": "french fr",
    "spa": "spanish es",
    "ita": "italian it",
    "por": "portuguese pt",
    "nld": "dutch nl",
    "pol": "polish pl",
    "ces": "czech cs",
    "swe": "swedish sv",
    "dan": "danish da",
    "nor": "norwegian no",
    "fin": "finnish fi",
    "hun": "hungarian hu",
    "ron": "romanian ro",
    "tur": "turkish tr",
    "vie": "vietnamese vi",
    "rus": "russian ru cyrillic",
    "ukr": "ukrainian uk eslav",
    "ara": "arabic ar",
    "fas": "persian fa",
    "hin": "hindi hi devanagari",
    "ell": "greek el",
    "heb": "hebrew he",
    "tha": "thai th",
    "tam": "tamil ta",
    "tel": "telugu te",
    "kan": "kannada kn ka",
    "chi_sim": "chinese ch zh ch_doc",
    "chi_tra": "chinese_cht zh_tw",
    "jpn": "japanese ja japan",
    "kor": "korean ko",
    ANY_LANGUAGE: "latin",
}
_BY_NAME = {given: name for name, names in _NAMES.items() for given in names.split()}


def tesseract_name(given: str) -> str:
    """Tesseract's name. A name that is not in the table stays as it is: an offer knows whether it exists.

    PaddleOCR's scripts become their most common language, because `auto` would silently read another script if
    that language is not installed. `latin` becomes `auto`, which finds the page's language among dozens.
    """
    return _BY_NAME.get(given.strip().lower().replace("-", "_"), given)
