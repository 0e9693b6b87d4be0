"""`python -m quality`: measures how well every subject reads, and writes the results into docs/quality.md."""

from __future__ import annotations

import argparse
import functools
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.progress import Progress

from bench import machine
from quality import export, folder, report
from quality.abilities import abilities
from quality.goals import alarms
from quality.lanes import Job, measure
from quality.page import Split
from quality.readers import RAPIDOCR, ReadFailed
from quality.score import Score, figures
from quality.sets import SETS
from quality.subjects import BARE_NEURAL, SUBJECTS

_SAID_EVERY = 100  # readings
_RESULTS = Path(__file__).parent / "results.json"


def main() -> int:
    arguments = _arguments()
    console = Console(stderr=True)
    if arguments.render:
        report.write(orjson.loads(_RESULTS.read_bytes()))
        return 0
    try:
        jobs = _jobs(arguments)
        if arguments.write:
            export.write(jobs, arguments.write)
            return 0
        results = _measure(jobs, _subjects(arguments, console), arguments, console)
    except (ReadFailed, BrokenProcessPool, OSError) as failure:
        console.print(f"[bold]The run is broken.[/] {failure}", highlight=False)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"{report.plain(results)}\n\n{report.goals(results)}\n\n{results['seconds']:.0f} seconds")
    for alarm in (said := alarms(results["figures"])):
        console.print(f"[bold]Badly wrong:[/] {alarm}", highlight=False)
    if _whole(arguments):
        _RESULTS.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        report.write(results)
    return int(bool(said) and arguments.short)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m quality",
        description=(
            "Measures how well each subject reads pages whose text is known. A whole run writes "
            "quality/results.json and docs/quality.md; a run with any choice only prints its figures."
        ),
    )
    parser.add_argument("--short", action="store_true", help="a few pages; status 1 if something is badly wrong")
    parser.add_argument("--tuning", action="store_true", help="other pages: the ones for tuning rules")
    parser.add_argument("--sets", nargs="*", choices=list(SETS), metavar="SET", help=f"of: {', '.join(SETS)}")
    parser.add_argument(
        "--subjects", nargs="+", choices=list(SUBJECTS), metavar="SUBJECT", help=f"of: {', '.join(SUBJECTS)}"
    )
    parser.add_argument("--pages", type=int, metavar="N", help="pages of each set")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="also pictures of your own, with their texts")
    parser.add_argument("--language", default="eng", help="of the pictures in --data (default eng)")
    parser.add_argument("--lanes", type=int, default=2, metavar="N", help="pages at a time (default 2)")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="measure nothing; write pictures and texts")
    parser.add_argument("--render", action="store_true", help="measure nothing; write the document again")
    return parser.parse_args()


def _whole(arguments: argparse.Namespace) -> bool:
    """Whether every page of every set of the project was read by every subject."""
    chosen = (arguments.short, arguments.tuning, arguments.sets is not None, arguments.subjects, arguments.pages)
    return not any(chosen)


def _jobs(arguments: argparse.Namespace) -> list[Job]:
    split: Split = "tuning" if arguments.tuning else "reported"
    jobs = []
    for name in SETS if arguments.sets is None else arguments.sets:
        one = SETS[name]
        pages = arguments.pages or (one.short if arguments.short else one.pages)
        jobs += [Job(name, seed, functools.partial(one.draw, split, seed)) for seed in range(pages)]
    if arguments.data:
        for name, samples in folder.samples(arguments.data).items():
            some = samples[: arguments.pages]
            jobs += [
                Job(f"data: {name}", number, functools.partial(sample.page, arguments.language))
                for number, sample in enumerate(some)
            ]
    return jobs


def _subjects(arguments: argparse.Namespace, console: Console) -> list[str]:
    """Those that were chosen, or all: a short run does without rapidocr, and so do others where it is missing.

    Raises:
        FileNotFoundError: rapidocr is missing, and was chosen or is needed for a whole run.
    """
    names = arguments.subjects or list(SUBJECTS)
    is_there = RAPIDOCR.is_dir()
    if arguments.subjects or _whole(arguments):
        if BARE_NEURAL in names and not is_there:
            raise FileNotFoundError(f"{BARE_NEURAL} needs rapidocr in {RAPIDOCR}: `make quality` installs it.")
        return names
    if is_there and not arguments.short:
        return names
    console.print(f"Without {BARE_NEURAL}: `make quality` installs and measures it.", highlight=False)
    return [name for name in names if name != BARE_NEURAL]


def _measure(
    jobs: list[Job], subjects: list[str], arguments: argparse.Namespace, console: Console
) -> dict[str, Any]:
    began = time.monotonic()
    scores: list[Score] = []
    with Progress(console=console) as progress:
        task = progress.add_task("Pages", total=len(jobs))
        for some in measure(jobs, subjects, arguments.lanes):
            scores += some
            progress.advance(task)
            if not console.is_terminal and len(scores) % _SAID_EVERY < len(some):  # logs show no progress bar
                console.print(f"{len(scores)} readings, {time.monotonic() - began:.0f} s since the beginning")
    order = {job.of: at for at, job in enumerate(jobs)}
    return {
        "machine": machine.describe(),
        "abilities": abilities(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": machine.commit(),
        "settings": {"short": arguments.short, "tuning": arguments.tuning, "lanes": arguments.lanes},
        "seconds": time.monotonic() - began,
        "figures": figures(sorted(scores, key=lambda score: order[score.of])),
    }


if __name__ == "__main__":
    sys.exit(main())
