"""The documents say what the files do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from api_gateway.settings import memory_shares
from scripts import chart_docs
from tests.charts import tools

SIZES = {
    "model-server": "charts/model-server/values.yaml",
    "api-gateway": "charts/api-gateway/values.yaml",
    "argo-cd": "argo-cd/values.yaml",
    "prometheus": "prometheus/values.yaml",
    "grafana": "grafana/values.yaml",
}


@pytest.mark.parametrize("chart", tools.CHARTS.values(), ids=lambda chart: chart.name)
def test_the_readme_lists_the_values_as_they_are(chart: Path) -> None:
    assert chart_docs.write(chart, only_check=True), "run python -m scripts.chart_docs"


@pytest.mark.parametrize("chart", tools.CHARTS.values(), ids=lambda chart: chart.name)
def test_every_value_is_documented(chart: Path) -> None:
    text = (chart / "values.yaml").read_text()
    paths = {path for path, _ in chart_docs.documented(text)}

    def leaves(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        if path in paths or not isinstance(value, dict):
            return [path]
        return [leaf for key, inner in value.items() for leaf in leaves(inner, (*path, key))]

    assert [".".join(path) for path in leaves(yaml.safe_load(text)) if path not in paths] == []


def test_the_sizing_table_adds_up() -> None:
    """Each row is what the values files ask for, and the sum fits what is left of the smallest Minikube."""
    text = Path("docs/kubernetes.md").read_text()
    rows = dict(re.findall(r"^\| ([^|]+?) +\| *(\d+m +\| *\d+ Mi) *\|", text, re.MULTILINE))
    figures = {name: [int(number) for number in re.findall(r"\d+", cells)] for name, cells in rows.items()}
    for name, path in SIZES.items():
        assert figures[name] == requested(yaml.safe_load(Path(path).read_text())), name
    parts = [*SIZES, "Kubernetes itself"]
    total = [sum(figures[name][i] for name in parts) for i in (0, 1)]
    assert figures["**sum**"] == total
    with_update = [total[i] + max(figures[name][i] for name in tools.CHARTS) for i in (0, 1)]
    assert figures["**and the larger pod once more, while it is replaced**"] == with_update
    assert with_update[0] <= 2000
    assert with_update[1] <= 2048


def test_the_memory_tables_are_those_of_the_default_limit() -> None:
    text = Path("docs/kubernetes.md").read_text()
    _, gateway, model = re.split(r"^\| (?:api-gateway|model-server) \| share .*$", text, flags=re.MULTILINE)
    shares = {"program": 128, "uploads": 256, "pages": 128, "all child processes": 512, "one child process": 384}
    for part, mib in shares.items():
        assert re.search(rf"^\| (?:the )?{part}\b.* \| {mib} \|", gateway, re.MULTILINE), part
    own = memory_shares(1024)
    assert list(own.values()) == [shares["uploads"], shares["pages"], shares["one child process"]]
    workers = [int(mib) for mib in re.findall(r"^\|[^|]+\|[^|]+\| (\d+) \|", model, re.MULTILINE)]
    assert len(workers) == 4
    assert sum(shares.values()) - shares["one child process"] == 1024
    assert sum(workers) == 1280


def requested(values: Any) -> list[int]:
    """CPU in m and memory in Mi, of every `requests` that runs for good."""
    if not isinstance(values, dict):
        return [0, 0]
    total = [0, 0]
    for key, value in values.items():
        if key == "requests":
            total[0] += int(str(value["cpu"]).removesuffix("m"))
            total[1] += int(str(value["memory"]).removesuffix("Mi"))
        elif key not in {"copyutil", "redisSecretInit"}:
            inner = requested(value)
            total = [total[0] + inner[0], total[1] + inner[1]]
    return total
