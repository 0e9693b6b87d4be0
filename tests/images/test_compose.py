"""compose.yaml, without an engine."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from api_gateway.settings import GatewaySettings
from model_server.settings import ModelServerSettings
from service_kit import cgroup
from service_kit.settings import MIB, ServiceSettings
from tests.images import dockerfile
from tests.images.dockerfile import ROOT

SERVICES: dict[str, tuple[str, type[ServiceSettings]]] = {
    "api-gateway": ("Dockerfile.gateway", GatewaySettings),
    "model-server": ("Dockerfile.model", ModelServerSettings),
}
EACH = pytest.mark.parametrize("name", SERVICES)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return found


def test_there_are_the_two(services: dict[str, Any]) -> None:
    assert set(services) == set(SERVICES)


@EACH
def test_it_is_built_from_its_dockerfile(name: str, services: dict[str, Any]) -> None:
    file, _ = SERVICES[name]
    build = services[name]["build"]
    assert build["dockerfile"] == file
    declared = {line.partition("=")[0] for stage in dockerfile.read(file) for line in stage.all("ARG")}
    assert set(build.get("args", {})) <= declared


@EACH
def test_it_is_confined(name: str, services: dict[str, Any]) -> None:
    service = services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    places = ["/tmp", "/spool"] if name == "api-gateway" else ["/tmp"]
    assert [mount.partition(":")[0] for mount in service["tmpfs"]] == places
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}


@EACH
def test_its_variables_are_settings(name: str, services: dict[str, Any]) -> None:
    _, settings = SERVICES[name]
    prefix = settings.model_config["env_prefix"]
    for variable in services[name]["environment"]:
        assert variable.startswith(prefix)
        assert variable.removeprefix(prefix).lower() in settings.model_fields


@EACH
def test_it_has_the_time_to_stop(name: str, services: dict[str, Any]) -> None:
    fields = SERVICES[name][1].model_fields
    graces = [
        fields[name].default for name in ("shutdown_grace_seconds", "document_grace_seconds") if name in fields
    ]
    needed = fields["shutdown_delay_seconds"].default + max(graces)
    assert int(services[name]["stop_grace_period"].removesuffix("s")) > needed


@EACH
def test_its_memory_adds_up(name: str, services: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the files in its tmpfs, which count as memory of the container."""
    limits = services[name]["deploy"]["resources"]["limits"]
    monkeypatch.setattr(cgroup, "memory_limit", lambda: mebibytes(limits["memory"]) * MIB)
    monkeypatch.setattr(cgroup, "cpu_quota", lambda: float(limits["cpus"]))
    for variable, value in services[name]["environment"].items():
        if "${" not in value and not variable.endswith("_DIR"):
            monkeypatch.setenv(variable, value)
    settings: Any = SERVICES[name][1]()
    files = {place: mebibytes(options) for place, options in map(split_tmpfs, services[name]["tmpfs"])}
    if name == "api-gateway":
        assert settings.max_disk_mib < files["/spool"]
        assert settings.container_mib == mebibytes(limits["memory"]) - sum(files.values())
    else:
        assert settings.container_mib == mebibytes(limits["memory"])
        assert settings.tmp_mib == files["/tmp"]
    assert sum(settings.memory_rows().values()) <= settings.container_mib


def split_tmpfs(mount: str) -> tuple[str, str]:
    place, _, options = mount.partition(":size=")
    return place, options.partition(",")[0]


def mebibytes(size: str) -> int:
    """As Docker writes it, such as 16m or 2g."""
    return int(size[:-1]) * {"m": 1, "g": 1024}[size[-1]]


def test_the_gateway_waits_for_the_model_server_and_is_the_only_one_outside(services: dict[str, Any]) -> None:
    gateway, model = services["api-gateway"], services["model-server"]
    assert gateway["depends_on"] == {"model-server": {"condition": "service_healthy"}}
    assert gateway["environment"]["API_GATEWAY_MODEL_SERVER_URL"] == "http://model-server:8080"
    assert [port.rpartition(":")[0].rpartition(":")[2] for port in gateway["ports"]] == ["8001"]
    assert "ports" not in model
    assert set(model["networks"]) < set(gateway["networks"])
    assert yaml.safe_load((ROOT / "compose.yaml").read_text())["networks"]["inside"]["internal"] is True
