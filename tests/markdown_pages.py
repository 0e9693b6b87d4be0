"""The project's Markdown: its pages, their links, and the anchors of their headings."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt  # a dependency of rich
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[1]
PARSER = MarkdownIt("commonmark").enable("table")
IN_HTML = re.compile(r'<(?:img|a)\b[^>]*?\b(?:src|href)="([^"]*)"')


def pages() -> list[str]:
    """The project's own pages: those at the root, of docs/ and of the charts."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for path in listed.stdout.split() if not path.startswith("tests/")]


@cache
def tokens(page: Path) -> list[Token]:
    """All tokens of a page, those within paragraphs and headings too."""
    return [inner for token in PARSER.parse(page.read_text()) for inner in (token, *(token.children or ()))]


def targets(page: Path) -> Iterator[str]:
    for token in tokens(page):
        for name in ("href", "src"):
            if name in token.attrs:
                yield str(token.attrs[name])
        if token.type in {"html_block", "html_inline"}:
            yield from IN_HTML.findall(token.content)


@cache
def anchors(page: Path) -> set[str]:
    """The headings' anchors, as GitHub makes them: the second of the same name ends in -1."""
    found: Counter[str] = Counter()
    names = set()
    for before, heading in zip(tokens(page), tokens(page)[1:], strict=False):
        if before.type != "heading_open":
            continue
        text = "".join(part.content for part in heading.children or () if part.type in {"text", "code_inline"})
        name = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
        names.add(f"{name}-{found[name]}" if found[name] else name)
        found[name] += 1
    return names
