"""Writes pages to a folder, in the form that `--data` reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from quality.lanes import Job

_JPEG = b"\xff\xd8"


def write(jobs: Iterable[Job], folder: Path) -> None:
    """`folder/SET/NUMBER.png` or `.jpg`, and `NUMBER.txt` beside it."""
    for job in jobs:
        page = job.make()
        into = folder / job.of.removeprefix("data: ")
        into.mkdir(parents=True, exist_ok=True)
        ending = "jpg" if page.file.startswith(_JPEG) else "png"
        (into / f"{job.number:03}.{ending}").write_bytes(page.file)
        (into / f"{job.number:03}.txt").write_text(page.text + "\n")
