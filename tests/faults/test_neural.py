"""The neural engine crashes, hangs, uses up memory or computes nonsense: alone, and within `auto`."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.faults import neural
from tests.faults.conftest import Record
from tests.faults.neural import Model, NativeFault
from tests.faults.pair import KNOWN, Pair, outcomes, peak_mib
from tests.faults.replaced import both_hang, replaced, restarts

pytestmark = pytest.mark.alone

NEURAL = {
    "NEURAL": "true",
    "TEST_NEURAL": "tests.faults.neural:FaultyNeural",
    "WORKER_RECYCLE_MIB": "600",
    "WORKER_KILL_MIB": "900",
}


@dataclass
class Reading:
    engine: str
    pair: Pair


@pytest.fixture(scope="module", params=["auto", "neural"])
def shared_reading(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reading]:
    """A pair whose default engine is this one."""
    folder = tmp_path_factory.mktemp(request.param)
    with Pair(folder, {**NEURAL, "ENGINE": request.param}).running() as started:
        yield Reading(request.param, started)


@pytest.fixture
def reading(shared_reading: Reading) -> Reading:
    shared_reading.pair.begin()
    return shared_reading


def test_both_models_are_used(reading: Reading) -> None:
    """Else the faults below would not happen."""
    (page,) = reading.pair.predict(neural.picture(NativeFault.NONE)).json["predictions"]
    assert page["engine"]["name"] == reading.engine
    assert page["text"] == f"{neural.TEXT}\n"
    assert (page["lines"], page["lines_read_again"]) == (1, reading.engine == "auto")


@pytest.mark.parametrize("model", Model)
@pytest.mark.fault(0, "The neural engine dies of a segmentation fault")
def test_neural_segfault(reading: Reading, record: Record, model: Model) -> None:
    pair, before = reading.pair, restarts(reading.pair)
    with ThreadPoolExecutor(4) as pool:
        neighbours = [pool.submit(pair.read, KNOWN) for _ in range(3)]
        crashed = pair.read(neural.picture(NativeFault.SEGFAULT, model))
        found = [neighbour.result() for neighbour in neighbours]
    record.answer("its page", crashed)
    assert (crashed.status, crashed.code) == (503, "worker_crashed")
    assert outcomes(found) == {"200 ok": 3}
    assert {answer.text for answer in found} == {pair.known_text}
    record.answer("its neighbours", max(found, key=lambda answer: answer.seconds))
    assert [line for line in pair.model.log_lines_of("worker died") if line["status"] == -signal.SIGSEGV]
    replaced(pair, before, record, crashed=1)
    record.whole(pair)


@pytest.mark.fault(0, "The neural engine uses up memory, in native code")
def test_neural_eats_memory(reading: Reading, record: Record) -> None:
    pair, before, small = reading.pair, restarts(reading.pair), peak_mib(reading.pair.model.pid)
    eaten = record.answer("its page", pair.read(neural.picture(NativeFault.EAT_MEMORY)))
    assert (eaten.status, eaten.code) == (503, "out_of_memory")
    assert peak_mib(pair.model.pid) < small + 16
    replaced(pair, before, record, memory=1)
    record.whole(pair)


@pytest.mark.fault(0, "The neural engine leaves its worker large")
def test_neural_leaks(reading: Reading, record: Record) -> None:
    pair, before = reading.pair, restarts(reading.pair)
    answer = record.answer("a page that leaks 450 MiB", pair.read(neural.picture(NativeFault.LEAK)))
    assert answer.status == 200
    replaced(pair, before, record, memory=1)
    assert all(worker.memory_info().rss < 450 << 20 for worker in pair.workers())
    record.whole(pair)


@pytest.mark.parametrize(
    ("fault", "model"),
    [
        (NativeFault.COMPUTE, Model.DETECTOR),
        (NativeFault.COMPUTE, Model.RECOGNISER),
        (NativeFault.SLEEP, Model.DETECTOR),
    ],
)
@pytest.mark.fault(0, "The neural engine hangs in every worker at once and ignores SIGTERM")
def test_neural_hangs(reading: Reading, record: Record, fault: NativeFault, model: Model) -> None:
    how = "computing" if fault is NativeFault.COMPUTE else "asleep with the interpreter locked"
    both_hang(reading.pair, record, neural.picture(fault, model), how)


@pytest.mark.parametrize("model", Model)
@pytest.mark.parametrize(
    ("fault", "what", "cause"),
    [
        (NativeFault.REFUSE, "OpenVINO refuses the input", "Can't set the input tensor"),
        (NativeFault.NOT_A_NUMBER, "the output is no number", "the model's output is not finite"),
    ],
)
@pytest.mark.fault(0, "The neural engine fails, and its part of the text would be missing")
def test_neural_fails(
    reading: Reading, record: Record, model: Model, fault: NativeFault, what: str, cause: str
) -> None:
    """`auto` does not answer with Tesseract's part alone: nobody would see that it is less."""
    pair, before = reading.pair, restarts(reading.pair)
    answer = record.answer(f"a page for which {what}", pair.read(neural.picture(fault, model)))
    assert (answer.status, answer.code) == (503, "engine_failed")
    assert cause in pair.model.log_lines_of("page failed")[-1]["cause"]
    record.also("never 200 with less text")
    record.whole(pair)
    assert restarts(pair) == before, "the worker reads on"


@pytest.mark.parametrize("model", Model)
def test_neural_computes_noise(reading: Reading, model: Model) -> None:
    """Any text may come of it; the page's shape is right, and the next page's text too."""
    answer = reading.pair.predict(neural.picture(NativeFault.NOISE, model))
    assert answer.status == 200
    (page,) = answer.json["predictions"]
    for word in page["words"]:
        x0, y0, x1, y1 = word["bbox"]
        assert 0 <= x0 < x1 <= page["width"]
        assert 0 <= y0 < y1 <= page["height"]
        assert 0 <= word["confidence"] <= 100
    reading.pair.check_whole()
