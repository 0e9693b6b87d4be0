"""Copy the alert rules and the dashboard into the values that ship them: python -m scripts.bundle [--check].

promtool needs a rules file and Grafana a JSON file; the charts need both in their values, so that one `-f` is
enough.
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
MARKED = re.compile(r"(# >>> .*\n)(?:.*\n)*?(# <<<\n)")


def main() -> None:
    if "--check" not in sys.argv:
        write(Path())
    elif stale := [target for _, target, *_ in COPIES if bundled(Path(), target) != Path(target).read_text()]:
        sys.exit(f"Not up to date: {', '.join(stale)}. Run python -m scripts.bundle.")


def write(root: Path) -> None:
    for _, target, *_ in COPIES:
        (root / target).write_text(bundled(root, target))


def bundled(root: Path, target: str) -> str:
    """The target file's text with the source copied into it."""
    text = (root / target).read_text()
    for source, there, indent, line in COPIES:
        if there == target:
            content = re.sub(r"\A(#.*\n)+", "", (root / source).read_text())
            block = line + textwrap.indent(content, " " * indent)
            text = MARKED.sub(rf"\g<1>{block.replace(chr(92), chr(92) * 2)}\g<2>", text)
    return text


if __name__ == "__main__":
    main()
