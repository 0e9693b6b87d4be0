"""Every command of docs/argo-cd.md prints what is written under it: sync, diff, upgrade and rollback by tags.

To write what they print now into the file: E2E_REWRITE=1.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.charts.tools import merged
from tests.e2e.cluster import delete_namespace, kubectl
from tests.e2e.release import BASE
from tests.e2e.test_argo_cd import NAMES, ArgoCD, Repository, applications_gone

pytestmark = pytest.mark.timeout(900)

DOCS = Path("docs/argo-cd.md")
WRITTEN_URL = "https://github.com/you/ocr-service.git"
BLOCK = re.compile(r"```console\n(.*?)\n```", re.DOTALL)
VOLATILE = [
    (re.compile(r"\([0-9a-f]{7}\)"), "(1a2b3c4)"),
    (re.compile(r"^\d+c\d+$", re.MULTILINE), "8c8"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+\d{4} \w+"), "2026-11-28 12:00:00 +0000 UTC"),
    (re.compile(r"^(URL: +)\S+", re.MULTILINE), r"\1https://argocd.example.com/applications/model-server"),
    (re.compile(r"^(< +checksum/config:) [0-9a-f]{64}$", re.MULTILINE), r"\1 5feceb66…"),
    (re.compile(r"^(> +checksum/config:) [0-9a-f]{64}$", re.MULTILINE), r"\1 6b86b273…"),
]


class Story:
    """The repository of the page, with both tags, and the commands of the page in it."""

    def __init__(self, repository: Repository, argo_cd: ArgoCD) -> None:
        self._repository = repository
        self._env = {**os.environ, "ARGOCD_OPTS": f"--config {argo_cd.config}"}

    def prints(self, command: str) -> str:
        """What a command prints, with the page's names."""
        run = command.replace(WRITTEN_URL, self._repository.url).replace("&& git push -q", "")
        run = re.sub(
            r"^make fork REPO=(\S+) REVISION=(\S+)", rf"{sys.executable} -m scripts.point_at_fork \1 \2", run
        )
        done = subprocess.run(
            ["bash", "-c", run],
            cwd=self._repository.folder,
            env={**self._env, "PYTHONPATH": str(Path.cwd())},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return steady(done.stdout.replace(self._repository.url, WRITTEN_URL))


def steady(text: str) -> str:
    for pattern, instead in VOLATILE:
        text = pattern.sub(instead, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    argo_cd = ArgoCD(tmp_path_factory.mktemp("argocd") / "config")
    repository = Repository(tmp_path_factory.mktemp("git") / "ocr-service", revision="v1.4.0")
    for name in NAMES:
        path = repository.folder / "argo-cd" / "environments" / "development" / f"{name}.yaml"
        path.write_text(yaml.safe_dump(merged(yaml.safe_load(path.read_text()) or {}, BASE[name])))
    repository.git("config", "user.name", "e2e")
    repository.git("config", "user.email", "e2e@example.org")
    first = repository.commit("Version 1.4.0")
    repository.git("tag", "v1.4.0")
    repository.set_values("model-server", "Version 1.5.0", config={"logLevel": "warning"})
    repository.git("tag", "v1.5.0")
    delete_namespace("ocr")
    for manifest in ("app-project", "applicationset-model-server", "applicationset-api-gateway"):
        kubectl("apply", "-f", str(repository.folder / "argo-cd" / f"{manifest}.yaml"))
    try:
        for name in NAMES:
            argo_cd.wait(name, first)
        yield Story(repository, argo_cd)
    finally:
        applications_gone()


def test_every_command_prints_what_is_written_under_it(story: Story) -> None:
    rewritten = text = DOCS.read_text()
    for block in BLOCK.findall(text):
        commands = [line.removeprefix("$ ") for line in block.split("\n") if line.startswith("$ ")]
        shown = "\n".join(f"$ {command}\n{story.prints(command)}".rstrip() for command in commands)
        if os.environ.get("E2E_REWRITE"):
            rewritten = rewritten.replace(f"```console\n{block}\n```", f"```console\n{shown}\n```", 1)
        else:
            assert shown == steady(block)
    DOCS.write_text(rewritten)
