"""Writes docs/performance.md: the part between the markers, from the results only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.goals import verdicts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
_BUSY = 0.05  # share of the cores used by other processes above which the report says so
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
_BARE = {"tesseract": "Tesseract", "neural": "neural"}

Results = dict[str, Any]
Figures = dict[str, Any]


def write(results: Results, document: Path = DOCUMENT) -> None:
    """Replace the text between the markers."""
    replace_between(BEGIN, END, markdown(results), document)


def replace_between(begin: str, end: str, text: str, document: Path) -> None:
    """Replace what stands between two markers of a document.

    Raises:
        ValueError: the document has no markers.
    """
    before, found, rest = document.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{document.name} does not have the markers {begin} and {end}")
    document.write_text(f"{before}{begin}\n\n{text}\n{end}{after}")


def markdown(results: Results) -> str:
    figures = results["figures"]
    parts = [_origin(results), "## Targets", _goals(figures)]
    throughput = [name for name in figures if name.endswith("-throughput")]
    if throughput:
        parts += ["## Throughput at saturation", _throughput(figures, throughput)]
        parts += ["### CPU time per picture", _cpu(figures, throughput)]
    if any("against_usual" in figures[name] for name in throughput):
        parts += ["### Compared with the usual design, four clients", _against_usual(figures, throughput)]
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
        "rounds, with the smallest and the largest in brackets."
    )
    busy = results["foreign"]
    if busy["median"] > _BUSY or busy["max"] > 4 * _BUSY:
        text += (
            f"\n\n**The machine also ran other work:** other processes used {busy['median']:.0%} of the cores in "
            f"the median measurement ({busy['min']:.0%} to {busy['max']:.0%}). This also affects the ratios; "
            "it affects ratios by CPU time least."
        )
    return text


def _goals(figures: Figures) -> str:
    return table(
        ("figure", "target", "measured", "reached"),
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
        f"Pictures per second; (b) and (c) with {clients} clients. The ratio by CPU time is the CPU time per "
        "picture of (a) divided by that of all processes of (b), including the load generator.\n\n"
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
    head = ("pictures per second", "(b) service", "(d) usual", "(e) one thread", "(b) / (d)", "(b) / (e)")
    return table(head, rows)


def _engines(found: Figures) -> list[str]:
    saturated = [
        (
            f"`{case['engine']}`, {_WORKLOADS[case['workload']]}",
            _BARE[case["bare"]],
            *(_spread(case["subjects"][subject]["per_second"]) for subject in ("limit", "service")),
            _spread(case["ratio"]),
            _spread(case["ratio"]["by_cpu"]),
        )
        for case in found["saturated"]
    ]
    alone = [
        (
            f"`{case['engine']}`, {_WORKLOADS[case['workload']]}",
            _BARE[case["bare"]],
            str(case["pairs"]),
            _spread(case["engine_ms"], 0),
            _spread(case["service_ms"], 0),
            _spread(case["times_as_fast"]),
        )
        for case in found["alone"]
    ]
    how = (
        f"Pictures per second: (b) with {found['clients']} clients that name the engine, and (a) with one engine "
        "per core. `auto` must return Tesseract's text of these clean pages: its ratio includes the price of its "
        "search for lines that Tesseract missed."
    )
    how_alone = "One bare engine, and one client of an otherwise idle service, read each page alternately."
    return [
        "## Engines",
        how,
        table(("engine", "(a) is", "(a) limit", "(b) service", "(b) / (a)", "by CPU time"), saturated),
        "### One page alone",
        how_alone,
        table(("engine", "bare engine", "pairs", "bare engine, ms", "service, ms", "times as fast"), alone),
    ]


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
    how = (
        "A bare engine and the service read each picture alternately; `added` is the median difference. It is "
        "negative where a page alone is read by several workers."
    )
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
        "## Throughput by concurrency",
        f"Pages per second; (a) reaches {_spread(series['limit']['any'])} in the same rounds.",
        table(("clients", *map(str, clients)), rows),
        "![Throughput by concurrency](performance/concurrency.png)",
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
        "Open loop, Poisson arrivals, pages; the load is a share of the saturation throughput, "
        f"{_spread(found['saturation_per_second'])} pages per second. Milliseconds from the planned start of a "
        f"request; the load generator's longest delay was {found['generator_late_ms']:.0f} ms."
    )
    return [
        "## Latency by offered load",
        how,
        table(("load", "answered", "refused", "p50", "p90", "p95", "p99"), rows),
        "![Latency by offered load](performance/latency.png)",
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
        "Pages, open loop, at multiples of the load that saturates the subject. Goodput is the number of correct "
        f"answers per second that arrive within {found['deadline_seconds']:g} seconds. Accepted requests are "
        "those that were not refused with 429."
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
        f"Response times in milliseconds, each probe on a new connection, while {found['clients']} clients keep "
        f"both services busy ({_WORKLOADS[found['workload']]})."
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
        f"The service reads one PDF of {whole['pages']} scanned pages ({_WORKLOADS[found['workload']]}) at "
        f"{_spread(whole['document'])} pages per second; the bare engines read the same pages at "
        f"{_spread(whole['limit'])}. The ratio is {_spread(whole['ratio'])}. CPU time per page: {cpu}; the "
        "gateway's time includes the process that draws the pages."
    )
    soon = (
        f"The first line of NDJSON of a document of {first['pages']} pages arrived after "
        f"{_spread(first['first_ms'], 0)} ms; for single pictures of such a page, one for each worker, after "
        f"{_spread(first['single_ms'], 0)} ms."
    )
    linear = (
        "Throughput of one document over several simulated model servers that take exactly "
        f"{spread['seconds_a_page']:g} s per page, as a share of linear scaling:"
    )
    singles = (
        f"Latency in milliseconds of {pictures['pictures']} single pictures ({_WORKLOADS['page']}), sent at fixed "
        f"times. The bare engine takes {pictures['page_ms']:.0f} ms for a page of the document."
    )
    return [
        "## Documents",
        throughput,
        soon,
        linear,
        table(
            ("model servers", *map(str, spread["of_linear"])),
            [("share of linear", *(f"{share:.2f}" for share in spread["of_linear"].values()))],
        ),
        singles,
        table(("", "p50", "p90", "p95", "p99"), rows),
    ]


def _jobs(found: Figures) -> list[str]:
    rows = [
        (
            {"sqlite": "SQLite", "postgres": "PostgreSQL"}[store],
            f"{one['request_ms']:.0f}",
            f"{one['job_ms']:.0f}",
            f"{one['added_ms']:.0f}",
            _spread(one["requests_per_second"]),
            _spread(one["jobs_per_second"]),
            _spread(one["ratio"]),
        )
        for store, one in found["stores"].items()
    ]
    how = (
        f"A picture ({_WORKLOADS['page']}) as a request and as a job, alternately, on an idle service, until the "
        f"client has the answer or sees that the job has ended (medians); and {found['pages']} of them at once, "
        "in pages per second. One gateway, which is the worker as well; every commit is synchronous."
    )
    head = ("", "request, ms", "job, ms", "added, ms", "requests", "jobs", "jobs / requests")
    return ["## Jobs", how, table(head, rows)]


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
        "Resident memory in MiB while idle (in brackets: proportional set size, which divides shared memory among "
        f"its processes); pictures: {_WORKLOADS[found['workload']]}."
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
    how = "Two bare engines read the halves of an A4 sheet, cut between lines, compared with one engine."
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
    return ["## Steps around the engine, each alone", table(("ms of CPU", "file", "engine", *steps), rows)]


_SECTIONS = {
    "engines": _engines,
    "added-latency": _added_latency,
    "concurrency": _concurrency,
    "latency": _latency,
    "overload": _overload,
    "probes": _probes,
    "documents": _documents,
    "jobs": _jobs,
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
