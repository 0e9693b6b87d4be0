"""The limit: every picture of the list is read once, whoever reads it, and with the text that was drawn."""

from __future__ import annotations

import time

import pytest

from bench import child, limit
from bench.limit import BareEngine
from bench.machine import CpuMeter
from bench.workloads import workload


@pytest.mark.parametrize("engine", ["tesseract", "neural"])
def test_every_number_is_read_once(engine: BareEngine) -> None:
    work = workload("label")
    picks = work.picks(11)
    result = limit.run([image.grey for image in work.images], picks, 2, engine)
    assert [reading.number for reading in result.readings] == list(range(11))
    for reading in result.readings:
        assert reading.text.split() == work.images[picks[reading.number]].text.split()
    assert result.wall_seconds > 0
    assert result.cpu_seconds > 0


def test_each_engine_reads_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(limit, "_tesseract", lambda _images: made.append("tesseract"))
    monkeypatch.setattr(limit, "_neural", lambda _images: made.append("neural"))
    limit.warm_engine("neural", [])
    assert made == ["neural"]
    limit.warm_engine("tesseract", [])
    assert made == ["neural", "tesseract"]


def test_the_start_of_the_engines_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[float] = []
    ready: list[float] = []

    class Meter(CpuMeter):
        def begin(self) -> None:
            super().begin()
            begun.append(time.monotonic())

    class Child(child.Child):
        def wait_ready(self) -> Child:
            super().wait_ready()
            ready.append(time.monotonic())
            return self

    monkeypatch.setattr(child, "Child", Child)
    result = limit.run([workload("label").images[0].grey], [0], 2, meter=Meter())
    assert max(ready) <= begun[-1] <= result.readings[0].began
