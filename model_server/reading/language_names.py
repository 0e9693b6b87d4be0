"""Tesseract's names of languages by script, each with the labels that lid.176 gives its text.

Scripts are named as Tesseract's script detection names them.
"""

from __future__ import annotations

BY_SCRIPT: dict[str, dict[str, str]] = {
    "Latin": {
        "afr": "af", "aze": "az", "bos": "bs sh", "bre": "br", "cat": "ca", "ceb": "ceb", "ces": "cs", "cos": "co",
        "cym": "cy", "dan": "da", "deu": "de als bar", "eng": "en sco", "epo": "eo", "est": "et", "eus": "eu",
        "fil": "tl", "fin": "fi", "fra": "fr", "fry": "fy", "gla": "gd", "gle": "ga", "glg": "gl", "hat": "ht",
        "hrv": "hr sh", "hun": "hu", "ind": "id", "isl": "is", "ita": "it", "jav": "jv", "lat": "la", "lav": "lv",
        "lit": "lt", "ltz": "lb", "mlt": "mt", "msa": "ms", "nld": "nl", "nor": "no nn", "oci": "oc", "pol": "pl",
        "por": "pt", "que": "qu", "ron": "ro", "slk": "sk", "slv": "sl", "spa": "es", "sqi": "sq",
        "srp_latn": "sr sh", "sun": "su", "swa": "sw", "swe": "sv", "tur": "tr", "uzb": "uz", "vie": "vi",
        "yor": "yo",
    },
    "Cyrillic": {
        "aze_cyrl": "az", "bel": "be", "bul": "bg", "kaz": "kk", "kir": "ky", "mkd": "mk", "mon": "mn",
        "rus": "ru", "srp": "sr", "tat": "tt", "tgk": "tg", "ukr": "uk", "uzb_cyrl": "uz",
    },
    "Arabic": {
        "ara": "ar arz", "fas": "fa", "kmr": "ku", "pus": "ps", "snd": "sd", "uig": "ug", "urd": "ur pnb",
    },
    "Devanagari": {"hin": "hi", "mar": "mr", "nep": "ne", "san": "sa"},
    "Han": {"chi_sim": "zh wuu", "chi_tra": "zh yue"},
    "Japanese": {"jpn": "ja"},
    "Korean": {"kor": "ko"},
    "Greek": {"ell": "el"},
    "Hebrew": {"heb": "he", "yid": "yi"},
    "Bengali": {"asm": "as", "ben": "bn"},
    "Tibetan": {"bod": "bo", "dzo": "bo"},
    "Ethiopic": {"amh": "am"},
    "Armenian": {"hye": "hy"},
    "Georgian": {"kat": "ka"},
    "Gujarati": {"guj": "gu"},
    "Gurmukhi": {"pan": "pa"},
    "Kannada": {"kan": "kn"},
    "Khmer": {"khm": "km"},
    "Lao": {"lao": "lo"},
    "Malayalam": {"mal": "ml"},
    "Myanmar": {"mya": "my"},
    "Oriya": {"ori": "or"},
    "Sinhala": {"sin": "si"},
    "Tamil": {"tam": "ta"},
    "Telugu": {"tel": "te"},
    "Thai": {"tha": "th"},
}  # fmt: skip
LABELS = {name: labels.split() for names in BY_SCRIPT.values() for name, labels in names.items()}
SCRIPTS = {name: script for script, names in BY_SCRIPT.items() for name in names}
_IN_BLOCKS_OF = {"Hangul": "Korean", "Katakana": "Japanese", "Hiragana": "Japanese"}


def script_named(name: str) -> str:
    """The script of this table that Tesseract's script detection means."""
    return _IN_BLOCKS_OF.get(name, name)
