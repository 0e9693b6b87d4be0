"""The rules for Prometheus, as the project ships them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

GROUPS: list[dict[str, Any]] = yaml.safe_load(Path("prometheus/alerts.yaml").read_text())["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
RECORDS: dict[str, str] = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}
ALERTS: list[dict[str, Any]] = [rule for rule in RULES if "alert" in rule]

_RECORDED = re.compile(r"\b(\w+:\w+)(?:\[(\w+)\])?")


def raw(expression: str) -> str:
    """The expression for a Prometheus without the recording rules: what they record stands in their place."""

    def unfold(found: re.Match[str]) -> str:
        name, window = found.groups()
        return f"({RECORDS[name].strip()})" + (f"[{window}:15s]" if window else "")

    return _RECORDED.sub(unfold, expression)
