"""OpenVINO's memory lies apart from Tesseract's."""

from __future__ import annotations

import subprocess
import sys

import pytest

from model_server.reading.own_heap import apart

MOST_KIB = 16 << 10  # in the same heap they take 36 MiB

GROWTH = """
from pathlib import Path
from model_server.reading.reader import neural_engine, orientation_model
from service_kit.memory import give_large_blocks_back

def heap() -> int:
    _, found, rest = Path("/proc/self/smaps").read_text().partition("[heap]")
    return int(rest.partition("Rss:")[2].split()[0]) if found else 0

give_large_blocks_back()
before = heap()
models = neural_engine()[0], orientation_model()[0]
assert all(models)
print(heap() - before)
"""


def test_the_models_are_not_in_the_main_thread_s_heap() -> None:
    done = subprocess.run([sys.executable, "-c", GROWTH], capture_output=True, text=True, check=True)
    assert int(done.stdout) < MOST_KIB


def test_a_function_that_is_called_apart_may_call_another_so() -> None:
    assert apart(lambda: apart(sum, [1, 2])) == 3


def test_its_error_is_the_caller_s() -> None:
    def fail() -> None:
        raise RuntimeError("the model's output is not finite")

    with pytest.raises(RuntimeError, match="not finite"):
        apart(fail)
