"""The command: reads pages with every subject, in processes of their own."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

import pytest

from quality import __main__ as command
from quality.lanes import Job, measure
from quality.page import Page
from quality.readers import ReadFailed
from quality.sets import SETS

ROOT = Path(__file__).parents[2]


def test_every_subject_reads_a_page_and_its_time_is_measured() -> None:
    job = Job("clean", 2, functools.partial(SETS["clean"].draw, "reported", 2))
    ((bare, service),) = measure([job], ["bare-tesseract", "tesseract"], 1)
    assert (bare.subject, service.subject) == ("bare-tesseract", "tesseract")
    assert bare.f1 > 0.98
    assert service.f1 > 0.98
    assert bare.cpu_seconds > 0.05
    assert service.cpu_seconds > 0.05
    assert not bare.turned_wrongly


def test_a_page_that_is_not_read_breaks_the_run() -> None:
    job = Job("data: x", 0, functools.partial(Page, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10", "text"))
    with pytest.raises(ReadFailed):
        list(measure([job], ["tesseract"], 1))


def test_the_command_measures_pictures_of_ones_own(tmp_path: Path) -> None:
    page = SETS["upright"].draw("reported", 0)
    (tmp_path / "x.png").write_bytes(page.file)
    (tmp_path / "x.txt").write_text(page.text)
    command = [sys.executable, "-m", "quality", "--sets", "--lanes", "1", "--data", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"| data: {tmp_path.name} | 1 | F1 1.000, CER 0.000" in done.stdout


@pytest.mark.parametrize("arguments", [["--subjects", "bare-neural", "--sets", "upright"], []])
def test_without_rapidocr_a_run_that_needs_it_says_what_installs_it(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "RAPIDOCR", tmp_path / "missing")
    monkeypatch.setattr(sys, "argv", ["quality", *arguments])
    assert command.main() == 1
    assert "`make quality` installs it" in " ".join(capsys.readouterr().err.split())
