"""The workflows of GitHub: valid, pinned, with few rights, and made of this repository's scripts."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import needs

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
EACH_WORKFLOW = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def read(path: Path) -> dict[Any, Any]:
    workflow: dict[Any, Any] = yaml.safe_load(path.read_text())
    return workflow


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = read(path)["jobs"]
    return found


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in jobs(path).values():
        yield from job.get("steps", [])


def workflow(name: str) -> Path:
    return ROOT / ".github" / "workflows" / f"{name}.yml"


def test_actionlint_has_no_complaint() -> None:
    """It also has shellcheck look at each command."""
    actionlint = needs.program("actionlint", "scripts/test_programs.sh installs it")
    needs.program("shellcheck", "Debian: shellcheck")
    done = subprocess.run([actionlint, *map(str, WORKFLOWS)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@EACH_WORKFLOW
def test_each_action_is_pinned_to_a_commit(path: Path) -> None:
    """With the version that it had then as a comment, by which Dependabot updates both."""
    used = re.findall(r"uses: (.+)$", path.read_text(), re.MULTILINE)
    assert used
    for action in used:
        assert action.startswith("./") or re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)


def test_an_action_has_one_version_in_all_workflows() -> None:
    used = {line for path in WORKFLOWS for line in re.findall(r"uses: ([^.].+)$", path.read_text(), re.MULTILINE)}
    names = [line.partition("@")[0] for line in used]
    assert len(names) == len(set(names))


@EACH_WORKFLOW
def test_it_reads_only_unless_a_job_says_more(path: Path) -> None:
    assert read(path)["permissions"] == {"contents": "read"}
    may_write = {
        name: {right for right, level in job.get("permissions", {}).items() if level == "write"}
        for name, job in jobs(path).items()
        if "write" in job.get("permissions", {}).values()
    }
    if path.stem == "release":
        publishing = {"attestations", "contents", "id-token", "packages"}
        assert may_write == {"build": {"packages"}, "publish": publishing}
    else:
        assert may_write == {}


@EACH_WORKFLOW
def test_every_job_ends_in_time_and_keeps_no_credentials(path: Path) -> None:
    for job in jobs(path).values():
        assert "uses" in job or job["timeout-minutes"] <= 100
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@EACH_WORKFLOW
def test_no_command_has_an_expression_put_into_it(path: Path) -> None:
    """A branch's name would be run as a command; variables of the environment are not."""
    for step in steps(path):
        assert "${{" not in step.get("run", "")


@EACH_WORKFLOW
def test_the_scripts_that_it_runs_are_there(path: Path) -> None:
    for step in steps(path):
        commands = re.findall(r"(?:^|[\s(])(bash )?((?:\.ci/|scripts/|docker_)[\w./]+)", step.get("run", ""))
        for bash, name in commands:
            assert bash or (ROOT / name).stat().st_mode & 0o111
            assert (ROOT / name).is_file()
        for name in re.findall(r"-m (scripts[\w.]+)", step.get("run", "")):
            assert (ROOT / f"{name.replace('.', '/')}.py").is_file()
        for name in re.findall(r"make (\w+)", step.get("run", "")):
            assert f"\n{name}:" in (ROOT / "Makefile").read_text()


def test_ci_runs_what_a_developer_runs() -> None:
    commands = [step["run"] for step in steps(workflow("ci")) if "run" in step]
    assert any(command.endswith("bash .ci/run") for command in commands)
    events = read(workflow("ci"))[True]  # YAML reads `on` so
    assert set(events) == {"pull_request", "push", "schedule", "workflow_call"}
    assert events["push"] == {"branches": ["main"]}


def test_a_release_is_a_tag_and_passes_ci_first() -> None:
    assert read(workflow("release"))[True] == {"push": {"tags": ["v*"]}}
    release = jobs(workflow("release"))
    assert release["ci"]["uses"] == "./.github/workflows/ci.yml"
    assert "ci" in release["build"]["needs"]
    assert "build" in release["publish"]["needs"]


def test_each_platform_is_built_on_its_own_machine_and_tried_before_it_gets_a_tag() -> None:
    build = jobs(workflow("release"))["build"]
    machines = {one["architecture"]: one["runner"] for one in build["strategy"]["matrix"]["include"]}
    assert machines.keys() == {"amd64", "arm64"}
    assert [name for name, runner in machines.items() if runner.endswith("-arm")] == ["arm64"]
    commands = [step["run"] for step in build["steps"] if "run" in step]
    assert [command.split()[0].rpartition("/")[2] for command in commands] == [
        "build_image.sh",
        "build_image.sh",
        "try_images.sh",
    ]
    assert build["env"]["BASE_IMAGE"] == "${{ needs.prepare.outputs.base }}", "one base, by its digest, for all"


def test_all_that_is_published_is_signed_attested_and_verified() -> None:
    order = [step.get("run") or step["uses"] for step in jobs(workflow("release"))["publish"]["steps"]]
    text = "\n".join(order)
    scripts = re.findall(r"scripts/release/(\w+)\.sh", text)
    assert scripts == [
        *["join_platforms"] * 2,
        *("package_charts", "push_charts", "sign", "verify", "github_release"),
    ]
    attested = [
        step["with"]["subject-name"].rpartition("REPOSITORY }}/")[2]
        for step in steps(workflow("release"))
        if step.get("uses", "").startswith("actions/attest@")
    ]
    assert attested == ["model-server", "api-gateway", "charts/model-server", "charts/api-gateway"]


@pytest.mark.parametrize(
    "script",
    sorted([*(ROOT / "scripts").glob("*.sh"), *(ROOT / "scripts" / "release").glob("*.sh"), ROOT / ".ci" / "run"]),
    ids=lambda path: path.name,
)
def test_shellcheck_accepts_the_scripts(script: Path) -> None:
    shellcheck = needs.program("shellcheck", "Debian: shellcheck")
    done = subprocess.run([shellcheck, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
