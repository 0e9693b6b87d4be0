"""Argo CD, from a Git repository to pods, and what it does when someone or something interferes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import point_at_fork
from tests.charts.tools import merged
from tests.e2e.cluster import (
    GATEWAY_URL,
    delete_namespace,
    eventually,
    kubectl,
    name_of,
    objects,
    pods,
    ready,
    run,
    upload,
)
from tests.e2e.load import Load
from tests.e2e.release import BASE

pytestmark = pytest.mark.timeout(600)

NAMESPACE = "ocr"
NAMES = ("model-server", "api-gateway")


class Repository:
    """A Git repository with the charts and the manifests, as Argo CD reads it."""

    def __init__(self, folder: Path, revision: str = "main") -> None:
        self.folder = folder
        self.url = os.environ.get("E2E_GIT_URL", f"file://{folder}")
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")
        for part in ("charts", "argo-cd", "grafana", "prometheus"):
            shutil.copytree(part, folder / part, dirs_exist_ok=True)
        point_at_fork.point(folder, self.url, revision)
        self.commit("The bundle")

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=e2e", "-c", "user.email=e2e@example.org")
        return run("git", "-C", str(self.folder), *identity, *arguments).stdout.strip()

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def set_values(self, chart: str, message: str, **changes: Any) -> str:
        """Commit changed values.yaml of a chart."""
        path = self.folder / "charts" / chart / "values.yaml"
        path.write_text(yaml.safe_dump(merged(yaml.safe_load(path.read_text()), changes)))
        return self.commit(message)

    def manifests(self) -> str:
        """The three manifests, with what this cluster needs in the ApplicationSets' values."""
        project = yaml.safe_load((self.folder / point_at_fork.PROJECT).read_text())
        documents = [project]
        for path in point_at_fork.SETS:
            manifest = yaml.safe_load((self.folder / path).read_text())
            for element in manifest["spec"]["generators"][0]["list"]["elements"]:
                element["values"] = yaml.safe_dump(BASE[element["name"]])
            documents.append(manifest)
        return yaml.safe_dump_all(documents)


class ArgoCD:
    def __init__(self, config: Path) -> None:
        self.config = str(config)
        server = os.environ.get("E2E_ARGOCD_SERVER", "127.0.0.1:8080")
        password = os.environ.get("E2E_ARGOCD_PASSWORD", "")
        assert password, "E2E_ARGOCD_PASSWORD: the password of Argo CD's admin"
        self("login", server, "--plaintext", "--username", "admin", "--password", password)

    def __call__(self, *arguments: str, check: bool = True) -> Any:
        return run("argocd", "--config", self.config, *arguments, check=check)

    def refresh(self, name: str) -> dict[str, Any]:
        """The Application, after another look at Git."""
        found: dict[str, Any] = json.loads(self("app", "get", name, "--refresh", "-o", "json").stdout)
        return found

    def state(self, name: str) -> tuple[str, str, str]:
        status = self.refresh(name).get("status", {})
        sync = status.get("sync", {})
        return sync.get("status", ""), status.get("health", {}).get("status", ""), sync.get("revision", "")

    def wait(self, name: str, revision: str, *, health: str = "Healthy") -> None:
        wanted = ("Synced", health, revision)
        eventually(lambda: self.state(name) == wanted, f"{name} to be {wanted}", seconds=300, every=2)


@pytest.fixture(scope="module")
def argo_cd(tmp_path_factory: pytest.TempPathFactory) -> ArgoCD:
    return ArgoCD(tmp_path_factory.mktemp("argocd") / "config")


