"""`make minikube`, with programs that only write down how they were called. Minikube itself is not tried here."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from scripts.release.version import project_version
from tests.needs import program

VERSION = project_version(Path())
SCRIPT = Path("scripts/minikube.sh")
RECORDER = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case "$(basename "$0") $*" in
    *"get application "*) printf 'Synced Healthy' ;;
    "git ls-remote"*) exit "${GIT_SAYS:-0}" ;;
esac
"""


def run(tmp_path: Path, *arguments: str, **environment: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    calls = tmp_path / "calls"
    calls.touch()
    for name in ("minikube", "kubectl", "helm", "docker", "git"):
        (tmp_path / name).write_text(RECORDER)
        (tmp_path / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin", "CALLS": str(calls), **environment}
    done = subprocess.run(["bash", str(SCRIPT), *arguments], env=env, capture_output=True, text=True, check=False)
    return done, calls.read_text().splitlines()


def test_the_whole_way(tmp_path: Path) -> None:
    done, calls = run(tmp_path, "up")
    assert done.returncode == 0, done.stderr
    assert "minikube start --profile minikube --driver=docker --memory=2048 --cpus=2" in calls
    charts = [call for call in calls if " upgrade --install " in call]
    assert ["argocd" in charts[0], "prometheus" in charts[1], "grafana" in charts[2]] == [True] * 3
    for call in charts:
        assert Path(call.partition("--values ")[2].split()[0]).is_file()
    assert f"minikube image load --profile minikube model-server:{VERSION} api-gateway:{VERSION}" in calls
    (apply,) = [call for call in calls if " apply " in call]
    for path in sorted(Path("argo-cd").glob("application*.yaml")):
        assert str(path) in apply
    assert done.stdout.count("\n== ") == 11
    assert "curl -F image_file=@charts/api-gateway/files/hello.png" in done.stdout


def test_every_call_names_its_cluster(tmp_path: Path) -> None:
    _, calls = run(tmp_path, "up", PROFILE="mine")
    for call in calls:
        name, _, rest = call.partition(" ")
        assert name not in {"kubectl", "minikube"} or "mine" in rest.split(), call
        assert name != "helm" or rest.startswith(("repo ", "--kube-context mine ")), call


def test_versions_are_those_of_the_documentation(tmp_path: Path) -> None:
    _, calls = run(tmp_path, "up")
    text = Path("docs/kubernetes.md").read_text()
    for call in calls:
        if " upgrade --install " in call:
            words = call.split()
            assert f"{words[words.index('--install') + 2]} --version {words[words.index('--version') + 1]}" in text


def test_a_repository_out_of_reach_is_said_before_anything_is_begun(tmp_path: Path) -> None:
    done, calls = run(tmp_path, "up", GIT_SAYS="2")
    assert done.returncode == 1
    assert "make fork REPO=" in done.stderr
    assert [call.split()[0] for call in calls] == ["git"]


def test_down(tmp_path: Path) -> None:
    done, calls = run(tmp_path, "down")
    assert done.returncode == 0
    assert calls == ["minikube delete --profile minikube"]


@pytest.mark.parametrize("script", sorted(Path("scripts").glob("*.sh")), ids=lambda path: path.name)
def test_shellcheck_has_no_complaint(script: Path) -> None:
    done = subprocess.run(
        [program("shellcheck", "https://www.shellcheck.net"), str(script)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
