"""How a run is put together: rounds, checks of what was answered, the command line."""

from __future__ import annotations

import subprocess
import sys

import pytest
from rich.progress import Progress, TextColumn

from bench import load
from bench.run import Measured, Options, Reference, Run, interleave
from bench.subjects import BrokenRun, WholePath


@pytest.fixture
def run() -> Run:
    return Run(Options(), Progress(TextColumn("{task.description}"), disable=True))


def sample(status: int = 200, body: bytes = b'{"text":"Right\\n"}') -> load.Sample:
    return load.Sample(0, 0.0, 0.0, 1.0, status, body)


@pytest.fixture
def subject(run: Run) -> WholePath:
    run._references["label"] = Reference(["Right\n"], [0.02], [0.02])
    return WholePath.__new__(WholePath)


def test_subjects_take_turns_and_each_round_begins_with_another(run: Run) -> None:
    order: list[str] = []

    def turn(name: str) -> Measured:
        order.append(name)
        return Measured(1, 1.0, {}, 0.0, [])

    measured = interleave(run, 4, {name: lambda name=name: turn(name) for name in "abc"}, "title")  # type: ignore[misc]
    assert "".join(order) == "abcbcacababc"
    assert [len(rounds) for rounds in measured.values()] == [4, 4, 4]


def test_right_answers_pass(run: Run, subject: WholePath) -> None:
    run.check(subject, "label", [sample(), sample()])


@pytest.mark.parametrize("wrong", [sample(503), sample(load.NO_ANSWER, b""), sample(body=b'{"text":"Wrong\\n"}')])
def test_an_error_or_another_text_breaks_the_run(run: Run, subject: WholePath, wrong: load.Sample) -> None:
    with pytest.raises(BrokenRun):
        run.check(subject, "label", [sample(), wrong])


def test_the_pictures_of_a_measurement_are_whole_turns_of_the_list(run: Run) -> None:
    run._references["label"] = Reference([""] * 8, [0.02] * 8, [0.02] * 8)
    assert run.count("label", 0.0001) % 8 == 0
    assert run.count("label", 1.0) == pytest.approx(run.cores / 0.02, abs=8)


def test_help_names_every_option() -> None:
    text = subprocess.run(
        [sys.executable, "-m", "bench", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for option in ("--short", "--rounds", "--only", "--output", "--without-usual", "--render"):
        assert option in text


@pytest.mark.parametrize("wrong", [["--rounds", "0"], ["--only", "nothing"]])
def test_a_wrong_option_is_refused(wrong: list[str]) -> None:
    assert (
        subprocess.run([sys.executable, "-m", "bench", *wrong], capture_output=True, check=False).returncode == 2
    )


def test_a_missing_tesseract_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    found = subprocess.run(
        [sys.executable, "-m", "bench", "--short"], capture_output=True, text=True, check=False, timeout=60
    )
    assert found.returncode == 2
    assert "--without-usual" in found.stderr
