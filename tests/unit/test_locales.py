"""Other services' names of languages: one that is not known is refused, and never read as English."""

from __future__ import annotations

import pytest

from service_kit.errors import UnknownLanguage
from service_kit.locales import of_locale, of_names


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        (None, "auto"), ("", "auto"), ("en", "eng"), ("EN", "eng"), ("en-US", "eng"), ("de_AT", "deu"),
        ("zh", "chi_sim"), ("zh-Hans", "chi_sim"), ("zh-TW", "chi_tra"), ("zh-Hant-HK", "chi_tra"),
        ("sr", "srp"), ("sr-Latn-RS", "srp_latn"), ("pt-BR", "por"), ("nb", "nor"),
    ],
)  # fmt: skip
def test_a_locale(locale: str | None, language: str) -> None:
    assert of_locale(locale) == language


@pytest.mark.parametrize(
    "locale",
    ["xx", "english", "e", "eng", "-", " ", "en US", "enx-US", "x-en", "de,en", "../eng", "\u00e9", "x" * 90],
)
def test_an_unknown_locale_is_an_error(locale: str) -> None:
    with pytest.raises(UnknownLanguage) as refused:
        of_locale(locale)
    assert len(str(refused.value)) < 100


@pytest.mark.parametrize(
    ("names", "languages"),
    [
        (None, ("auto",)), ("", ("auto",)), (" , ", ("auto",)), ("auto", ("auto",)), ("eng", ("eng",)),
        ("eng+deu", ("eng", "deu")), ("en,de", ("eng", "deu")), ("de-AT, fra", ("deu", "fra")),
        ("en+eng+EN", ("eng",)), ("chi_sim", ("chi_sim",)), ("zh-TW+chi_sim", ("chi_tra", "chi_sim")),
    ],
)  # fmt: skip
def test_several_names(names: str | None, languages: tuple[str, ...]) -> None:
    assert of_names(names) == languages


@pytest.mark.parametrize("names", ["xyz", "eng+xyz", "xyz,eng", "eng deu", "eng;deu", "osd", "english", "../eng"])
def test_an_unknown_name_among_several_is_an_error(names: str) -> None:
    with pytest.raises(UnknownLanguage):
        of_names(names)