@pytest.fixture(scope="module")
def repository(argo_cd: ArgoCD, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    folder = os.environ.get("E2E_GIT_DIR")
    made = Repository(Path(folder) if folder else tmp_path_factory.mktemp("git") / "ocr-service")
    delete_namespace(NAMESPACE)
    kubectl("apply", "-f", "-", stdin=made.manifests())
    try:
        for name in NAMES:
            eventually(lambda name=name: known(name), f"an Application for {name}")  # type: ignore[misc]
            argo_cd.wait(name, made.git("rev-parse", "HEAD"))
        yield made
    finally:
        if os.environ.get("E2E_KEEP") is None:
            applications_gone()


def applications_gone() -> None:
    kubectl("-n", "argocd", "delete", "applicationset", *NAMES)
    eventually(lambda: not any(known(name) for name in NAMES), "the Applications gone", seconds=240)
    kubectl("-n", "argocd", "delete", "appproject", "ocr-service")
    delete_namespace(NAMESPACE)


def known(name: str) -> bool:
    return bool(kubectl("-n", "argocd", "get", "application", name, "--ignore-not-found", "-o", "name").stdout)


def setting(key: str) -> str:
    (config,) = objects(NAMESPACE, "configmap", "model-server")
    return str(config["data"][key])


def test_both_applications_are_synced_and_healthy(repository: Repository, argo_cd: ArgoCD) -> None:
    head = repository.git("rev-parse", "HEAD")
    for name in NAMES:
        assert argo_cd.state(name) == ("Synced", "Healthy", head)
        for pod in pods(NAMESPACE, name):
            assert name_of(pod).startswith(f"{name}-")
            assert ready(pod)


def test_the_namespace_enforces_the_restricted_standard(repository: Repository) -> None:
    (namespace,) = objects("default", "namespace", NAMESPACE)
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_a_picture_sent_by_curl_comes_back_as_text(repository: Repository) -> None:
    picture = "image_file=@charts/api-gateway/files/hello.png"
    done = run("curl", "-sS", "--fail-with-body", "-F", picture, f"{GATEWAY_URL}/gateway/ocr?format=text")
    assert done.stdout.split() == ["HELLO", "2026"]


@pytest.mark.parametrize("name", NAMES)
def test_a_sync_by_hand_works_and_there_is_no_difference(
    repository: Repository, argo_cd: ArgoCD, name: str
) -> None:
    argo_cd("app", "sync", name)
    assert argo_cd("app", "diff", name, "--refresh").stdout == ""


def test_an_edit_by_hand_is_undone(repository: Repository, argo_cd: ArgoCD) -> None:
    kubectl("-n", NAMESPACE, "scale", "deployment/model-server", "--replicas=3")
    kubectl(
        "-n",
        NAMESPACE,
        "patch",
        "configmap/model-server",
        "--type=merge",
        "--patch",
        '{"data": {"MODEL_SERVER_LOG_LEVEL": "debug"}}',
    )

    def healed() -> bool:
        (deployment,) = objects(NAMESPACE, "deployment", "model-server")
        return deployment["spec"]["replicas"] == 1 and setting("MODEL_SERVER_LOG_LEVEL") == "info"

    eventually(healed, "the edits undone")
    argo_cd.wait("model-server", repository.git("rev-parse", "HEAD"))


def test_a_deleted_object_comes_back(repository: Repository, argo_cd: ArgoCD, hello: bytes) -> None:
    kubectl("-n", NAMESPACE, "delete", "service", "model-server")
    eventually(
        lambda: kubectl("-n", NAMESPACE, "get", "service", "model-server", check=False).returncode == 0,
        "the Service back",
    )
    argo_cd.wait("model-server", repository.git("rev-parse", "HEAD"))
    # It has another address now, and names are cached for seconds.
    eventually(lambda: upload(hello).status_code == 200, "the gateway finding it")


def test_a_commit_that_changes_a_value_rolls_out_without_a_lost_request(
    repository: Repository, argo_cd: ArgoCD, hello: bytes
) -> None:
    before = {name_of(pod) for pod in pods(NAMESPACE, "model-server")}
    with Load(hello).running() as load:
        revision = repository.set_values("model-server", "Say more", config={"logLevel": "warning"})
        argo_cd.wait("model-server", revision)
    assert setting("MODEL_SERVER_LOG_LEVEL") == "warning"
    assert not before & {name_of(pod) for pod in pods(NAMESPACE, "model-server")}
    assert load.bad() == []


def test_a_broken_commit_leaves_the_old_pods_serving(
    repository: Repository, argo_cd: ArgoCD, hello: bytes
) -> None:
    path = repository.folder / "charts" / "model-server" / "values.yaml"
    good = path.read_text()
    before = {name_of(pod) for pod in pods(NAMESPACE, "model-server")}
    with Load(hello).running() as load:
        # The installation's own values have the tag: what breaks here is a setting that the service refuses.
        repository.set_values(
            "model-server", "Break it", extraEnv=[{"name": "MODEL_SERVER_MAX_QUEUE", "value": "no"}]
        )

        def stuck() -> bool:
            argo_cd.refresh("model-server")
            new = [pod for pod in pods(NAMESPACE, "model-server") if name_of(pod) not in before]
            statuses = [status for pod in new for status in pod["status"].get("containerStatuses", [])]
            return any(status["restartCount"] > 0 and not status["ready"] for status in statuses)

        eventually(stuck, "the new pod failing", seconds=180)
        assert {name_of(pod) for pod in pods(NAMESPACE, "model-server") if ready(pod)} == before
        path.write_text(good)
        argo_cd.wait("model-server", repository.commit("Mend it"))
    assert load.bad() == []
    assert {name_of(pod) for pod in pods(NAMESPACE, "model-server")} == before


def test_a_chart_that_does_not_render_changes_nothing(
    repository: Repository, argo_cd: ArgoCD, hello: bytes
) -> None:
    template = repository.folder / "charts" / "model-server" / "templates" / "deployment.yaml"
    good = template.read_text()
    template.write_text("{{ fail `broken on purpose` }}")
    repository.commit("Break the template")

    def complains() -> bool:
        conditions = argo_cd.refresh("model-server").get("status", {}).get("conditions", [])
        return any("broken on purpose" in condition["message"] for condition in conditions)

    eventually(complains, "Argo CD complaining")
    assert upload(hello).status_code == 200
    template.write_text(good)
    argo_cd.wait("model-server", repository.commit("Mend the template"))


def test_the_autoscaler_and_argo_cd_do_not_pull_at_the_same_field(repository: Repository, argo_cd: ArgoCD) -> None:
    scaled = {"enabled": True, "minReplicas": 2, "maxReplicas": 3}
    revision = repository.set_values("model-server", "Scale by load", autoscaling=scaled)
    argo_cd.wait("model-server", revision)
    eventually(lambda: len([pod for pod in pods(NAMESPACE, "model-server") if ready(pod)]) == 2, "two pods")
    argo_cd.wait("model-server", revision)
    assert argo_cd("app", "diff", "model-server", "--refresh").stdout == ""
    (deployment,) = objects(NAMESPACE, "deployment", "model-server")
    assert deployment["spec"]["replicas"] == 2
    revision = repository.set_values("model-server", "And back", autoscaling={"enabled": False})
    argo_cd.wait("model-server", revision)
    assert not objects(NAMESPACE, "hpa"), "pruned"


def test_the_project_keeps_other_kinds_out(repository: Repository, argo_cd: ArgoCD) -> None:
    stranger = repository.folder / "charts" / "model-server" / "templates" / "stranger.yaml"
    stranger.write_text("apiVersion: v1\nkind: LimitRange\nmetadata: {name: stranger}\nspec: {limits: []}\n")
    repository.commit("Bring another kind")

    def refused() -> bool:
        status = argo_cd.refresh("model-server").get("status", {})
        return "LimitRange" in str(status.get("conditions", "")) + str(status.get("operationState", ""))

    eventually(refused, "the kind refused")
    assert not objects(NAMESPACE, "limitrange")
    stranger.unlink()
    argo_cd.wait("model-server", repository.commit("Take it away"))

    def done() -> bool:
        operation = argo_cd.refresh("model-server")["status"]["operationState"]
        return str(operation["phase"]) == "Succeeded"

    eventually(done, "the mended commit synced, without a hand")
