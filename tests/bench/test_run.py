"""How a run is put together: rounds, checks of what was answered, the command line."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.progress import Progress, TextColumn

from bench import load, subjects
from bench.pairs import Pair
from bench.run import Measured, Options, Reference, Run, interleave
from bench.subjects import BrokenRun, WholePath
from bench.workloads import workload


@pytest.fixture
def run() -> Run:
    return Run(Options(), Progress(TextColumn("{task.description}"), disable=True))


def sample(status: int = 200, body: bytes = b'{"text":"Right\\n"}') -> load.Sample:
    return load.Sample(0, 0.0, 0.0, 1.0, status, body)


@pytest.fixture
def subject(run: Run) -> WholePath:
    run._references["label", "tesseract"] = Reference(["Right\n"], [0.02], [0.02])
    run._references["label", "neural"] = Reference(["Right too\n"], [0.05], [0.05])
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


def test_each_engine_has_a_text_of_its_own(run: Run, subject: WholePath) -> None:
    neural = Pair(0, 1.0, 1.0, 200, b'{"text":"Right too\\n"}')
    run.check(subject, "label", [neural], engine="neural")
    with pytest.raises(BrokenRun, match="bare neural engine"):
        run.check(subject, "label", [sample()], engine="neural")
    with pytest.raises(BrokenRun, match="bare tesseract engine"):
        run.check(subject, "label", [neural])


def test_overhead_is_measured_with_tesseract_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []

    @contextlib.contextmanager
    def stack(_logs: Path, engine: str) -> Iterator[Any]:
        started.append(engine)
        yield

    monkeypatch.setattr(subjects, "stack", stack)
    run.stack()
    with run.fresh_stack("auto"):
        pass
    run.close()
    assert started == ["tesseract", "auto"]


def test_the_model_server_gets_the_engine(tmp_path: Path) -> None:
    with subjects.services_to_start(tmp_path, "tesseract") as (model, _):
        assert model._env["MODEL_SERVER_ENGINE"] == "tesseract"
        assert "MODEL_SERVER_NEURAL" not in model._env


def test_a_request_names_its_engine(tmp_path: Path) -> None:
    image = workload("label").images[0]
    with subjects.services_to_start(tmp_path, "tesseract") as (model, gateway):
        stack = subjects.Stack(model, gateway)
        lines = [each.request(image).split(b"\r\n", 1)[0] for each in (stack.service, stack.by_engine("neural"))]
        assert lines == [b"POST /gateway/ocr HTTP/1.1", b"POST /gateway/ocr?engine=neural HTTP/1.1"]
        assert (stack.service.name, stack.by_engine("auto").name) == ("service", "service with engine=auto")


def test_the_pictures_of_a_measurement_are_whole_turns_of_the_list(run: Run) -> None:
    run._references["label", "tesseract"] = Reference([""] * 8, [0.02] * 8, [0.02] * 8)
    run._references["label", "neural"] = Reference([""] * 8, [0.05] * 8, [0.05] * 8)
    assert run.count("label", 0.0001) % 8 == 0
    assert run.count("label", 1.0) == pytest.approx(run.cores / 0.02, abs=8)
    assert run.count("label", 1.0, "neural") == pytest.approx(run.cores / 0.05, abs=8)


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
