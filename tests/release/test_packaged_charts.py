"""The charts as a release publishes them: with the images' registry and digests, in an OCI registry."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from scripts.release.version import project_version
from tests.charts import tools
from tests.release import registry

ROOT = Path(__file__).resolve().parents[2]
VERSION = project_version(ROOT)
REPOSITORY = "ghcr.io/you/ocr-service"
DIGESTS = {"model-server": f"sha256:{'1' * 64}", "api-gateway": f"sha256:{'2' * 64}"}
EACH_CHART = pytest.mark.parametrize("chart", tools.CHARTS)


def script(
    name: str, *arguments: str | Path, major: int = 4, root: Path = ROOT, **env: str
) -> subprocess.CompletedProcess[str]:
    """Runs it with that Helm as `helm`."""
    command = [str(root / "scripts" / "release" / name), *map(str, arguments)]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "helm").symlink_to(tools.need_helm(major))
        env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", **env}
        return subprocess.run(command, cwd="/", env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module", params=tools.HELMS, ids=lambda major: f"Helm {major}")
def packages(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages of a release."""
    out = tmp_path_factory.mktemp("packages")
    source = "https://github.com/You/ocr-service"
    done = script("package_charts.sh", out, REPOSITORY, *DIGESTS.values(), major=int(request.param), SOURCE=source)
    assert done.returncode == 0, done.stderr
    return out


def rendered(package: Path | str, *arguments: str, major: int = 4) -> tools.Rendered:
    done = tools.run(
        tools.need_helm(major), "template", "some", str(package), f"--kube-version={tools.KUBERNETES}", *arguments
    )
    assert done.returncode == 0, done.stderr
    # Before what Helm pulled, it says what it pulled.
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest and "kind" in manifest]


def images(manifests: tools.Rendered) -> set[str]:
    """Of the Deployment and of the pod that tests it."""
    pods = [tools.pod(manifests), *tools.of_kind(manifests, "Pod")]
    return {container["image"] for pod in pods for container in pod["spec"]["containers"]}


@EACH_CHART
def test_a_package_installs_exactly_the_image_of_its_release(packages: Path, chart: str) -> None:
    for major in tools.HELMS:
        manifests = rendered(packages / f"{chart}-{VERSION}.tgz", major=major)
        assert images(manifests) == {f"{REPOSITORY}/{chart}@{DIGESTS[chart]}"}
        version = tools.one(manifests, "Deployment")["metadata"]["labels"]["app.kubernetes.io/version"]
        assert version == VERSION


@EACH_CHART
def test_nothing_else_differs_from_the_source(packages: Path, chart: str, tmp_path: Path) -> None:
    with tarfile.open(packages / f"{chart}-{VERSION}.tgz") as archive:
        archive.extractall(tmp_path, filter="data")
    values = yaml.safe_load((tmp_path / chart / "values.yaml").read_text())
    source = yaml.safe_load((ROOT / "charts" / chart / "values.yaml").read_text())
    assert values.pop("image") == {
        **source.pop("image"),
        "repository": f"{REPOSITORY}/{chart}",
        "digest": DIGESTS[chart],
    }
    assert values == source
    about = yaml.safe_load((tmp_path / chart / "Chart.yaml").read_text())
    assert (about["version"], str(about["appVersion"])) == (VERSION, VERSION)
    assert about["sources"] == ["https://github.com/You/ocr-service"], "by this a registry knows the repository"
    for path in (ROOT / "charts" / chart).rglob("*"):
        packed = tmp_path / chart / path.relative_to(ROOT / "charts" / chart)
        if path.is_file() and path.name not in {"values.yaml", "Chart.yaml", ".helmignore"}:
            assert packed.read_bytes() == path.read_bytes()


@EACH_CHART
def test_without_a_registry_the_packages_are_for_images_loaded_by_hand(chart: str, tmp_path: Path) -> None:
    assert script("package_charts.sh", tmp_path).returncode == 0
    assert images(rendered(tmp_path / f"{chart}-{VERSION}.tgz")) == {f"{chart}:{VERSION}"}


@pytest.mark.parametrize("digest", ["", "latest", "sha256:12", f"sha256:{'1' * 65}"])
def test_what_is_no_digest_is_refused(digest: str, tmp_path: Path) -> None:
    ended = script("package_charts.sh", tmp_path, REPOSITORY, DIGESTS["model-server"], digest)
    assert ended.returncode == 1
    assert f'the digest of api-gateway is "{digest}"' in ended.stderr


def test_a_values_file_that_was_rewritten_is_refused(tmp_path: Path) -> None:
    """Not packaged without the digest."""
    for name in ("charts", "scripts", "api_gateway", "docs"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    values = tmp_path / "charts/api-gateway/values.yaml"
    values.write_text(values.read_text().replace('  digest: ""', "  digest: null"))
    ended = script("package_charts.sh", tmp_path / "out", REPOSITORY, *DIGESTS.values(), root=tmp_path)
    assert ended.returncode == 1
    assert 'must have the line "  digest: """ once' in ended.stderr


@pytest.fixture(scope="module")
def registered(packages: Path) -> Iterator[tuple[str, type[registry.Store]]]:
    """A registry that has the charts."""
    with registry.serve() as (address, store):
        done = script("push_charts.sh", packages, f"{address}/you/ocr-service")
        assert done.returncode == 0, done.stderr
        yield address, store


@EACH_CHART
def test_a_pushed_chart_installs_from_the_registry(
    registered: tuple[str, type[registry.Store]], packages: Path, chart: str
) -> None:
    address, store = registered
    place = f"you/ocr-service/charts/{chart}"
    digest = (packages / f"chart-{chart}.digest").read_text().strip()
    assert store.manifests[place, VERSION] == store.manifests[place, digest]
    for major in tools.HELMS:
        by_version = rendered(f"oci://{address}/{place}", "--version", VERSION, "--plain-http", major=major)
        assert images(by_version) == {f"{REPOSITORY}/{chart}@{DIGESTS[chart]}"}
        assert rendered(f"oci://{address}/{place}@{digest}", "--plain-http", major=major) == by_version


def test_a_registry_that_refuses_is_an_error(packages: Path) -> None:
    ended = script("push_charts.sh", packages, "127.0.0.1:9/you/ocr-service")
    assert ended.returncode == 1
    assert ended.stderr
