"""Settings from prefixed environment variables or the command line, validated together at start."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from service_kit import cgroup
from service_kit.logs import LogFormat

MIB = 1 << 20
_PORT = r"[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5]"
HTTP_URL = rf"^https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:({_PORT}))?/?$"
"""The address of a server, without a path; also a pattern of JSON Schema, for the chart."""


class ServiceSettings(BaseSettings):
    """Settings of both services."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        cli_kebab_case=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
        cli_implicit_flags=True,
        use_attribute_docstrings=True,
    )

    host: str = "0.0.0.0"  # noqa: S104 - a container's address is not known in advance
    """Address to listen on."""

    port: int = Field(ge=1, le=65535)
    """Port to listen on."""

    request_timeout_seconds: float = Field(default=30, gt=0, le=3600)
    """Maximum time for a request; a client may set a shorter time with `X-Request-Timeout`."""

    header_timeout_seconds: float = Field(default=10, gt=0)
    """Maximum time to receive a request's head; slower connections are closed."""

    body_idle_timeout_seconds: float = Field(default=10, gt=0)
    """Maximum pause while receiving a request's body; longer pauses get 408."""

    min_rate_kib_per_second: float = Field(default=8, gt=0)
    """Minimum average rate at which a client must send its body and read its answer. Slower uploads get 408;
    slower readers are disconnected."""

    shutdown_delay_seconds: float = Field(default=1, ge=0)
    """Time between reporting not ready and refusing new connections, for load balancers to react."""

    shutdown_grace_seconds: float = Field(default=35, gt=0)
    """Time for requests in flight to finish after new connections are refused; at least
    `REQUEST_TIMEOUT_SECONDS`."""

    memory_mib: int = Field(default=0, ge=0)
    """Memory of the container in MiB; 0: the limit of its control group, or half of the machine's memory."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest level that is logged."""

    log_format: LogFormat = "auto"
    """`json`, `text`, or `auto`: text on a terminal, otherwise JSON."""

    @cached_property
    def container_mib(self) -> int:
        return self.memory_mib or cgroup.available_mib()

    def common_faults(self) -> Iterator[str]:
        """What is wrong with settings that both services have."""
        if self.shutdown_grace_seconds < self.request_timeout_seconds:
            yield "SHUTDOWN_GRACE_SECONDS must not be below REQUEST_TIMEOUT_SECONDS"
        limit = cgroup.memory_limit()
        if limit is not None and self.memory_mib * MIB > limit:
            yield f"MEMORY_MIB={self.memory_mib} is above the container's limit, {limit // MIB} MiB"

    def child_environment(self) -> dict[str, str]:
        """The environment without this service's variables and those of traces, because some are secret."""
        own = str(self.model_config.get("env_prefix", "")).upper(), "OTEL_"
        return {name: value for name, value in os.environ.items() if not name.upper().startswith(own)}

    @classmethod
    def load(cls, program: str) -> Self:
        """Settings from the environment and `sys.argv`; exits with a list of all errors."""
        try:
            return cls(_cli_parse_args=True, _cli_prog_name=program)
        except ValidationError as error:
            prefix = str(cls.model_config.get("env_prefix", ""))
            sys.exit("\n".join([f"{program}: settings are wrong", *_faults(error, prefix)]))


def _faults(error: ValidationError, prefix: str) -> list[str]:
    return [
        f"  {prefix}{'.'.join(map(str, fault['loc'])).upper() or 'SETTINGS'}: {fault['msg']}"
        for fault in error.errors(include_input=False, include_url=False)
    ]


def table(settings: type[ServiceSettings]) -> str:
    """The settings as a Markdown table."""
    prefix = str(settings.model_config.get("env_prefix", ""))
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in settings.model_fields.items():
        meaning = " ".join((field.description or "").split())
        rows.append(f"| `{prefix}{name.upper()}` | {_shown(field.default)} | {meaning} |")
    return "\n".join(rows)


def _shown(default: Any) -> str:
    if default in (None, "", ()) or isinstance(default, SecretStr):
        return ""
    return f"`{', '.join(default) if isinstance(default, tuple) else default}`"
