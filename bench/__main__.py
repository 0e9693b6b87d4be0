"""`python -m bench`: measures, and writes the results into docs/performance.md."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench import charts, machine, report, stats
from bench.child import ChildFailed
from bench.figures import FIGURES
from bench.goals import missing, verdicts
from bench.run import Options, Run
from bench.subjects import BrokenRun
from scripts.services import ServiceFailed

_RESULTS = Path(__file__).parent / "results.json"


def main() -> int:
    arguments = _arguments()
    console = Console(stderr=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if arguments.render:
        _render(orjson.loads(_RESULTS.read_bytes()))
        return 0
    if not arguments.without_usual and shutil.which("tesseract") is None:
        console.print(
            "The usual design needs the tesseract program (Debian: apt-get install tesseract-ocr). "
            "Install it, or leave these subjects out with --without-usual."
        )
        return 2
    names = arguments.only or [name for name, figure in FIGURES.items() if figure.short or not arguments.short]
    options = Options(arguments.short, arguments.rounds, arguments.without_usual)
    try:
        results = _measure(names, options, console)
    except (BrokenRun, ChildFailed, ServiceFailed) as failure:
        console.print(f"[bold]The run is broken.[/] {failure}", highlight=False)
        return 1
    except KeyboardInterrupt:
        return 130
    _show(results, console)
    if not arguments.only and (absent := missing(results["figures"], without_usual=arguments.without_usual)):
        console.print(f"[bold]The run is broken.[/] Not measured: {'; '.join(absent)}", highlight=False)
        return 1
    if arguments.output:
        arguments.output.write_bytes(_encoded(results))
    elif not arguments.short and not arguments.only:
        _RESULTS.write_bytes(_encoded(results))
        _render(results)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=(
            "Measures the overhead of the services around the engine, as ratios within one run. A full run writes "
            "bench/results.json, docs/performance.md and its charts, and needs an otherwise idle machine."
        ),
    )
    parser.add_argument(
        "--short",
        action="store_true",
        help="about 4 minutes, for CI: fails on a broken run (an error, a wrong text), not on a slow machine",
    )
    parser.add_argument(
        "--rounds", type=_positive, default=5, metavar="N", help="rounds of each figure (default 5)"
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=list(FIGURES),
        metavar="FIGURE",
        help=f"one of: {', '.join(FIGURES)}; may be repeated",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write only the results, into this file")
    parser.add_argument("--without-usual", action="store_true", help="leave out the subjects that need tesseract")
    parser.add_argument("--render", action="store_true", help="measure nothing; write the document again")
    return parser.parse_args()


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError
    return number


def _measure(names: list[str], options: Options, console: Console) -> dict[str, Any]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[what]}"),
    )
    began = time.monotonic()
    figures: dict[str, Any] = {}
    with Progress(*columns, console=console) as progress:
        whole = progress.add_task("Figures", total=len(names), what="")
        run = Run(options, progress)
        try:
            for name in names:
                progress.update(whole, what=name)
                figures[name] = FIGURES[name].measure(run)
                progress.advance(whole)
                if not console.is_terminal:  # logs show no progress bar
                    console.print(f"{name}: measured, {time.monotonic() - began:.0f} s since the beginning")
        finally:
            run.close()
    return {
        "machine": machine.describe(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": machine.commit(),
        "settings": {"short": options.short, "rounds": options.rounds, "without_usual": options.without_usual},
        "seconds": time.monotonic() - began,
        "foreign": stats.summary(run.foreign or [0.0]),
        "figures": figures,
    }


def _show(results: dict[str, Any], console: Console) -> None:
    table = Table("figure", "target", "measured", "reached")
    for verdict in verdicts(results["figures"]):
        table.add_row(
            verdict.goal.title, verdict.goal.demand, verdict.measured, "yes" if verdict.reached else "no"
        )
    if table.row_count:
        console.print(table)
    console.print(
        f"Other processes used {results['foreign']['median']:.0%} of the cores in the median measurement."
    )


def _render(results: dict[str, Any]) -> None:
    charts.write(results)
    report.write(results)


def _encoded(results: dict[str, Any]) -> bytes:
    return orjson.dumps(results, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)


if __name__ == "__main__":
    sys.exit(main())
