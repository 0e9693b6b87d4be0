"""Copy the alert rules and the dashboard to where they are shipped: python -m scripts.bundle [--check].

promtool needs a rules file and Grafana a JSON file. The community charts need both in their values, so that one
`-f` is enough; the gateway's chart, for the Prometheus operator, needs them among its own files.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

# (source, target, indentation, line before it)
COPIES = (
    ("prometheus/alerts.yaml", "prometheus/values.yaml", 4, ""),
    ("grafana/ocr-service.json", "grafana/values.yaml", 8, "      json: |\n"),
)
WHOLE = {
    "charts/api-gateway/files/alerts.yaml": "prometheus/alerts.yaml",
    "charts/api-gateway/files/ocr-service.json": "grafana/ocr-service.json",
}
MARKED = re.compile(r"(# >>> .*\n)(?:.*\n)*?(# <<<\n)")


def main() -> None:
    if "--check" not in sys.argv:
        write(Path())
    elif stale := [target for target in targets() if bundled(Path(), target) != Path(target).read_text()]:
        sys.exit(f"Not up to date: {', '.join(stale)}. Run python -m scripts.bundle.")


def write(root: Path) -> None:
    for target in targets():
        (root / target).write_text(bundled(root, target))


def targets() -> list[str]:
    return [*(target for _, target, *_ in COPIES), *WHOLE]


def bundled(root: Path, target: str) -> str:
    """The target file's text with the source copied into it."""
    if target in WHOLE:
        return (root / WHOLE[target]).read_text()
    text = (root / target).read_text()
    for source, there, indent, line in COPIES:
        if there == target:
            content = re.sub(r"\A(#.*\n)+", "", (root / source).read_text())
            block = line + textwrap.indent(content, " " * indent)
            text = MARKED.sub(rf"\g<1>{block.replace(chr(92), chr(92) * 2)}\g<2>", text)
    return text


if __name__ == "__main__":
    main()
