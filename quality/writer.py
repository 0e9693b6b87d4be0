"""Random text and typefaces of one page, from the half of the words and faces that its family of seeds may use."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from quality import vocabulary
from quality.page import Split
from quality.vocabulary import half


class Faces(NamedTuple):
    """Names of faces for `tests.pictures.layout`."""

    regular: str
    bold: str
    italic: str


_SANS, _SERIF, _MONO = "sans", "serif", "mono"
_FACES: dict[Split, dict[str, tuple[Faces, ...]]] = {
    "reported": {
        _SANS: (Faces("_a______", "_ab_____", "_ai_____"),),  # like Arial
        _SERIF: (Faces("_er_____", "_eb_____", "_ei_____"),),  # like Times
        _MONO: (Faces("com_____", "cob_____", "coo_____"),),  # like Courier
    },
    "tuning": {
        _SANS: (Faces("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique"),),
        _SERIF: (
            Faces("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic"),
            Faces("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic"),
        ),
        _MONO: (Faces("DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique"),),
    },
}


class Writer:
    """Writes one page: everything follows from the split, the name of the set and the seed."""

    def __init__(self, split: Split, name: str, seed: int, language: str = "eng") -> None:
        self.split = split
        self.language = language
        self.rng = Random(f"{split} {name} {seed}")
        self.sans = self.rng.choice(_FACES[split][_SANS])
        self.serif = self.rng.choice(_FACES[split][_SERIF])
        self.mono = self.rng.choice(_FACES[split][_MONO])

    def pick(self, words: tuple[str, ...]) -> str:
        return self.rng.choice(half(words, self.split))

    def sample(self, words: tuple[str, ...], count: int) -> list[str]:
        return self.rng.sample(half(words, self.split), count)

    def seed(self) -> int:
        """A seed for one of the degradations."""
        return self.rng.randrange(2**31)

    def title(self, words: int) -> str:
        if self.language in vocabulary.LANGUAGES:
            return self._clause()
        return " ".join(self.pick(vocabulary.WORDS).capitalize() for _ in range(words))

    def sentence(self) -> str:
        if self.language in vocabulary.LANGUAGES:
            return self._foreign_sentence()
        rng = self.rng
        words = [self.pick(vocabulary.WORDS) for _ in range(rng.randrange(5, 14))]
        where = rng.randrange(2, len(words))
        if rng.random() < 0.4:
            words[where] = rng.choice((self.number(), str(rng.randrange(1800, 2030)), self.amount(), self.date()))
        if rng.random() < 0.15:
            words[where - 1] = f"{self.pick(vocabulary.FIRST_NAMES)} {self.pick(vocabulary.LAST_NAMES)}"
        if rng.random() < 0.4:
            words[where - 1] += ","
        first = words[0][0].upper() + words[0][1:]
        return " ".join([first, *words[1:]]) + rng.choice("......?;").replace(";", ".")

    def paragraph(self, sentences: int) -> str:
        return " ".join(self.sentence() for _ in range(sentences))

    def person(self) -> str:
        return f"{self.pick(vocabulary.FIRST_NAMES)} {self.pick(vocabulary.LAST_NAMES)}"

    def company(self) -> str:
        return f"{self.pick(vocabulary.COMPANIES)} {self.pick(vocabulary.TRADES)}"

    def street(self) -> str:
        kind = self.rng.choice(("Road", "Lane", "St"))
        return f"{self.rng.randrange(1, 400)} {self.pick(vocabulary.STREETS)} {kind}"

    def town(self) -> str:
        return f"{self.rng.randrange(10_000, 99_999)} {self.pick(vocabulary.TOWNS)}"

    def date(self) -> str:
        rng = self.rng
        day, month, year = rng.randrange(1, 29), rng.randrange(1, 13), rng.randrange(1998, 2027)
        return rng.choice(
            (f"{year}-{month:02}-{day:02}", f"{day:02}/{month:02}/{year}", f"{day:02}.{month:02}.{year}")
        )

    def amount(self) -> str:
        return f"${self.rng.randrange(100, 100_000) / 100:,.2f}"

    def number(self) -> str:
        rng = self.rng
        return rng.choice(
            (str(rng.randrange(2, 1000)), f"{rng.randrange(1000, 900_000):,}", f"{rng.random() * 90:.1f}")
        )

    def code(self) -> str:
        rng = self.rng
        letters = "".join(rng.choice("ABCDEFGHKLMNPRSTUVWXYZ") for _ in range(rng.choice((2, 3))))
        return f"{letters}-{rng.randrange(100, 10_000)}"

    def phone(self) -> str:
        rng = self.rng
        return f"({rng.randrange(200, 990)}) 555-{rng.randrange(1000, 9999)}"

    def _clause(self) -> str:
        words = vocabulary.LANGUAGES[self.language]
        return " ".join(self.pick(part) for part in (words.subjects, words.verbs, words.objects))

    def _foreign_sentence(self) -> str:
        words, rng = vocabulary.LANGUAGES[self.language], self.rng
        said = f"{self._clause()} {self.pick(words.ends)}"
        if rng.random() < 0.5:
            said += f", {self.pick(words.joins)} {self._clause()}"
        if rng.random() < 0.3:
            said += f" ({rng.randrange(2, 2030)})"
        said = said[0].upper() + said[1:]
        if rng.random() < 0.15:
            return f"{words.quotes[0]}{said}.{words.quotes[1]}"
        if words.question and rng.random() < 0.3:
            return f"{words.question}{said}?"
        return f"{said}."
