"""Draw the dashboard's panels from a Prometheus, where there is no Grafana.

python -m scripts.draw_dashboard http://127.0.0.1:9090 docs/dashboard.png --namespace ocr

Each panel's own queries are asked, as Grafana would ask them. The picture says that Grafana did not draw it.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, PercentFormatter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.ticker import Formatter

DASHBOARD = Path("grafana/ocr-service.json")
WIDTH = 24  # units of Grafana's grid
UNIT_INCHES = 0.62, 0.3  # of such a unit
STEP_SECONDS = 15
RATE_INTERVAL = "1m"  # four scrapes, as Grafana chooses it
MOST_IN_LEGEND = 4  # the largest ones
LONGEST_NAME = 36
NO_LABEL = re.compile(r"{{\w+}}")
UNITS: dict[str, Formatter] = {
    "s": EngFormatter("s"),
    "bytes": EngFormatter("B"),
    "percentunit": PercentFormatter(1.0),
    "reqps": FuncFormatter(lambda value, _: f"{value:g}/s"),
}

TITLE = "The dashboard's queries, answered by Prometheus; drawn by scripts/draw_dashboard.py, not by Grafana"

Series = tuple[str, list[float], list[float]]  # name, minutes from now, values


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("prometheus", help="URL of the Prometheus")
    parser.add_argument("picture", type=Path, help="PNG to write")
    parser.add_argument("--namespace", default=".+", help="regular expression, as in the dashboard's variable")
    parser.add_argument("--release", default=".+", help="likewise")
    parser.add_argument("--minutes", type=int, default=15, help="until now")
    given = parser.parse_args(arguments)
    panels = json.loads(DASHBOARD.read_text())["panels"]
    variables = {"$namespace": given.namespace, "$release": given.release, "$__rate_interval": RATE_INTERVAL}
    with httpx.Client(base_url=given.prometheus, trust_env=False, timeout=30) as prometheus:
        draw(panels, given.picture, lambda target: ask(prometheus, target, variables, 60 * given.minutes))


def ask(prometheus: httpx.Client, target: dict[str, Any], variables: dict[str, str], seconds: int) -> list[Series]:
    """The series of one query, with the names that its legend gives them."""
    expression = target["expr"]
    for name, value in variables.items():
        expression = expression.replace(name, value)
    now = time.time()
    form = {"query": expression, "start": str(now - seconds), "end": str(now), "step": str(STEP_SECONDS)}
    answer = prometheus.post("/api/v1/query_range", data=form)
    answer.raise_for_status()
    found = []
    for series in answer.json()["data"]["result"]:
        name = target.get("legendFormat") or "{{__name__}}"
        for label, value in series["metric"].items():
            name = name.replace(f"{{{{{label}}}}}", value)
        name = " ".join(NO_LABEL.sub("", name).split())[:LONGEST_NAME]
        times = [(float(at) - now) / 60 for at, _ in series["values"]]
        found.append((name, times, [float(value) for _, value in series["values"]]))
    return found


def draw(panels: list[dict[str, Any]], picture: Path, asked: Any) -> None:
    """`asked` gives the series of a target."""
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    figure = Figure(figsize=(WIDTH * UNIT_INCHES[0], (rows + 2) * UNIT_INCHES[1]), dpi=80)
    high = rows + 2
    figure.text(
        0.01,
        1 - 1 / high,
        TITLE,
        fontsize=11,
        va="center",
    )
    for panel in panels:
        grid = panel["gridPos"]
        left, top = grid["x"] / WIDTH, 1 - (grid["y"] + 2) / high
        if panel["type"] == "row":
            figure.text(left + 0.01, top - 0.5 / high, panel["title"], fontsize=11, weight="bold", va="center")
            continue
        box = (left + 0.03, top - (grid["h"] - 1) / high, grid["w"] / WIDTH - 0.045, (grid["h"] - 2.4) / high)
        axes = figure.add_axes(box)
        axes.set_title(panel["title"], fontsize=9, loc="left")
        show(axes, panel, [series for target in panel["targets"] for series in asked(target)])
    figure.savefig(picture, metadata={"Software": None})


def show(axes: Axes, panel: dict[str, Any], found: list[Series]) -> None:
    formatter = UNITS.get(panel["fieldConfig"]["defaults"]["unit"])
    if panel["type"] == "stat":
        text = (
            formatter(found[0][2][-1]) if formatter and found else f"{found[0][2][-1]:g}" if found else "no data"
        )
        axes.set_axis_off()
        axes.text(0.5, 0.5, text, ha="center", va="center", fontsize=20, transform=axes.transAxes)
        return
    for name, times, values in sorted(found, key=lambda series: -max(series[2])):
        axes.plot(times, values, linewidth=1, label=name)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3)
    if formatter:
        axes.yaxis.set_major_formatter(formatter)
    if found:
        axes.legend(
            *(part[:MOST_IN_LEGEND] for part in axes.get_legend_handles_labels()), fontsize=6, frameon=False
        )
    else:
        axes.text(0.5, 0.5, "no data", ha="center", va="center", transform=axes.transAxes)


if __name__ == "__main__":
    main()
