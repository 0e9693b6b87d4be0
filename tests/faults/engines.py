"""An engine that misbehaves on pictures of certain sizes and reads all others with Tesseract.

For `MODEL_SERVER_ENVIRONMENT=test MODEL_SERVER_TEST_ENGINE=tests.faults.engines:Faulty` only. The faults are real:
the process dies, spins, sleeps with the interpreter locked, or eats memory; Tesseract runs short of memory.
"""

from __future__ import annotations

import ctypes
import enum
import io
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import psutil
from PIL import Image

from model_server.engines.tesserocr_engine import Engine
from model_server.page import GreyImage, Parameters, Word

START = "FAULTY_START"  # a file: while it exists, a worker that starts does what the file says

_HEIGHT = 61  # of the pictures whose width names a fault
_SLOW_HEIGHT = 1001  # of those that take as many hundredths of a second as they are wider than this
_SHORT_HEIGHT = 2350  # of sheets of A4 that are read short of memory: and a pixel more for each MiB that is left
_MOST_SHORT = 32
_MIB = 1 << 20
_EATEN_AT_ONCE = 16 * _MIB
_MOST_EATEN = 1500 * _MIB  # the machine's protection, should nobody kill us
_LEAK = 250 * _MIB


class Fault(enum.IntEnum):
    """What a blank picture of this width and the height above does to the worker."""

    SEGFAULT = 201
    EXIT = 202
    KILLED = 203  # as by the kernel, for memory
    EAT_MEMORY = 204
    LEAK = 205  # and a sound answer
    SPIN = 206  # for ever, SIGTERM ignored
    SLEEP = 207  # the same in C code, the interpreter locked
    RAISE = 208
    FLOOD = 209  # complains until its standard error is long


def picture(fault: Fault) -> bytes:
    """A PNG that causes the fault."""
    return _blank(fault, _HEIGHT)


def slow(seconds: float) -> bytes:
    """A PNG that takes so long, and then holds the word `slow`."""
    return _blank(_SLOW_HEIGHT + round(100 * seconds), _SLOW_HEIGHT)


def short_of_memory(mib: int) -> bytes:
    """A PNG of a sheet full of text, for which Tesseract gets no more memory than what it has and `mib` MiB."""
    from tests.pictures import render  # noqa: PLC0415 - the workers do without what draws

    sheet = render.a4(1).image
    taller = Image.new("L", (sheet.width, _SHORT_HEIGHT + mib), 255)
    taller.paste(sheet)
    return _png(taller)


def _blank(width: int, height: int) -> bytes:
    return _png(Image.new("1", (width, height), 1))


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


class Faulty:
    def __init__(self, tessdata: Path | None) -> None:
        flag = Path(os.environ.get(START, os.devnull))
        if flag.is_file():
            what = flag.read_text()
            with flag.with_suffix(".starts").open("a") as starts:
                starts.write("x")
            if what == "hang":
                _sleep()
            os._exit(3)
        self._engine = Engine(tessdata)
        self.info = self._engine.info
        self._leaked: list[bytearray] = []

    def read(self, image: GreyImage, parameters: Parameters) -> list[Word]:
        if image.height == _HEIGHT and image.width in list(Fault):
            self._misbehave(Fault(image.width))
        elif image.height == _SLOW_HEIGHT:
            time.sleep((image.width - _SLOW_HEIGHT) / 100)
            return [Word("slow", 99.0, (0, 0, 1, 1), 1, 1, 1)]
        elif 0 <= image.height - _SHORT_HEIGHT <= _MOST_SHORT:
            return _read_short_of_memory(image, image.height - _SHORT_HEIGHT)
        return self._engine.read(image, parameters)

    def _misbehave(self, fault: Fault) -> None:  # noqa: C901 - a table
        match fault:
            case Fault.SEGFAULT:
                ctypes.string_at(0)
            case Fault.EXIT:
                os._exit(0)
            case Fault.KILLED:
                os.kill(os.getpid(), signal.SIGKILL)
            case Fault.EAT_MEMORY:
                _eat()
            case Fault.LEAK:
                self._leaked.append(bytearray(os.urandom(4096)) * (_LEAK // 4096))
            case Fault.SPIN:
                _ignore_signals()
                while True:
                    pass
            case Fault.SLEEP:
                _sleep()
            case Fault.RAISE:
                raise ValueError("an engine raised what nobody foresaw")
            case Fault.FLOOD:
                for _ in range(20_000):
                    os.write(2, b"a complaint of no importance, over and over\n")


def _ignore_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _sleep() -> None:
    _ignore_signals()
    while True:
        ctypes.PyDLL(None).sleep(3600)  # PyDLL: the interpreter stays locked


def _eat() -> None:
    eaten: list[bytearray] = []
    while len(eaten) * _EATEN_AT_ONCE < _MOST_EATEN:
        eaten.append(bytearray(os.urandom(4096)) * (_EATEN_AT_ONCE // 4096))
        time.sleep(0.05)
    _sleep()


def _read_short_of_memory(image: GreyImage, mib: int) -> list[Word]:
    """Tesseract in a process of its own, where what it may still allocate is known; its stderr is ours."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.engines", *map(str, (mib, image.width, image.height))],
        input=image.pixels,
        stdout=subprocess.PIPE,
        check=False,
        env={**os.environ, "OMP_THREAD_LIMIT": "1"},  # as in a worker: each thread would want memory of its own
    )
    if done.returncode:
        raise RuntimeError("Tesseract did not survive")
    words: list[Word] = [Word(*word) for word in orjson.loads(done.stdout)]
    return words


def words_short_of_memory(mib: int) -> int | None:
    """How many words Tesseract finds on that page, were it believed; None where it fails in the open."""
    with Image.open(io.BytesIO(short_of_memory(mib))) as image:
        page = GreyImage(image.tobytes(), image.width, image.height, 200)
    try:
        return len(_read_short_of_memory(page, mib))
    except RuntimeError:
        return None


def _main(mib: int, width: int, height: int) -> None:
    """Read the grey pixels on stdin with no more memory than now and `mib` MiB; print the words."""
    engine = Engine(Path(sys.prefix) / "share" / "tessdata")
    engine.read(GreyImage(b"\xff" * 4096, 64, 64, 0), Parameters())
    page = GreyImage(sys.stdin.buffer.read(), width, height, 200)
    most = psutil.Process().memory_info().vms + mib * _MIB
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    words = engine.read(page, Parameters())
    sys.stdout.buffer.write(orjson.dumps([[*word] for word in words]))


if __name__ == "__main__":
    _main(*map(int, sys.argv[1:]))
