"""Names of languages, as other services have them, to Tesseract's."""

from __future__ import annotations

import re

from service_kit.errors import UnknownLanguage
from service_kit.page import ANY_LANGUAGE

# ISO 639-1 and the variants that differ in script, to Tesseract's names (ISO 639-2, mostly).
_LANGUAGES = {
    "af": "afr", "am": "amh", "ar": "ara", "as": "asm", "az": "aze", "be": "bel", "bg": "bul", "bn": "ben",
    "bo": "bod", "br": "bre", "bs": "bos", "ca": "cat", "cs": "ces", "cy": "cym", "da": "dan", "de": "deu",
    "dv": "div", "dz": "dzo", "el": "ell", "en": "eng", "eo": "epo", "es": "spa", "et": "est", "eu": "eus",
    "fa": "fas", "fi": "fin", "fil": "fil", "fo": "fao", "fr": "fra", "fy": "fry", "ga": "gle", "gd": "gla",
    "gl": "glg", "gu": "guj", "he": "heb", "hi": "hin", "hr": "hrv", "ht": "hat", "hu": "hun", "hy": "hye",
    "id": "ind", "is": "isl", "it": "ita", "iu": "iku", "ja": "jpn", "jv": "jav", "ka": "kat", "kk": "kaz",
    "km": "khm", "kn": "kan", "ko": "kor", "ku": "kmr", "ky": "kir", "la": "lat", "lb": "ltz", "lo": "lao",
    "lt": "lit", "lv": "lav", "mi": "mri", "mk": "mkd", "ml": "mal", "mn": "mon", "mr": "mar", "ms": "msa",
    "mt": "mlt", "my": "mya", "nb": "nor", "ne": "nep", "nl": "nld", "nn": "nor", "no": "nor", "oc": "oci",
    "or": "ori", "pa": "pan", "pl": "pol", "ps": "pus", "pt": "por", "qu": "que", "ro": "ron", "ru": "rus",
    "sa": "san", "sd": "snd", "si": "sin", "sk": "slk", "sl": "slv", "sq": "sqi", "sr": "srp", "su": "sun",
    "sv": "swe", "sw": "swa", "ta": "tam", "te": "tel", "tg": "tgk", "th": "tha", "ti": "tir", "tl": "fil",
    "to": "ton", "tr": "tur", "tt": "tat", "ug": "uig", "uk": "ukr", "ur": "urd", "uz": "uzb", "vi": "vie",
    "yi": "yid", "yo": "yor", "zh": "chi_sim", "zh-hans": "chi_sim", "zh-cn": "chi_sim", "zh-sg": "chi_sim",
    "zh-hant": "chi_tra", "zh-tw": "chi_tra", "zh-hk": "chi_tra", "zh-mo": "chi_tra",
    "sr-latn": "srp_latn", "az-cyrl": "aze_cyrl", "uz-cyrl": "uzb_cyrl",
}  # fmt: skip

_TESSERACTS = frozenset(_LANGUAGES.values())


def of_locale(locale: str | None) -> str:
    """The language of a BCP 47 tag such as `de` or `en-US`; without one, the language of each page is found.

    Raises:
        UnknownLanguage.
    """
    if not locale:
        return ANY_LANGUAGE
    if found := known(locale):
        return found
    raise UnknownLanguage(f"The locale {locale[:40]!r} is not known.")


def known(tag: str) -> str | None:
    """The language of a BCP 47 tag, also with underscores; None if it is not known."""
    parts = tag.replace("_", "-").lower().split("-")
    tags = ("-".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((found for tag in tags if (found := _LANGUAGES.get(tag))), None)


def of_names(names: str | None) -> tuple[str, ...]:
    """Several languages (`eng+deu`, `en,de`), each as a BCP 47 tag or as Tesseract names it.

    Raises:
        UnknownLanguage.
    """
    found = [_of_name(name) for name in re.split(r"[+,]", names or "") if name.strip()]
    return tuple(dict.fromkeys(found)) or (ANY_LANGUAGE,)


def _of_name(name: str) -> str:
    name = name.strip()
    return name if name == ANY_LANGUAGE or name in _TESSERACTS else of_locale(name)
