"""One version, that of pyproject.toml: python3 -m scripts.release.version [--check] [TAG].

Writes it to every other place that has it, and prints it. With --check it writes nothing. It fails if a place
differs, or if TAG is not `v` and the version. The first heading of CHANGELOG.md is only checked: a version needs a
section of its own. It needs the standard library alone: a workflow runs it before anything is installed.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

NUMBER = r"(\d+\.\d+\.\d+)"
# An image's tag, or the archive of a chart.
NAMED = rf"\b(?:model-server|api-gateway)[:-]{NUMBER}"
# Files and patterns; the one group is the version. The first ones must be found.
REQUIRED = (
    ("charts/*/Chart.yaml", rf"^version: {NUMBER}$"),
    ("charts/*/Chart.yaml", rf'^appVersion: "{NUMBER}"$'),
    ("api_gateway/app.py", rf'^ +version="{NUMBER}",$'),
    ("docs/kubernetes.md", rf"^\| `E2E_IMAGE_TAG` \| `{NUMBER}` \|"),
    ("docs/releases.md", rf"^ +VERSION={NUMBER}$"),
    ("ocr_client/pyproject.toml", rf'^version = "{NUMBER}"$'),
    ("ocr_client/src/ocr_client/__init__.py", rf'^__version__ = "{NUMBER}"$'),
    ("ocr_client/README.md", rf"\bocr_service_client-{NUMBER}-"),
)
OPTIONAL = (
    *((files, NAMED) for files in ("*.md", "*.sh", "Makefile", "compose.yaml", "docs/*.md", "scripts/**/*.sh")),
    *((files, NAMED) for files in ("argo-cd/*.yaml", "charts/*/README.md", ".github/workflows/*.yml")),
    ("docs/examples/*.yaml", NAMED),
    ("argo-cd/*.yaml", rf"(?i)^ *(?:- )?\w*revision: \"?v?{NUMBER}\"?$"),
    *((file, rf"\bv{NUMBER}\b") for file in ("docs/releases.md", "docs/kubernetes.md")),
    ("docs/releases.md", rf"--draft {NUMBER}"),
)
CHANGELOG = Path("CHANGELOG.md")
HEADING = re.compile(r"^## (\S+)", re.MULTILINE)


def main() -> None:
    tags = [argument for argument in sys.argv[1:] if argument != "--check"]
    version = project_version(Path())
    if "--check" not in sys.argv:
        write(Path(), version)
    wrong = differences(Path(), version)
    wrong += [f"the tag is {tag}, not v{version}" for tag in tags if tag != f"v{version}"]
    if wrong:
        sys.exit(f"The version of pyproject.toml is {version}:\n" + "\n".join(wrong))
    print(version)


def project_version(root: Path) -> str:
    version: str = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    if not re.fullmatch(NUMBER, version):
        raise ValueError(f"the version is {version}; a chart's needs three numbers, such as 1.2.3")
    return version


def places(root: Path) -> Iterator[tuple[Path, str, bool]]:
    """Files with a pattern for the version in them, and whether it must be there."""
    for several, required in ((REQUIRED, True), (OPTIONAL, False)):
        for files, pattern in several:
            for path in sorted(root.glob(files)):
                # A changelog names the versions of the past.
                if path != root / CHANGELOG:
                    yield path, pattern, required


def write(root: Path, version: str) -> None:
    for path, pattern, _ in places(root):
        text = path.read_text()
        changed = re.sub(pattern, lambda found: _put(found, version), text, flags=re.MULTILINE)
        if changed != text:
            path.write_text(changed)


def _put(found: re.Match[str], version: str) -> str:
    start, end = (place - found.start() for place in found.span(1))
    return found[0][:start] + version + found[0][end:]


def differences(root: Path, version: str) -> list[str]:
    """What does not agree, one line each."""
    wrong = []
    for path, pattern, required in places(root):
        text = path.read_text()
        found = list(re.finditer(pattern, text, re.MULTILINE))
        if required and not found:
            wrong.append(f"{path.relative_to(root)} has no version that looks like {pattern}")
        wrong += [
            f"{path.relative_to(root)}:{text.count(chr(10), 0, match.start(1)) + 1}: {match[1]}"
            for match in found
            if match[1] != version
        ]
    heading = HEADING.search((root / CHANGELOG).read_text())
    if not heading or heading[1] != version:
        wrong.append(f"{CHANGELOG}: the first section is {heading and heading[1]}")
    return wrong


if __name__ == "__main__":
    main()
