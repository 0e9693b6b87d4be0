"""compose.yaml, without an engine."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from api_gateway.settings import Settings as GatewaySettings
from model_server.settings import Settings as ModelSettings
from service_kit.settings import ServiceSettings
from tests.images import dockerfile
from tests.images.dockerfile import ROOT

SERVICES: dict[str, tuple[str, type[ServiceSettings]]] = {
    "api-gateway": ("Dockerfile.gateway", GatewaySettings),
    "model-server": ("Dockerfile.model", ModelSettings),
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
    needed = fields["shutdown_delay_seconds"].default + fields["shutdown_grace_seconds"].default
    assert int(services[name]["stop_grace_period"].removesuffix("s")) > needed


def test_the_gateway_waits_for_the_model_server_and_is_the_only_one_outside(services: dict[str, Any]) -> None:
    gateway, model = services["api-gateway"], services["model-server"]
    assert gateway["depends_on"] == {"model-server": {"condition": "service_healthy"}}
    assert gateway["environment"]["API_GATEWAY_MODEL_SERVER_URL"] == "http://model-server:8080"
    assert [port.rpartition(":")[0].rpartition(":")[2] for port in gateway["ports"]] == ["8001"]
    assert "ports" not in model
    assert set(model["networks"]) < set(gateway["networks"])
    assert yaml.safe_load((ROOT / "compose.yaml").read_text())["networks"]["inside"]["internal"] is True
