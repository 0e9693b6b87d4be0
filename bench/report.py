"""docs/performance.md from the results: everything between the markers, and nothing that is not in the results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.goals import verdicts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
_BUSY = 0.05  # share of the cores that others may have before it is said
_TITLES = {
    "limit": "(a) limit",
    "service": "(b) service",
    "model_server": "(c) model server",
    "usual": "(d) usual",
    "usual_omp1": "(e) usual, one thread",
}
_WORKLOADS = {
    "label": "label, 300 x 100",
    "page": "page, 640 x 480",
    "a4-200": "A4, 200 dpi",
    "a4-300": "A4, 300 dpi",
    "photo": "photograph, 12 MP",
    "mix": "mix",
}

Results = dict[str, Any]
Figures = dict[str, Any]


def write(results: Results, document: Path = DOCUMENT) -> None:
    """Replace what is between the markers.

    Raises:
        ValueError: the document has no markers.
    """
    before, begin, rest = document.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{document.name} does not have the markers {BEGIN} and {END}")
    document.write_text(f"{before}{BEGIN}\n\n{markdown(results)}\n{END}{after}")


def markdown(results: Results) -> str:
    figures = results["figures"]
    parts = [_origin(results), "## What was asked for", _goals(figures)]
    throughput = [name for name in figures if name.endswith("-throughput")]
    if throughput:
        parts += ["## Throughput at saturation", _throughput(figures, throughput)]
        parts += ["### CPU time a picture", _cpu(figures, throughput)]
    if any("against_usual" in figures[name] for name in throughput):
        parts += ["### Against the usual design, four clients", _against_usual(figures, throughput)]
    parts += [text for name, render in _SECTIONS.items() if name in figures for text in render(figures[name])]
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _origin(results: Results) -> str:
    machine, settings = results["machine"], results["settings"]
    text = (
        f"Measured on {results['date']} at commit `{results['commit']}`: {machine['cpu']}, {machine['cores']} "
        f"cores, {machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']}; "
        f"{settings['rounds']} rounds, {results['seconds'] / 60:.0f} minutes. Each figure is the median of its "
        "rounds, in brackets the smallest and the largest."
    )
    busy = results["foreign"]
    if busy["median"] > _BUSY or busy["max"] > 4 * _BUSY:
        text += (
            f"\n\n**The machine was not ours alone:** other processes had {busy['median']:.0%} of the cores in "
            f"the median of all measurements ({busy['min']:.0%} to {busy['max']:.0%}). Ratios suffer from that, "
            "too; those by CPU time least."
        )
    return text


def _goals(figures: Figures) -> str:
    return table(
        ("figure", "asked for", "measured", "reached"),
        (
            (verdict.goal.title, verdict.goal.demand, verdict.measured, "yes" if verdict.reached else "**no**")
            for verdict in verdicts(figures)
        ),
    )


def _throughput(figures: Figures, names: list[str]) -> str:
    rows = []
    for name in names:
        found = figures[name]
        subjects = found["subjects"]
        rows.append(
            (
                _WORKLOADS[found["workload"]],
                *(_spread(subjects[subject]["per_second"]) for subject in ("limit", "service", "model_server")),
                _spread(found["ratios"]["service/limit"]),
                _spread(found["ratios"]["service/limit"]["by_cpu"]),
                _spread(found["ratios"]["model_server/limit"]),
            )
        )
    clients = figures[names[0]]["clients"]
    return (
        f"Pictures a second; (b) and (c) with {clients} clients. The ratio by CPU time is the limit's CPU time a "
        "picture over that of all processes of (b) together, the load generator's included.\n\n"
    ) + table(("", "(a) limit", "(b) service", "(c) model server", "(b) / (a)", "by CPU time", "(c) / (a)"), rows)


def _cpu(figures: Figures, names: list[str]) -> str:
    rows = []
    for name in names:
        service, limit = (figures[name]["subjects"][subject]["cpu_ms"] for subject in ("service", "limit"))
        rows.append(
            (
                _WORKLOADS[figures[name]["workload"]],
                f"{limit['engine']:.1f}",
                *(f"{service[group]:.1f}" for group in ("workers", "model server", "gateway", "generator")),
            )
        )
    head = ("ms", "(a) bare engine", "(b) workers", "model server", "gateway", "load generator")
    return table(head, rows)


def _against_usual(figures: Figures, names: list[str]) -> str:
    rows = [
        (
            _WORKLOADS[figures[name]["workload"]],
            *(_spread(found["subjects"][key]["per_second"]) for key in ("service", "usual", "usual_omp1")),
            *(_spread(found["ratios"][f"service/{key}"], 1) for key in ("usual", "usual_omp1")),
        )
        for name in names
        if (found := figures[name].get("against_usual"))
    ]
    head = ("pictures a second", "(b) service", "(d) usual", "(e) one thread", "(b) / (d)", "(b) / (e)")
    return table(head, rows)


def _added_latency(found: Figures) -> list[str]:
    rows = [
        (
            _WORKLOADS[name],
            str(one["pairs"]),
            _spread(one["engine_ms"], 1),
            _spread(one["service_ms"], 1),
            _spread(one["added_ms"], 1),
        )
        for name, one in found["workloads"].items()
    ]
    how = "Each picture is read by a bare engine and by the service, by turns; `added` is the median difference."
    return [
        "## Time added at concurrency 1",
        how,
        table(("", "pairs", "bare engine, ms", "service, ms", "added, ms"), rows),
    ]


def _concurrency(found: Figures) -> list[str]:
    series = found["per_second"]
    clients = sorted({int(key) for points in series.values() for key in points if key != "any"})
    rows = [
        (_TITLES[name], *(_spread(points[str(count)]) if str(count) in points else "" for count in clients))
        for name, points in series.items()
        if name != "limit"
    ]
    return [
        "## Throughput against concurrency",
        f"Pages a second; the limit in the same rounds is {_spread(series['limit']['any'])}.",
        table(("clients", *map(str, clients)), rows),
        "![Throughput against concurrency](performance/concurrency.png)",
    ]


def _latency(found: Figures) -> list[str]:
    rows = [
        (
            f"{point['share']:.0%}",
            str(point["answered"]),
            str(point["refused"]),
            *(f"{value:.0f}" for value in point["ms"].values()),
        )
        for point in found["points"]
    ]
    how = (
        "Open loop, Poisson arrivals, pages; load as a share of the "
        f"{_spread(found['saturation_per_second'])} pages a second at saturation. Milliseconds from the moment a "
        f"request was due; the load generator itself was late by {found['generator_late_ms']:.0f} ms at worst."
    )
    return [
        "## Latency against offered load",
        how,
        table(("load", "answered", "refused", "p50", "p90", "p95", "p99"), rows),
        "![Latency against offered load](performance/latency.png)",
    ]


def _overload(found: Figures) -> list[str]:
    rows = []
    for name, one in {"service": found["service"], **found["usual"]}.items():
        for multiple, point in one["points"].items():
            rounds = point["rounds"]
            rows.append(
                (
                    _TITLES[name],
                    f"{multiple} x",
                    f"{point['offered_per_second']:.1f}",
                    _spread(point["goodput_per_second"]),
                    f"{100 * min(each['accepted_in_time'] for each in rounds):.1f} %",
                    _worst(rounds, "accepted_p99_ms"),
                    _worst(rounds, "refused_p50_ms"),
                    _worst(rounds, "refused_p99_ms"),
                )
            )
    head = (
        "",
        "load",
        "offered/s",
        "goodput/s",
        "accepted in time",
        "accepted p99, ms",
        "refused p50, ms",
        "p99, ms",
    )
    how = (
        "Pages, open loop, at multiples of the load that saturates the subject; goodput is right answers within "
        f"{found['deadline_seconds']:g} seconds, a second. Accepted is what was not refused with 429."
    )
    return [
        "## Goodput under overload",
        how,
        table(head, rows),
        "![Goodput under overload](performance/overload.png)",
    ]


def _probes(found: Figures) -> list[str]:
    rows = [
        (f"`{name}`", str(path["probes"]), *(f"{value:.1f}" for value in path["ms"].values()))
        for name, path in found["paths"].items()
    ]
    how = (
        f"{found['clients']} clients keep both services busy ({_WORKLOADS[found['workload']]}); each probe comes "
        "on a new connection. Milliseconds."
    )
    return [
        "## Probes while saturated",
        how,
        table(("", "probes", "p50", "p90", "p95", "p99"), rows),
    ]


def _documents(found: Figures) -> list[str]:
    whole, first, spread, pictures = (found[key] for key in ("throughput", "first_page", "spread", "pictures"))
    cpu = ", ".join(f"{name} {ms:.0f} ms" for name, ms in whole["cpu_ms"].items())
    rows = [
        (name, *(f"{value:.0f}" for value in pictures[key].values()))
        for name, key in (("idle", "idle_ms"), ("during a document", "during_ms"))
    ]
    throughput = (
        f"One PDF of {whole['pages']} scanned pages ({_WORKLOADS[found['workload']]}), answered as JSON: "
        f"{_spread(whole['document'])} pages a second; the bare engines on the same pages: "
        f"{_spread(whole['limit'])}. The ratio is {_spread(whole['ratio'])}. CPU time a page: {cpu}; the "
        "gateway's is also that of the process that draws the pages."
    )
    soon = (
        f"The first line of NDJSON of a document of {first['pages']} pages came after "
        f"{_spread(first['first_ms'], 0)} ms; that of a picture of such a page after "
        f"{_spread(first['single_ms'], 0)} ms."
    )
    linear = (
        "One document over stand-ins for the model server that take a set "
        f"{spread['seconds_a_page']:g} s for a page, against linear:"
    )
    singles = (
        f"{pictures['pictures']} single pictures ({_WORKLOADS['page']}), sent at set moments; milliseconds. A "
        f"page of the document takes the bare engine {pictures['page_ms']:.0f} ms."
    )
    return [
        "## Documents",
        throughput,
        soon,
        linear,
        table(
            ("model servers", *map(str, spread["of_linear"])),
            [("of linear", *(f"{share:.2f}" for share in spread["of_linear"].values()))],
        ),
        singles,
        table(("", "p50", "p90", "p95", "p99"), rows),
    ]


def _start(found: Figures) -> list[str]:
    return [
        "## Start",
        table(
            ("", "seconds"),
            (
                ("model server, start to ready", _spread(found["model_server"])),
                ("model server, start to all workers ready", _spread(found["all_workers"])),
                ("gateway, start to ready", _spread(found["gateway"])),
            ),
        ),
    ]


def _memory(found: Figures) -> list[str]:
    moments = {
        "idle": found["idle"],
        f"after {found['few']:,} pictures": found["after_few"],
        f"after {found['many']:,}": found["after_many"],
    }
    processes = list(found["idle"]["rss"])
    rows = [
        (
            process,
            *(
                f"{sizes['rss'].get(process, 0):.0f} ({sizes['pss'].get(process, 0):.0f})"
                for sizes in moments.values()
            ),
        )
        for process in processes
    ]
    rows.append(("all", *(f"{sum(sizes['rss'].values()):.0f}" for sizes in moments.values())))
    how = (
        "MiB resident when nothing is being read (in brackets: with shared pages divided among those who share "
        f"them); pictures: {_WORKLOADS[found['workload']]}."
    )
    return [
        "## Memory",
        how,
        table(("", *moments), rows),
        "![Memory over time](performance/memory.png)",
    ]


def _halves(found: Figures) -> list[str]:
    rows = [
        (kind, f"{one['same_text']} of {one['sheets']}", _spread(one["times_as_fast"]))
        for kind, one in found.items()
    ]
    how = "A sheet of A4, cut in two between its lines and read by two bare engines, against one and the whole."
    return ["## One page on two cores", how, table(("", "same text", "times as fast"), rows)]


def _stages(found: Figures) -> list[str]:
    steps = list(next(iter(found["workloads"].values()))["steps_ms"])
    rows = [
        (
            _WORKLOADS[name],
            f"{one['file_bytes'] / 1000:.0f} kB",
            f"{one['engine_ms']:.0f}",
            *(f"{one['steps_ms'][step]:.2f}" for step in steps),
        )
        for name, one in found["workloads"].items()
    ]
    return ["## The steps around the engine, each alone", table(("ms of CPU", "file", "engine", *steps), rows)]


_SECTIONS = {
    "added-latency": _added_latency,
    "concurrency": _concurrency,
    "latency": _latency,
    "overload": _overload,
    "probes": _probes,
    "documents": _documents,
    "start": _start,
    "memory": _memory,
    "halves": _halves,
    "stages": _stages,
}


def _spread(of: dict[str, Any], digits: int = 2) -> str:
    return f"{of['median']:.{digits}f} ({of['min']:.{digits}f} to {of['max']:.{digits}f})"


def _worst(rounds: list[dict[str, Any]], key: str) -> str:
    values = [one[key] for one in rounds if one[key] is not None]
    return f"{max(values):.0f}" if values else ""
