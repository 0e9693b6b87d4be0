"""The bytes that a PDF's password may stand for; splitter and composer try the same ones in the same order."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

# PDFDocEncoding where it differs from Latin-1 (PDF, annex D.3).
_PDF_DOC = str.maketrans(
    {
        letter: chr(code)
        for first, letters in (
            (0x18, "˘ˇˆ˙˝˛˚˜"),  # noqa: RUF001
            (0x80, "•†‡…—–ƒ⁄‹›−‰„“”‘’‚™ﬁﬂŁŒŠŸŽıłœšž"),  # noqa: RUF001
            (0xA0, "€"),
        )
        for code, letter in enumerate(letters, first)
    }
)


def candidates(password: str | None) -> Iterator[bytes]:
    """Passwords to try, in this order; the last one is empty, as for a file that opens without a password.

    Files of PDF 2.0 take UTF-8, older ones PDFDocEncoding; programs also wrote Latin-1, Windows-1252 and UTF-8
    into the older ones. Composed letters are usual, and decomposed ones are what some keyboards send.
    """
    typed = password or ""
    composed = unicodedata.normalize("NFC", typed)
    texts = composed, typed, unicodedata.normalize("NFKC", typed), unicodedata.normalize("NFD", typed)
    found = [text.encode("utf-8", "surrogatepass") for text in texts]
    for text, encoding in ((composed.translate(_PDF_DOC), "latin-1"), (composed, "latin-1"), (composed, "cp1252")):
        try:
            found.append(text.encode(encoding))
        except UnicodeEncodeError:
            continue
    yield from dict.fromkeys([*found, b""])
