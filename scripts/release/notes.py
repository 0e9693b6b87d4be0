"""A release's notes, out of CHANGELOG.md: python3 -m scripts.release.notes VERSION [options] [ARTEFACT…].

Prints the section of VERSION, and under it the artefacts, such as ghcr.io/you/ocr-service/model-server@sha256:….
Fails if there is no such section, or if its heading says that it is not yet released (--draft allows that).
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

CHANGELOG = Path("CHANGELOG.md")
UNRELEASED = "not yet released"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python3 -m scripts.release.notes", description=__doc__)
    parser.add_argument("version")
    parser.add_argument("artefacts", nargs="*", metavar="ARTEFACT")
    parser.add_argument("--source", default="", help="the repository's web address, for links to its files")
    parser.add_argument("--draft", action="store_true", help="accept a section that is not yet released")
    arguments = parser.parse_intermixed_args()
    heading, body = section(CHANGELOG.read_text(), arguments.version)
    if UNRELEASED in heading and not arguments.draft:
        sys.exit(f'{CHANGELOG}: "{heading}": write the date of the release there')
    sys.stdout.write(notes(body, arguments.version, arguments.source, arguments.artefacts))


def section(changelog: str, version: str) -> tuple[str, str]:
    """The heading and the text of one version."""
    pattern = rf"^## ({re.escape(version)}(?: [^\n]*)?)\n(.*?)(?=^## |\Z)"
    found = re.search(pattern, changelog, re.MULTILINE | re.DOTALL)
    if not found or not found[2].strip():
        sys.exit(f"{CHANGELOG} says nothing of {version}")
    return found[1], found[2].strip()


def notes(body: str, version: str, source: str = "", artefacts: Sequence[str] = ()) -> str:
    # GitHub shows each line break of a release's notes; the changelog's lines are only wrapped.
    text = re.sub(r"\n +(?![-*] )(?=\S)", " ", body)
    if source:
        text = re.sub(r"\]\((?!\w+:|#)", f"]({source}/blob/v{version}/", text)
    if artefacts:
        listed = "\n".join(f"- `{artefact}`" for artefact in artefacts)
        text += f"\n\n### Published\n\n{listed}"
        if source:
            text += f"\n\n[How to verify and install them]({source}/blob/v{version}/docs/releases.md)"
    return f"{text}\n"


if __name__ == "__main__":
    main()
