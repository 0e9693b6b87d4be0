"""The three manifests: Git in, the two charts out, and nothing beyond them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import point_at_fork
from tests.charts import tools
from tests.charts.test_rendering import conform

PROJECT: dict[str, Any] = yaml.safe_load(point_at_fork.PROJECT.read_text())
SETS: list[dict[str, Any]] = [yaml.safe_load(path.read_text()) for path in point_at_fork.SETS]
ENVIRONMENTS = Path("argo-cd/environments")
MANIFESTS = (point_at_fork.PROJECT, *point_at_fork.SETS)


def source(manifest: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = manifest["spec"]["template"]["spec"]["source"]
    return found


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_the_manifests_are_valid(path: Path) -> None:
    conform(path.read_text())


def test_the_repository_stands_once_in_each_file_and_is_the_same_in_all() -> None:
    (repository,) = PROJECT["spec"]["sourceRepos"]
    assert {source(manifest)["repoURL"] for manifest in SETS} == {repository}
    for path in MANIFESTS:
        assert path.read_text().count(repository) == 1, path
    page = point_at_fork.page(repository)
    for path in (*Path("grafana").iterdir(), *Path("prometheus").iterdir()):
        assert page in path.read_text(), path


def test_one_command_points_them_at_a_fork(tmp_path: Path) -> None:
    for folder in ("argo-cd", "charts", "grafana", "prometheus"):
        shutil.copytree(folder, tmp_path / folder)
    point_at_fork.point(tmp_path, "git@git.example:me/ocr.git", "trial")
    for path in MANIFESTS:
        text = (tmp_path / path).read_text()
        assert text.count("git@git.example:me/ocr.git") == 1
        assert "example/ocr-service" not in text
    for path in point_at_fork.SETS:
        elements = yaml.safe_load((tmp_path / path).read_text())["spec"]["generators"][0]["list"]["elements"]
        assert [element["revision"] for element in elements] == ["trial"]
    for name in ("ocr-service.json", "values.yaml"):
        dashboard = (tmp_path / "grafana" / name).read_text()
        assert "https://git.example/me/ocr/blob/HEAD/docs/kubernetes.md" in dashboard
        assert "example/ocr-service" not in dashboard
    for path in (tmp_path / "prometheus").iterdir():
        assert "https://git.example/me/ocr/blob/HEAD/docs/operations.md#ocrerrors" in path.read_text()
        assert "example/ocr-service" not in path.read_text()
    (repository,) = PROJECT["spec"]["sourceRepos"]
    (element,) = SETS[0]["spec"]["generators"][0]["list"]["elements"]
    point_at_fork.point(tmp_path, repository, element["revision"])
    for path in (*MANIFESTS, *Path("grafana").iterdir(), *Path("prometheus").iterdir()):
        assert (tmp_path / path).read_text() == path.read_text(), "and back"


@pytest.mark.parametrize("manifest", SETS, ids=lambda manifest: str(manifest["metadata"]["name"]))
def test_an_application_set_makes_what_the_project_allows(manifest: dict[str, Any]) -> None:
    name = manifest["metadata"]["name"]
    spec = manifest["spec"]
    assert spec["goTemplate"] is True
    assert spec["goTemplateOptions"] == ["missingkey=error"]
    template = spec["template"]["spec"]
    assert template["project"] == PROJECT["metadata"]["name"]
    assert source(manifest)["path"] == f"charts/{name}"
    automated = template["syncPolicy"]["automated"]
    assert automated == {"prune": True, "selfHeal": True}
    assert "CreateNamespace=true" in template["syncPolicy"]["syncOptions"]
    assert template["syncPolicy"]["retry"]["backoff"]
    (allowed,) = PROJECT["spec"]["destinations"]
    for element in spec["generators"][0]["list"]["elements"]:
        assert element["name"].startswith(name), "the dashboard selects pods by their names"
        assert (template["destination"]["server"], element["namespace"]) == (
            allowed["server"],
            allowed["namespace"],
        )


@pytest.mark.parametrize("environment", sorted(path.name for path in ENVIRONMENTS.iterdir()))
@pytest.mark.parametrize("manifest", SETS, ids=lambda manifest: str(manifest["metadata"]["name"]))
def test_each_environment_has_values_that_the_chart_takes(manifest: dict[str, Any], environment: str) -> None:
    (pattern,) = source(manifest)["helm"]["valueFiles"]
    file = Path(pattern.replace("{{ .environment }}", environment).removeprefix("/"))
    chart = str(manifest["metadata"]["name"])
    conform(yaml.safe_dump_all(tools.render(chart, yaml.safe_load(file.read_text()))))


def test_a_tag_is_followed_and_the_first_environment_is_small() -> None:
    version = yaml.safe_load(Path("charts/model-server/Chart.yaml").read_text())["appVersion"]
    for manifest in SETS:
        (element,) = manifest["spec"]["generators"][0]["list"]["elements"]
        assert (element["revision"], element["environment"]) == (f"v{version}", "development")
        assert yaml.safe_load((ENVIRONMENTS / "development" / f"{element['name']}.yaml").read_text()) == {}


def test_the_project_comes_before_what_belongs_to_it() -> None:
    waves = [int(item["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]) for item in (PROJECT, *SETS)]
    assert waves == [0, 1, 1]


def test_both_application_sets_differ_in_the_name_alone() -> None:
    first, second = (path.read_text() for path in point_at_fork.SETS)
    assert first.replace("model-server", "api-gateway") == second


def test_the_project_allows_the_kinds_that_the_charts_render_and_no_others() -> None:
    assert [kind["kind"] for kind in PROJECT["spec"]["clusterResourceWhitelist"]] == ["Namespace"]
    allowed = {(kind["group"], kind["kind"]) for kind in PROJECT["spec"]["namespaceResourceWhitelist"]}
    rendered = {
        (manifest["apiVersion"].rpartition("/")[0], manifest["kind"])
        for chart, option in tools.CASES
        for manifest in tools.option(chart, option)
        if not tools.is_test(manifest)
    }
    assert rendered == allowed


def test_argo_cd_itself_is_trimmed() -> None:
    values = yaml.safe_load(Path("argo-cd/values.yaml").read_text())
    assert values["dex"]["enabled"] is False
    assert values["notifications"]["enabled"] is False
