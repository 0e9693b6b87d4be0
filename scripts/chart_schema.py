"""Write the part `config` of each chart's values.schema.json from the service's settings.

python -m scripts.chart_schema [--check]

A value of `config` is a setting of the service, so its type and its bounds stand in one place, settings.py. `null`
means that the service uses its own default.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from api_gateway.settings import GatewaySettings
from model_server.settings import ModelServerSettings
from service_kit.settings import ServiceSettings

CHARTS: dict[Path, type[ServiceSettings]] = {
    Path("charts/api-gateway"): GatewaySettings,
    Path("charts/model-server"): ModelServerSettings,
}
NEEDED = {"modelName", "modelServerUrl", "requestTimeoutSeconds"}  # by the templates, so that they cannot be null
KEPT = ("type", "enum", "pattern", "items", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")


def main() -> None:
    stale = [chart for chart, settings in CHARTS.items() if not write(chart, settings, "--check" in sys.argv)]
    if stale:
        sys.exit(f"Not up to date: {', '.join(map(str, stale))}. Run python -m scripts.chart_schema.")


def write(chart: Path, settings: type[ServiceSettings], only_check: bool) -> bool:
    """Update the chart's schema; returns whether it is up to date."""
    file = chart / "values.schema.json"
    before = file.read_text()
    schema = json.loads(before)
    config = yaml.safe_load((chart / "values.yaml").read_text())["config"]
    schema["properties"]["config"]["properties"] = properties(settings, config)
    after = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    if not only_check:
        file.write_text(after)
    return not only_check or before == after


def properties(settings: type[ServiceSettings], config: dict[str, Any]) -> dict[str, Any]:
    known = settings.model_json_schema()["properties"]
    return {key: of(known[snake(key)], null=key not in NEEDED) for key in config}


def of(setting: dict[str, Any], *, null: bool) -> dict[str, Any]:
    """The schema of a value from that of its setting."""
    kept = {name: setting[name] for name in KEPT if name in setting}
    if null:
        kept["type"] = [kept["type"], "null"]
        if "enum" in kept:
            kept["enum"] = [*kept["enum"], None]
    return kept


def snake(key: str) -> str:
    """`maxUploadMib` -> `max_upload_mib`."""
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", key)


if __name__ == "__main__":
    main()
