"""`python -m bench.command [ROUNDS]`: how fast `ocr read` reads 200 receipts, next to bare engines in a loop.

Both read the same receipts with one engine per core, in turn, several times. The command's time is that of the
whole process: Python's start, reading the files, writing the texts. The ratio of CPU times, of the bare engines to
services and command together, says the same on a machine that is busy with other work.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench import limit, subjects
from bench.workloads import image
from model_server.cpus import allowed_cpus
from scripts.services import ROOT
from tests.pictures import render

if TYPE_CHECKING:
    from bench.workloads import Image

_KINDS = 10
_GOAL = 0.9


@dataclass(frozen=True)
class CommandRun:
    """One run of the command: seconds on the clock, and of CPU in the command's own process."""

    wall: float
    cpu: float


def main(count: int = 200, rounds: int = 3) -> float:
    """Print the rates and their ratio, which is returned: the median of the rounds."""
    cores = allowed_cpus()
    images = [image(render.receipt(seed)) for seed in range(1, _KINDS + 1)]
    picks = [number % _KINDS for number in range(count)]
    ratios, of_cpu = [], []
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        subjects.stack(Path(folder), "tesseract") as stack,
    ):
        files = Path(folder) / "receipts"
        _write(files, [images[pick] for pick in picks])
        _command(stack, files, Path(folder) / "warm", count)
        for number in range(rounds):
            bare = limit.run([one.grey for one in images], picks, cores)
            before = sum(stack.cpu_seconds().values())
            command = _command(stack, files, Path(folder) / str(number), count)
            cpu = sum(stack.cpu_seconds().values()) - before + command.cpu
            ratios.append(bare.wall_seconds / command.wall)
            of_cpu.append(bare.cpu_seconds / cpu)
            print(
                f"bare engines {count / bare.wall_seconds:.1f} pages/s, {bare.cpu_seconds:.1f} s of CPU; "
                f"ocr read {count / command.wall:.1f} pages/s, {cpu:.1f} s of CPU, its own {command.cpu:.2f}; "
                f"ratio {ratios[-1]:.2f}, of CPU {of_cpu[-1]:.2f}"
            )
    ratio = statistics.median(ratios)
    print(
        f"`ocr read` of {count} receipts / {cores} bare engines: {ratio:.2f}, goal {_GOAL:.2f}; "
        f"CPU time of the bare engines / of services and command: {statistics.median(of_cpu):.2f}"
    )
    return ratio


def _write(folder: Path, images: list[Image]) -> None:
    folder.mkdir()
    for number, one in enumerate(images):
        (folder / f"{number:03}.png").write_bytes(one.file)


def _command(stack: subjects.Stack, files: Path, output: Path, count: int) -> CommandRun:
    """Raises BrokenRun: not every receipt has a text."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "ocr_client" / "src"), "OCR_URL": stack.gateway.url}
    before = os.times()
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "ocr_client", "read", str(files), "--output", str(output), "--quiet"],
        env=env,
        check=False,
    )
    wall = time.monotonic() - began
    after = os.times()
    texts = [path for path in output.glob("*.txt") if path.stat().st_size]
    if done.returncode or len(texts) != count:
        raise subjects.BrokenRun(f"ocr read ended with status {done.returncode} and {len(texts)} texts.")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return CommandRun(wall, cpu)


if __name__ == "__main__":
    main(rounds=int(sys.argv[1]) if len(sys.argv) > 1 else 3)
