"""Workers that die, use up memory, hang or lose text: faults 1 to 5, and the pool of workers."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from PIL import Image, ImageDraw

from model_server.settings import ModelServerSettings
from scripts.services import ROOT, answers
from tests.faults import engines
from tests.faults.conftest import PairOf, Record
from tests.faults.engines import Fault
from tests.faults.pair import KNOWN, Pair, crowding, little, metrics, outcomes, peak_mib, png, until
from tests.faults.replaced import both_hang, replaced, restarts
from tests.faults.wire import Answer
from tests.pictures import render

pytestmark = pytest.mark.alone


@pytest.mark.parametrize("name", ["TEST_ENGINE", "TEST_NEURAL"])
def test_production_refuses_a_test_engine(name: str) -> None:
    env = {f"MODEL_SERVER_{name}": "tests.faults.engines:Faulty", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-m", "model_server"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode != 0
    assert "TEST_ENGINE and TEST_NEURAL are for ENVIRONMENT=test only" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.fault(1, "A worker dies of a segmentation fault")
def test_01_worker_segfault(pair: Pair, record: Record) -> None:
    before = restarts(pair)
    with ThreadPoolExecutor(4) as pool:
        neighbours = [pool.submit(pair.read, KNOWN) for _ in range(3)]
        crashed = record.answer("its page", pair.read(engines.picture(Fault.SEGFAULT)))
        found = [neighbour.result() for neighbour in neighbours]
    assert (crashed.status, crashed.code) == (503, "worker_crashed")
    assert outcomes(found) == {"200 ok": 3}
    assert {answer.text for answer in found} == {pair.known_text}
    record.answer("its neighbours", max(found, key=lambda answer: answer.seconds))
    died = [line for line in pair.model.log_lines() if line.get("status") == -signal.SIGSEGV]
    assert died, "it really was a segmentation fault"
    assert "Segmentation fault" in died[-1]["last_words"]
    replaced(pair, before, record, crashed=1)
    record.whole(pair)


@pytest.mark.parametrize("fault", [Fault.EXIT, Fault.RAISE])
def test_a_worker_that_just_ends(pair: Pair, fault: Fault) -> None:
    answer = pair.read(engines.picture(fault))
    assert (answer.status, answer.code) == (503, "worker_crashed")
    pair.check_whole()


@pytest.mark.fault(2, "A worker is killed for its memory: by the model server's limit, and as by the kernel")
def test_02_worker_killed_for_memory(pair: Pair, record: Record) -> None:
    before = restarts(pair)
    eaten = record.answer("a page that eats memory without end", pair.read(engines.picture(Fault.EAT_MEMORY)))
    assert (eaten.status, eaten.code) == (503, "out_of_memory")
    killed = record.answer("a page whose worker gets SIGKILL", pair.read(engines.picture(Fault.KILLED)))
    assert (killed.status, killed.code) == (503, "out_of_memory")
    replaced(pair, before, record, memory=2)
    record.whole(pair)


@pytest.mark.slow
@pytest.mark.fault(3, "Tesseract runs short of memory and goes on without: less text, and only stderr tells")
def test_03_failed_allocation(pair: Pair, record: Record) -> None:
    enough = pair.read(engines.short_of_memory(32))
    assert enough.status == 200
    words = len(enough.json["pages"][0]["words"])
    assert words > 300
    shortages = range(4, 15, 2)  # MiB: it differs between processes at which of them Tesseract reports a failure
    silent = []
    for mib in shortages:
        answer = pair.read(engines.short_of_memory(mib))
        assert (answer.status, answer.code) == (503, "engine_failed")
        cause = pair.model.log_lines_of("page failed")[-1]["cause"]
        if "complained" in cause:  # Tesseract itself reported success
            silent.append(answer)
    assert silent, "the fault itself: success, and no words"
    answer = silent[0]
    believed = [engines.words_short_of_memory(mib) for mib in shortages]
    found = min(count for count in believed if count is not None)
    assert found < words, "this is what would have been answered"
    record.answer(f"a page of {words} words of which Tesseract, short of memory, finds {found}", answer)
    record.also("never 200 with less text")
    record.whole(pair)


@pytest.mark.parametrize(("size", "psm"), [((4, 64), 3), ((5, 300), 3), ((3, 300), 8)])
def test_a_sound_picture_that_leptonica_complains_of(pair: Pair, size: tuple[int, int], psm: int) -> None:
    """`Error in pixScanForForeground: invalid box` is not a failed allocation, and no text is lost."""
    image = Image.new("L", size, 255)
    pen = ImageDraw.Draw(image)
    pen.text((1, 1), "Ab1 the", fill=0)
    pen.line((0, size[1] // 2, size[0], size[1] // 2))
    assert pair.read(png(render.Picture(image, "", 0)), f"?psm={psm}").status == 200


def test_an_engine_that_complains_at_length(pair: Pair) -> None:
    assert pair.read(engines.picture(Fault.FLOOD)).status == 200
    pair.check_whole()


@pytest.mark.parametrize(
    ("fault", "code", "reason"),
    [
        (Fault.FLOOD_MORE, "worker_crashed", "crashed"),
        (Fault.LONG_ANSWER, "worker_crashed", "crashed"),
        (Fault.EAT_IN_CHILD, "out_of_memory", "memory"),
    ],
)
def test_what_a_worker_may_not_do_to_its_parent(pair: Pair, fault: Fault, code: str, reason: str) -> None:
    """Endless error output, a huge answer, a program that uses up memory: it is killed; the parent stays small."""
    before, small = restarts(pair), peak_mib(pair.model.pid)
    answer = pair.predict(engines.picture(fault))
    assert (answer.status, answer.code) == (503, code)
    assert peak_mib(pair.model.pid) < small + 16
    pair.wait_workers()
    assert restarts(pair) - before == {reason: 1}
    pair.check_whole()


def test_workers_get_no_settings_of_the_service(pair: Pair) -> None:
    """Some settings may be secret."""
    for worker in pair.workers():
        names = set(worker.environ())
        assert "PATH" in names
        assert not [name for name in names if name.startswith("MODEL_SERVER_")]
    assert "MODEL_SERVER_WORKERS" in pair.model.process.environ()


def test_a_worker_that_is_too_large_from_its_start(pair_of: PairOf, tmp_path: Path) -> None:
    flag = tmp_path / "start"
    flag.write_text("large")
    pair = pair_of(environment={engines.START: str(flag)})
    assert pair.model.service.start().process.wait(60) != 0
    (line,) = pair.model.log_lines_of("did not start")
    assert line["why"] == "No worker came up: it takes more than WORKER_KILL_MIB (400) before its first page"


def test_calls_are_admitted_as_a_whole_and_refusals_kill_nobody(pair_of: PairOf) -> None:
    with pair_of({"MAX_QUEUE": "8"}).running() as pair, ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: pair.predict(*[engines.slow(0.3)] * 8), range(3)))
        counts = outcomes(found)
        assert counts["200 ok"] >= 1
        assert set(counts) == {"200 ok", "429 overloaded"}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in found if answer.status == 429)
        assert not restarts(pair)
        pair.check_whole()


def test_a_page_that_fails_lets_those_of_its_call_end_that_were_begun(pair: Pair) -> None:
    before, begun = restarts(pair), pages_begun(pair)
    answer = pair.predict(engines.slow(1), KNOWN[: len(KNOWN) // 2], *[KNOWN] * 6)
    assert (answer.status, answer.code) == (422, "damaged_image")
    assert answer.seconds < 0.8 * crowding(), "at once"
    pair.check_whole()
    with ThreadPoolExecutor(2) as pool:
        assert outcomes(list(pool.map(pair.predict, [engines.slow(0.5)] * 2))) == {"200 ok": 2}
    assert not restarts(pair) - before
    assert pages_begun(pair) - begun <= 3 + 3, "those that waited were not begun, but for the next one"


def test_many_small_pictures_wait_as_long_as_their_time_allows(pair_of: PairOf) -> None:
    """Their number alone does not cause refusals."""
    default = ModelServerSettings.model_fields["max_queue"].default
    with pair_of({"MAX_QUEUE": str(default)}).running() as pair, ThreadPoolExecutor(120) as pool:
        found = list(pool.map(lambda _: pair.predict(engines.slow(0.05)), range(120)))
        assert outcomes(found) == {"200 ok": 120}
        pair.check_whole()


@pytest.mark.parametrize("fault", [Fault.SPIN, Fault.SLEEP])
@pytest.mark.fault(4, "Every worker hangs at once and ignores SIGTERM")
def test_04_hang(pair: Pair, record: Record, fault: Fault) -> None:
    how = "spinning" if fault is Fault.SPIN else "asleep with the interpreter locked"
    both_hang(pair, record, engines.picture(fault), how)


@pytest.mark.slow
def test_many_workers_hang_at_once(pair_of: PairOf) -> None:
    """The time to recover does not depend on their number."""
    with pair_of({"WORKERS": "6"}).running() as pair:
        with ThreadPoolExecutor(6) as pool:
            budget = {"x-request-timeout": "1"}
            hanging = [pool.submit(pair.read, engines.picture(Fault.SLEEP), headers=budget) for _ in range(6)]
            found = [answer.result() for answer in hanging]
        assert outcomes(found) == {"504 deadline_exceeded": 6}
        assert max(answer.seconds for answer in found) < 1 + little()
        pair.wait_workers()
        pair.check_whole()


@pytest.mark.slow
@pytest.mark.fault(5, "A page would wait past its deadline")
def test_05_queue_past_the_deadline(pair_of: PairOf, record: Record) -> None:
    """On its own pair, whose model server does not know yet how long pages take."""
    with pair_of({}).running() as pair:
        begun = pages_begun(pair)
        with ThreadPoolExecutor(4) as pool:
            # How long these take is unknown: the page behind them is admitted, and its deadline passes.
            hanging = [
                pool.submit(pair.read, engines.picture(Fault.SLEEP), headers={"x-request-timeout": "1.5"})
                for _ in range(2)
            ]
            until(lambda: pages_begun(pair) == begun + 2, "both begun")
            waiting = pool.submit(pair.read, KNOWN, headers={"x-request-timeout": "0.4"})
            until(lambda: metrics(pair.model.service)["ocr_queue_length"] == 1, "it waits")
            late = record.answer("a page with a budget of 0.4 s behind pages that hang", waiting.result())
            until(lambda: metrics(pair.model.service)["ocr_queue_length"] == 0, "off the queue", 0.3)
            assert [answer.result().status for answer in hanging] == [504, 504]
        assert (late.status, late.code) == (504, "deadline_exceeded")
        assert late.seconds < 0.4 + little()
        pair.wait_workers()
        assert pages_begun(pair) == begun + 2, "the page was never begun"

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: pair.read(engines.slow(0.5)), range(8)))  # the pace is learnt
            first = [pool.submit(pair.read, engines.slow(0.5)) for _ in range(4)]
            until(lambda: metrics(pair.model.service)["ocr_queue_length"] == 2, "two wait")
            refused = record.answer(
                "the same behind pages known to take 0.5 s", pair.read(engines.slow(0.5), headers=SOON)
            )
            assert [answer.result().status for answer in first] == [200] * 4
        assert (refused.status, refused.code) == (429, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.seconds < 0.3 * crowding(), "at once"
        record.also("the page was never begun")
        record.whole(pair)


SOON = {"x-request-timeout": "0.4"}


def pages_begun(pair: Pair) -> float:
    return metrics(pair.model.service)["ocr_queue_wait_seconds_count"]


@pytest.mark.fault(0, "The client's own budget, X-Request-Timeout, runs out")
def test_deadline_passes(pair: Pair, record: Record) -> None:
    answer = record.answer(
        "0.5 s for a page of 3 s", pair.read(engines.slow(3), headers={"x-request-timeout": "0.5"})
    )
    assert (answer.status, answer.code) == (504, "deadline_exceeded")
    assert answer.seconds < 0.5 + little()
    record.whole(pair)


@pytest.mark.fault(0, "One page of a call for several crashes its worker")
def test_one_of_several_crashes(pair: Pair, record: Record) -> None:
    call = (KNOWN, engines.picture(Fault.SEGFAULT), engines.slow(3), KNOWN)
    answer = record.answer("the call", pair.predict(*call))
    assert (answer.status, answer.code) == (503, "worker_crashed")
    assert answer.seconds < 2 * crowding(), "the others are given up"
    pair.wait_workers()

    def both() -> Answer | None:
        hanging = (engines.picture(Fault.SPIN),) * 2
        found = pair.predict(*hanging, headers={"x-request-timeout": "0.5"})
        return None if found.code == "overloaded" else found

    late = until(both, "the page of 3 s, begun before the crash, is over", 5)
    assert (late.status, late.code) == (504, "deadline_exceeded")
    assert pair.predict(KNOWN, b"not an image", KNOWN).code == "not_an_image"
    assert len(pair.predict(KNOWN, KNOWN, KNOWN).json["predictions"]) == 3
    record.whole(pair)


@pytest.mark.fault(0, "A worker dies between two pages")
def test_worker_dies_idle(pair: Pair, record: Record) -> None:
    """No page is lost."""
    pair.wait_workers()
    before = restarts(pair)
    for worker in pair.workers():
        worker.kill()
    until(lambda: (restarts(pair) - before).total() >= 2, "the deaths were noticed")
    assert record.answer("a page once both were killed", pair.read(KNOWN)).status == 200
    replaced(pair, before, record, memory=2)
    record.whole(pair)


@pytest.mark.fault(0, "A page leaves its worker large")
def test_recycled_for_memory(pair: Pair, record: Record) -> None:
    before = restarts(pair)
    answer = record.answer("a page that leaks 250 MiB", pair.read(engines.picture(Fault.LEAK)))
    assert answer.status == 200
    replaced(pair, before, memory=1)
    assert all(worker.memory_info().rss < 200 << 20 for worker in pair.workers())
    record.whole(pair)


@pytest.mark.slow
@pytest.mark.fault(0, "Workers are replaced after a number of pages, under load")
def test_recycled_after_pages(pair_of: PairOf, record: Record) -> None:
    with pair_of({"WORKER_MAX_PAGES": "3"}).running() as pair:
        before = restarts(pair)
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: pair.read(KNOWN), range(24)))
        assert outcomes(found) == {"200 ok": 24}
        record.answer("24 pages, replaced after 3", max(found, key=lambda answer: answer.seconds))
        replaced(pair, before, pages=8)
        record.whole(pair)


@pytest.mark.slow
@pytest.mark.fault(0, "No worker can be kept alive")
def test_not_ready_and_not_hot(pair_of: PairOf, record: Record, tmp_path: Path) -> None:
    flag = tmp_path / "start"
    starts = flag.with_suffix(".starts")
    with pair_of(environment={engines.START: str(flag)}).running() as pair:
        flag.write_text("exit")
        for worker in pair.workers():
            worker.kill()
        ready = f"{pair.model.service.url}/v1/models/ocr-model"
        began = time.monotonic()
        until(lambda: not answers(ready), "not ready", 10)
        record.saw("readiness", "503", time.monotonic() - began)
        assert answers(f"{pair.model.service.url}/v2/health/live"), "it lives, and says so"
        until(lambda: not answers(f"{pair.gateway.service.url}/health/ready"), "the gateway not ready either")
        refused = record.answer("a page", pair.read(KNOWN))
        assert (refused.status, refused.code) == (503, "not_ready")
        assert refused.headers["retry-after"]
        assert refused.seconds < 1 * crowding()

        tried, used = len(starts.read_text()), busy_seconds(pair)
        time.sleep(3)  # a fixed time, because a rate is measured
        tried, used = len(starts.read_text()) - tried, busy_seconds(pair) - used
        assert tried <= 6, "each worker's starts become rare"
        assert used < 3, "it does not loop hot: two workers that did would use 6"
        record.saw("starts tried in 3 s", f"{tried}", 3)

        flag.unlink()
        began = time.monotonic()
        until(lambda: answers(ready), "ready again", 16)
        until(lambda: pair.all_workers(metrics(pair.model.service)), "all workers", 16)
        record.saw("ready again once workers can start", "200", time.monotonic() - began)
        record.whole(pair)


def busy_seconds(pair: Pair) -> float:
    """Processor time of the model server and of its ended children."""
    times = psutil.Process(pair.model.pid).cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)
