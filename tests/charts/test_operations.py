"""docs/operations.md: its arithmetic and its log events."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TEXT = Path("docs/operations.md").read_text()
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
CLEAN, MIXED, GATEWAY = 0.96, 1.45, 0.029  # CPU seconds per page
USED = 0.7
POD_WORKERS = 4


def test_the_sizing_table_follows_its_formula() -> None:
    rows = re.findall(r"^\| (1|10|100) \| (\d+) \| (\d+) \| (\d+) .+ \| (\d+) \|$", TEXT, re.MULTILINE)
    assert len(rows) == 3
    for row in rows:
        rate, clean, mixed, pods, gateways = map(int, row)
        assert clean == math.ceil(rate * CLEAN / USED)
        assert mixed == math.ceil(rate * MIXED / USED)
        assert pods == (clean if rate == 1 else math.ceil(clean / POD_WORKERS))
        assert gateways == max(2, math.ceil(rate * GATEWAY / USED))


def test_the_figures_per_page_are_those_that_were_measured() -> None:
    """As long as a new run of the benchmarks gives about the same, the sizes stand. A busy machine is slower."""
    performance = Path("docs/performance.md").read_text()
    row = r"^\| A4, 200 dpi \| [\d.]+ \| ([\d.]+) \| ([\d.]+) \| [\d.]+ \| [\d.]+ \|$"
    found = re.search(row, performance, re.MULTILINE)
    assert found
    assert sum(map(float, found.groups())) / 1000 == pytest.approx(CLEAN, rel=0.35)
    documents = re.search(r"CPU time per page: gateway (\d+) ms", performance)
    assert documents
    assert int(documents[1]) / 1000 == pytest.approx(GATEWAY, rel=0.35)
    quality = Path("docs/quality.md").read_text().partition("## CPU seconds per page")[2]
    row = r"^\| \*\*varied\*\*.*\| ([\d.]+) \([\d.]+\) \| [\d.]+ \([\d.]+\) \|$"
    varied = re.search(row, quality, re.MULTILINE)
    assert varied
    assert float(varied[1]) == pytest.approx(MIXED, rel=0.35)


def logged() -> Iterator[str]:
    """Every event that the services' own code logs."""
    for package in ("api_gateway", "model_server", "service_kit"):
        for path in Path(package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id == "log"
                ):
                    event = node.args[0 if node.func.attr in LEVELS else 1]
                    assert isinstance(event, ast.Constant), f"{path}: an event that is not a fixed text"
                    yield str(event.value)


def test_every_event_of_the_logs_is_listed() -> None:
    table = TEXT.partition("| event | level |")[2].partition("\n\n")[0]
    listed = {event for row in table.splitlines()[2:] for event in re.findall(r"`([^`]+)`", row.split("|")[1])}
    assert listed == set(logged())
