"""An engine that misbehaves on pictures of certain sizes, and reads all others with Tesseract.

For `MODEL_SERVER_ENVIRONMENT=test MODEL_SERVER_TEST_ENGINE=tests.faults.engines:Faulty` only. The faults are real:
the process dies, loops, sleeps with the interpreter locked, or allocates memory; Tesseract runs out of memory.
"""

from __future__ import annotations

import contextlib
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

from model_server.reading.engines.tesserocr_engine import TesserocrEngine
from model_server.reading.image import PageImage
from service_kit.page import Parameters, Word

START = "FAULTY_START"  # a file: while it exists, a starting worker does what the file says

_HEIGHT = 61  # of pictures whose width selects a fault
_SLOW_HEIGHT = 1001  # of slow pictures: each pixel of width over this takes 0.01 s
_SHORT_HEIGHT = 2350  # of A4 sheets read with little memory: one more pixel for each MiB that is left
_MOST_SHORT = 32
_MIB = 1 << 20
_EATEN_AT_ONCE = 16 * _MIB
_MOST_EATEN = 1500 * _MIB  # protects the machine if nothing kills the worker
_LEAK = 250 * _MIB
_FLOOD = 300 * _MIB
_LONG = 40 * _MIB  # once in the text, once in the words
_LARGE = 600 * _MIB


class Fault(enum.IntEnum):
    """The worker's fault on a blank picture of this width and the height above."""

    SEGFAULT = 201
    EXIT = 202
    KILLED = 203  # as the kernel does, if memory runs out
    EAT_MEMORY = 204
    LEAK = 205  # and a correct answer
    SPIN = 206  # for ever, SIGTERM ignored
    SLEEP = 207  # the same in C code, the interpreter locked
    RAISE = 208
    FLOOD = 209  # fills its standard error
    FLOOD_MORE = 210  # writes 300 MiB to standard error, like C code that ignores whether a write succeeds
    LONG_ANSWER = 211
    EAT_IN_CHILD = 212  # starts a program that allocates memory, as `tesseract` may


def picture(fault: Fault) -> bytes:
    """A PNG that causes the fault."""
    return _blank(fault, _HEIGHT)


def slow(seconds: float) -> bytes:
    """A PNG that takes this long, and then gives the word `slow`."""
    return _blank(_SLOW_HEIGHT + round(100 * seconds), _SLOW_HEIGHT)


def short_of_memory(mib: int) -> bytes:
    """A PNG of a page full of text, for which Tesseract may allocate only `mib` MiB more.

    A rule along the page keeps it in one worker.
    """
    from tests.pictures import render  # noqa: PLC0415 - workers do not need it

    sheet = render.a4(1).image
    taller = Image.new("L", (sheet.width, _SHORT_HEIGHT + mib), 255)
    taller.paste(sheet)
    taller.paste(0, (9, 0, 12, taller.height))
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
                sleep_for_ever()
            if what != "large":
                os._exit(3)
            self._large = _filled(_LARGE)
        self._engine = TesserocrEngine(tessdata)
        self.info = self._engine.info
        self._leaked: list[bytearray] = []

    def read(self, image: PageImage, parameters: Parameters) -> list[Word]:
        if image.height == _HEIGHT and image.width in list(Fault):
            self._misbehave(Fault(image.width))
            if image.width == Fault.LONG_ANSWER:
                return [_word("x" * _LONG)]
        elif image.height == _SLOW_HEIGHT:
            time.sleep((image.width - _SLOW_HEIGHT) / 100)
            return [_word("slow")]
        elif 0 <= image.height - _SHORT_HEIGHT <= _MOST_SHORT:
            return _read_short_of_memory(image, image.height - _SHORT_HEIGHT)
        return self._engine.read(image, parameters)

    def _misbehave(self, fault: Fault) -> None:  # noqa: C901, PLR0912 - a table
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
                self._leaked.append(_filled(_LEAK))
            case Fault.SPIN:
                ignore_signals()
                while True:
                    pass
            case Fault.SLEEP:
                sleep_for_ever()
            case Fault.RAISE:
                raise ValueError("an engine raised what nobody foresaw")
            case Fault.FLOOD:
                for _ in range(20_000):
                    os.write(2, b"a complaint of no importance, over and over\n")
            case Fault.FLOOD_MORE:
                for _ in range(_FLOOD // 4096):
                    with contextlib.suppress(OSError):
                        os.write(2, b"a complaint" * 372)
            case Fault.EAT_IN_CHILD:
                subprocess.run([sys.executable, "-c", f"import {__name__} as e; e._eat()"], check=False)


def _word(text: str) -> Word:
    return {"text": text, "confidence": 99.0, "bbox": (0, 0, 1, 1), "block": 1, "paragraph": 1, "line": 1}


def ignore_signals() -> None:
    """By the C library, because Python's own function is for the main thread alone."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        ctypes.CDLL(None).signal(int(number), ctypes.c_void_p(signal.SIG_IGN))


def sleep_for_ever() -> None:
    ignore_signals()
    while True:
        ctypes.PyDLL(None).sleep(3600)  # PyDLL: the interpreter stays locked


def _eat() -> None:
    eaten: list[bytearray] = []
    while len(eaten) * _EATEN_AT_ONCE < _MOST_EATEN:
        eaten.append(_filled(_EATEN_AT_ONCE))
        time.sleep(0.05)
    sleep_for_ever()


def _filled(size: int) -> bytearray:
    return bytearray(os.urandom(4096)) * (size // 4096)


def _read_short_of_memory(image: PageImage, mib: int) -> list[Word]:
    """Tesseract in its own process, where the memory that it may still allocate is known; it uses our stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.engines", *map(str, (mib, image.width, image.height))],
        input=image.pixels,
        stdout=subprocess.PIPE,
        check=False,
        env={**os.environ, "OMP_THREAD_LIMIT": "1"},  # as in a worker: each thread would need its own memory
    )
    if done.returncode:
        raise RuntimeError("Tesseract did not survive")
    words: list[Word] = orjson.loads(done.stdout)
    return words


def words_short_of_memory(mib: int) -> int | None:
    """Number of words that Tesseract reports for that page; None if it reports a failure."""
    with Image.open(io.BytesIO(short_of_memory(mib))) as image:
        page = PageImage(image.tobytes(), image.width, image.height, 200)
    try:
        return len(_read_short_of_memory(page, mib))
    except RuntimeError:
        return None


def _main(mib: int, width: int, height: int) -> None:
    """Read the grey pixels on stdin with at most `mib` MiB more memory; print the words."""
    engine = TesserocrEngine(Path(sys.prefix) / "share" / "tessdata")
    engine.read(PageImage(b"\xff" * 4096, 64, 64, 0), Parameters())
    page = PageImage(sys.stdin.buffer.read(), width, height, 200)
    most = psutil.Process().memory_info().vms + mib * _MIB
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    words = engine.read(page, Parameters())
    sys.stdout.buffer.write(orjson.dumps(words))


if __name__ == "__main__":
    _main(*map(int, sys.argv[1:]))
