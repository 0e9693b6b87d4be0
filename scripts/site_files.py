"""A hook of mkdocs, which makes the site of the repository's Markdown and its links as they are.

Every file keeps its path in the repository as its source, so that mkdocs resolves and checks links as a forge
does. Pictures and files of code are copied if a page links to them, code as plain text.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/*.md", "charts/*/README.md")
LINK = re.compile(r"\]\(([^)#\s:]+)")
SHOWN = (".css", ".jpg", ".png")
PICTURE = re.compile(r'(?<=<img src=")([^":]+)(?=")')


def on_files(files: Files, config: Any) -> Files:
    pages = {path for pattern in PAGES for path in ROOT.glob(pattern)}
    styles = {ROOT / style for style in config.extra_css}
    copied = styles.union(*map(linked, pages))
    ours = [
        File(source, str(ROOT), config.site_dir, config.use_directory_urls, dest_uri=place(source))
        for source in sorted(path.relative_to(ROOT).as_posix() for path in pages | copied)
    ]
    return Files([*(file for file in files if file.src_dir != config.docs_dir), *ours])


def on_page_markdown(markdown: str, page: Any, files: Files, **_: Any) -> str:
    """Adapts the address in each <img>, which can have a width; mkdocs adapts those of Markdown's pictures."""
    folder = posixpath.dirname(page.file.src_uri)

    def adapted(found: re.Match[str]) -> str:
        picture = files.get_file_from_path(posixpath.normpath(posixpath.join(folder, found[1])))
        if picture is None:
            raise FileNotFoundError(f"{page.file.src_uri}: {found[1]}")
        return str(picture.url_relative_to(page.file))

    return PICTURE.sub(adapted, markdown)


def linked(page: Path) -> set[Path]:
    text = page.read_text()
    found = {(page.parent / link).resolve() for link in (*LINK.findall(text), *PICTURE.findall(text))}
    return {path for path in found if path.is_file() and path.is_relative_to(ROOT)}


def place(source: str) -> str:
    """The file's path in the site: the README is its index, docs/ its root."""
    path = source.removeprefix("docs/")
    if path.endswith("README.md"):
        return f"{path.removesuffix('README.md')}index.html"
    if path.endswith(".md"):
        return f"{path.removesuffix('.md').lower()}/index.html"
    return source if path.endswith(SHOWN) else f"source/{source.removesuffix('.txt')}.txt"
