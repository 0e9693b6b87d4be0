"""Every option, alone and with every other, by both Helms: valid for Kubernetes, and the same."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.charts import tools
from tests.needs import program


@pytest.mark.parametrize(("chart", "name"), tools.CASES)
def test_both_helms_render_the_same(chart: str, name: str) -> None:
    assert tools.option(chart, name, 4) == tools.option(chart, name, 3)


@pytest.mark.parametrize("chart", tools.CHARTS)
def test_helm_lint_has_no_complaint(chart: str) -> None:
    for major in tools.HELMS:
        done = tools.run(
            tools.need_helm(major),
            "lint",
            "--strict",
            f"--kube-version={tools.KUBERNETES}",
            str(tools.CHARTS[chart]),
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("chart", "name"), tools.CASES)
def test_each_option_is_valid(chart: str, name: str) -> None:
    conform(yaml.safe_dump_all(tools.option(chart, name)))


@pytest.mark.slow
@pytest.mark.parametrize("chart", tools.CHARTS)
def test_all_options_but_each_one_are_valid_together(chart: str) -> None:
    documents = []
    for name in tools.OPTIONS[chart]:
        documents += tools.render(chart, together(chart, without=name))
    conform(yaml.safe_dump_all(documents))


@pytest.mark.parametrize("chart", tools.CHARTS)
def test_all_options_are_valid_together_and_both_helms_render_the_same(chart: str) -> None:
    first, second = (tools.render(chart, together(chart), major=major) for major in tools.HELMS)
    assert first == second
    conform(yaml.safe_dump_all(first))


def together(chart: str, without: str = "") -> tools.Values:
    """Of options that exclude each other, the first."""
    left_out = {
        without,
        "no limits",
        "no tests",
        "pod monitor",
        "keda",
        "keda with jobs",
        "jobs on a volume made by hand",
        "keys of another" if without != "keys" else "",
    }
    return tools.merged(*(values for name, values in tools.OPTIONS[chart].items() if name not in left_out))


@pytest.mark.parametrize("major", tools.HELMS)
@pytest.mark.parametrize("manifest", sorted(Path("argo-cd").glob("application*.yaml")), ids=lambda path: path.stem)
def test_the_values_of_the_applications_render(manifest: Path, major: int) -> None:
    spec = yaml.safe_load(manifest.read_text())["spec"]
    for element in spec["generators"][0]["list"]["elements"]:
        chart = Path(spec["template"]["spec"]["source"]["path"]).name
        values = yaml.safe_load(element["values"]) or {}
        conform(yaml.safe_dump_all(tools.render(chart, values, major=major, release=element["name"])))


@pytest.mark.parametrize("example", sorted(Path("docs/examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_examples_of_the_docs_are_valid(example: Path) -> None:
    conform(example.read_text())


def test_the_schemas_are_strict() -> None:
    deployment = tools.one(tools.option("api-gateway", "default"), "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    said = kubeconform(yaml.safe_dump(deployment)).stdout
    assert "livenesProbe" in said
    assert "Invalid: 1" in said


def conform(manifests: str) -> None:
    done = kubeconform(manifests)
    assert done.returncode == 0, done.stdout
    assert "Skipped: 0" in done.stdout
    assert "Valid: 0" not in done.stdout


def kubeconform(manifests: str) -> subprocess.CompletedProcess[str]:
    where = program("kubeconform", "https://github.com/yannh/kubeconform")
    return tools.run(where, "-strict", "-summary", "-schema-location", tools.SCHEMAS, "-", stdin=manifests)
