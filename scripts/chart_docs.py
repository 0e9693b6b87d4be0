"""Write the table of values in each chart's README, from the `# --` comments in its values.yaml.

python -m scripts.chart_docs [--check]
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

CHARTS = Path("charts")
BEGIN = "<!-- values: written by python -m scripts.chart_docs -->"
END = "<!-- /values -->"
KEY = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z0-9_.-]+):")


def main() -> None:
    stale = [chart for chart in sorted(CHARTS.iterdir()) if not write(chart, only_check="--check" in sys.argv)]
    if stale:
        sys.exit(f"Not up to date: {', '.join(map(str, stale))}. Run python -m scripts.chart_docs.")


def write(chart: Path, *, only_check: bool) -> bool:
    """Update the chart's README; returns whether it is up to date."""
    readme = chart / "README.md"
    before = readme.read_text()
    head, _, rest = before.partition(BEGIN)
    _, _, tail = rest.partition(END)
    after = f"{head}{BEGIN}\n{table((chart / 'values.yaml').read_text())}\n{END}{tail}"
    if before == after:
        return True
    if not only_check:
        readme.write_text(after)
    return not only_check


def table(text: str) -> str:
    values = yaml.safe_load(text)
    rows = ["| value | default | what it is |", "|---|---|---|"]
    for path, comment in documented(text):
        cells = (f"`{'.'.join(path)}`", f"`{json.dumps(at(values, path), ensure_ascii=False)}`", comment)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def documented(text: str) -> list[tuple[tuple[str, ...], str]]:
    """The paths that have a comment, in order, each with its comment."""
    found: list[tuple[tuple[str, ...], str]] = []
    path: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("# -- "):
            comment = [bare.removeprefix("# -- ")]
        elif bare.startswith("# ") and comment:
            comment.append(bare.removeprefix("# "))
        elif match := KEY.match(line):
            path = [*path[: len(match["indent"]) // 2], match["key"]]
            if comment:
                found.append((tuple(path), " ".join(comment)))
            comment = []
        else:
            comment = []
    return found


def at(values: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        values = values[key]
    return values


if __name__ == "__main__":
    main()
