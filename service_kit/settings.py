"""Settings: from prefixed environment variables or the command line, validated as a whole at start."""

from __future__ import annotations

import sys
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from service_kit.logs import LogFormat

MIB = 1 << 20


class ServiceSettings(BaseSettings):
    """What both services can be told."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        cli_kebab_case=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
        cli_implicit_flags=True,
        use_attribute_docstrings=True,
    )

    host: str = "0.0.0.0"  # noqa: S104 - a container's own address is not known beforehand
    """Address to listen on."""

    request_timeout_seconds: float = Field(default=30, gt=0, le=3600)
    """Longest time budget of a request; a client may ask for less with `X-Request-Timeout`."""

    header_timeout_seconds: float = Field(default=10, gt=0)
    """Time for a request's head to arrive; a connection that takes longer is closed."""

    body_idle_timeout_seconds: float = Field(default=10, gt=0)
    """Longest pause while a request's body arrives; then 408."""

    shutdown_delay_seconds: float = Field(default=1, ge=0)
    """Time between turning not-ready and closing the door, for load balancers to notice."""

    shutdown_grace_seconds: float = Field(default=35, gt=0)
    """Time for requests in flight to finish after the door is closed; above the request's budget."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe level that is logged."""

    log_format: LogFormat = "auto"
    """`json`, `text`, or `auto`: text where a terminal is attached, JSON elsewhere."""

    @classmethod
    def load(cls, program: str) -> Self:
        """Settings from the environment and `sys.argv`; exits with 2 and all that is wrong."""
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
    return f"`{default}`"
