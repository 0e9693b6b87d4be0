"""`make reliability`: writes the table of docs/reliability.md from the records of the fault tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson

from scripts.docs import put

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "reliability.md"
FAULTS = range(1, 26)
BEYOND = 0  # number of a fault that is not on the list

_HEAD = ["| fault | what the client gets | seconds | checked afterwards |", "|---|---|---|---|"]
_EVERY_TIME = {
    "a known picture gives the same text",
    "as many workers as configured",
    "nothing in flight or queued",
    "descriptors, children, temporary files as before",
    "client = log = counters",
}

Record = dict[str, Any]


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: python -m scripts.reliability_report RECORDS", file=sys.stderr)
        return 2
    records = [orjson.loads(line) for line in Path(sys.argv[1]).read_bytes().splitlines()]
    missing = sorted(set(FAULTS) - {record["fault"] for record in records})
    if missing:
        print(f"No passed test recorded these faults: {missing}. The table stays as it was.", file=sys.stderr)
        return 1
    text = DOCUMENT.read_text()
    text = put(
        text, "faults", table([record for record in records if record["fault"] != BEYOND]), "make reliability"
    )
    beyond = table([record for record in records if record["fault"] == BEYOND])
    DOCUMENT.write_text(put(text, "beyond", beyond, "make reliability"))
    return 0


def table(records: list[Record]) -> str:
    """One row per title, in the order of the faults; tests with the same title share a row."""
    rows: dict[tuple[int, str], list[Record]] = {}
    for record in records:
        rows.setdefault((record["fault"], record["title"]), []).append(record)
    return "\n".join([*_HEAD, *(_row(*key, rows[key]) for key in sorted(rows))])


def _row(number: int, title: str, records: list[Record]) -> str:
    slowest: dict[tuple[str, str], float] = {}  # the slowest of repeated observations
    for got in (got for record in records for got in record["got"]):
        key = (got["what"], got["got"])
        slowest[key] = max(slowest.get(key, 0.0), got["seconds"])
    checked = list(dict.fromkeys(check for record in records for check in record["checked"]))
    own = [check for check in checked if check not in _EVERY_TIME]
    if set(checked) >= _EVERY_TIME:
        own.append("all of the above")
    else:
        own += [check for check in checked if check in _EVERY_TIME]
    cells = (
        f"{number}. {title}" if number else title,
        "<br>".join(f"{what}: **{got}**" for what, got in slowest),
        "<br>".join(f"{seconds:.2f}" if seconds else "" for seconds in slowest.values()),
        "; ".join(own),
    )
    return f"| {' | '.join(cell.replace('|', '¦') for cell in cells)} |"


if __name__ == "__main__":
    sys.exit(main())
