"""Draws the charts of the results, as PNG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "performance"
_STYLES: dict[str, tuple[str, str]] = {  # label and colour
    "limit": ("(a) limit: bare engines", "#555555"),
    "service": ("(b) service, whole path", "#0b6fb8"),
    "model_server": ("(c) model server alone", "#5aa9dd"),
    "usual": ("(d) usual design", "#c4452b"),
    "usual_omp1": ("(e) usual design, one thread", "#e59a3c"),
}
_GROUPS = {"gateway": "#e59a3c", "model server": "#5aa9dd", "workers": "#0b6fb8"}


def write(results: dict[str, Any], folder: Path = FOLDER) -> None:
    """Write one file for each measured figure that has a chart."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in _CHARTS.items():
        if name in results["figures"]:
            figure = Figure(figsize=(7, 4.2), dpi=120, layout="constrained")
            axes = figure.subplots()
            draw(axes, results["figures"][name])
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
            axes.legend(frameon=False, fontsize=9)
            figure.savefig(folder / f"{name}.png", metadata={"Software": None})


def _concurrency(axes: Axes, found: dict[str, Any]) -> None:
    for name, points in found["per_second"].items():
        label, colour = _STYLES[name]
        if name == "limit":
            axes.axhline(points["any"]["median"], color=colour, linestyle="--", label=label)
            continue
        clients = sorted(int(key) for key in points)
        medians = [points[str(count)]["median"] for count in clients]
        spread = [
            [points[str(count)]["median"] - points[str(count)]["min"] for count in clients],
            [points[str(count)]["max"] - points[str(count)]["median"] for count in clients],
        ]
        axes.errorbar(clients, medians, yerr=spread, color=colour, marker="o", capsize=3, label=label)
    axes.set_xscale("log", base=2)
    axes.set_xticks([1, 2, 4, 8, 16, 32], ["1", "2", "4", "8", "16", "32"])
    axes.set_ylim(bottom=0)
    axes.set(title="Throughput, pages of 640 x 480", xlabel="clients", ylabel="pages per second")


def _latency(axes: Axes, found: dict[str, Any]) -> None:
    shares = [100 * point["share"] for point in found["points"]]
    for percent, colour in (("p50", "#0b6fb8"), ("p90", "#5aa9dd"), ("p95", "#e59a3c"), ("p99", "#c4452b")):
        axes.plot(shares, [point["ms"][percent] for point in found["points"]], "o-", color=colour, label=percent)
    axes.set_ylim(bottom=0)
    axes.set(
        title="Latency of the whole path, pages of 640 x 480, open loop",
        xlabel="offered load, % of the throughput at saturation",
        ylabel="ms from the planned start",
    )


def _overload(axes: Axes, found: dict[str, Any]) -> None:
    for name, one in {"service": found["service"], **found["usual"]}.items():
        label, colour = _STYLES[name]
        multiples = [int(multiple) for multiple in one["points"]]
        medians = [point["goodput_per_second"]["median"] for point in one["points"].values()]
        axes.plot(multiples, medians, "o-", color=colour, label=label)
    axes.set_xscale("log")
    axes.set_xticks([1, 2, 5, 10], ["1 x", "2 x", "5 x", "10 x"])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set(
        title=f"Goodput: correct answers within {found['deadline_seconds']:g} seconds",
        xlabel="offered load, multiples of the saturating load",
        ylabel="pages per second",
    )


def _memory(axes: Axes, found: dict[str, Any]) -> None:
    seconds = [point["seconds"] for point in found["timeline"]]
    groups = {name: [point[name] for point in found["timeline"]] for name in _GROUPS}
    axes.stackplot(seconds, *groups.values(), labels=groups, colors=_GROUPS.values(), alpha=0.85)
    axes.set(
        title=f"Resident memory while {found['many']:,} pictures are read",
        xlabel="seconds",
        ylabel="MiB",
        ylim=(0, 1.3 * max(map(sum, zip(*groups.values(), strict=True)))),  # space for the legend
    )


_CHARTS = {"concurrency": _concurrency, "latency": _latency, "overload": _overload, "memory": _memory}
