"""Every link in a Markdown file leads somewhere: to a file, to a heading of a page, to a line of a file.

Links to other hosts are checked for their form only.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.markdown_pages import ROOT, anchors, pages, targets

LINE = re.compile(r"L(\d+)(?:-L(\d+))?")


def fault(page: Path, link: str) -> str | None:
    """What is wrong with a link of that page; None: nothing."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        well_formed = parts.scheme in {"http", "https"} and "." in (parts.hostname or "") and " " not in link
        return None if well_formed else "not an address"
    file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not file.is_relative_to(ROOT) or not file.exists():
        return "no such file"
    if not parts.fragment:
        return None
    if file.suffix == ".md":
        return None if parts.fragment in anchors(file) else "no such heading"
    line = LINE.fullmatch(parts.fragment)
    if not line or int(line[2] or line[1]) > len(file.read_text().splitlines()):
        return "no such line"
    return None


def test_the_pages_are_found() -> None:
    assert {"README.md", "CHANGELOG.md", "docs/jobs.md", "charts/api-gateway/README.md"} <= set(pages())


@pytest.mark.parametrize("path", pages())
def test_every_link_leads_somewhere(path: str) -> None:
    page = ROOT / path
    faults = {link: wrong for link in targets(page) if (wrong := fault(page, link))}
    assert not faults


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("docs/no-such-page.md", "no such file"),
        ("../elsewhere.md", "no such file"),
        ("docs/jobs.md#no-such-heading", "no such heading"),
        ("docs/jobs.md#errors", None),
        ("LICENSE#L1", None),
        ("LICENSE#L999999", "no such line"),
        ("Makefile#somewhere", "no such line"),
        ("https://example.org/a page", "not an address"),
        ("http://localhost/", "not an address"),
        ("https://example.org/#anchor", None),
    ],
)
def test_what_is_a_fault(link: str, expected: str | None) -> None:
    assert fault(ROOT / "README.md", link) == expected
