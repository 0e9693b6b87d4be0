"""A neural engine whose OpenVINO misbehaves on pictures of certain sizes, and that reads all others really.

For `MODEL_SERVER_ENVIRONMENT=test MODEL_SERVER_TEST_NEURAL=tests.faults.neural:FaultyNeural` only. The faults are
where the engine waits for OpenVINO: native code dies, computes for ever, or allocates memory; OpenVINO refuses its
input; its output is wrong.
"""

from __future__ import annotations

import ctypes
import enum
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from model_server.reading.engines.neural.engine import NeuralEngine
from model_server.reading.engines.neural.regions import Rectangle
from tests.faults.engines import START, ignore_signals, sleep_for_ever
from tests.pictures import degrade, render
from tests.pictures.formats import FORMATS
from tests.pictures.layout import SANS

TEXT = "the 7 lost words"
_MIB = 1 << 20
_EATEN_AT_ONCE = 16 * _MIB
_MOST_EATEN = 2000 * _MIB  # protects the machine if nothing kills the worker
_LEAK = 450 * _MIB


class NativeFault(enum.IntEnum):
    """What OpenVINO does with a picture of this width and one of the heights below."""

    NONE = 400
    SEGFAULT = 401
    EAT_MEMORY = 402
    LEAK = 403  # once, and a correct output
    COMPUTE = 404  # for ever, SIGTERM ignored
    SLEEP = 405  # the same, the interpreter locked
    REFUSE = 406  # its input, as OpenVINO does: RuntimeError
    NOT_A_NUMBER = 407  # as output
    NOISE = 408


class Model(enum.IntEnum):
    """The model in which the fault happens, by the picture's height."""

    DETECTOR = 67
    RECOGNISER = 71


def picture(fault: NativeFault, model: Model = Model.DETECTOR) -> bytes:
    """A PNG that causes the fault. It has a line of text that Tesseract does not find."""
    image = Image.new("L", (fault, model), 255)
    ImageDraw.Draw(image).text((20, 10), TEXT, 100, ImageFont.truetype(SANS, 36))
    return FORMATS["png grey"].encode(render.Picture(degrade.noise(degrade.blur(image, 1, 1.5), 1, 40.0), TEXT, 0))


class FaultyNeural(NeuralEngine):
    def __init__(self) -> None:
        if Path(os.environ.get(START, os.devnull)).is_file():
            ctypes.string_at(0)  # as on a CPU that lacks an instruction
        super().__init__()
        self._requests = {
            Model.DETECTOR: _FaultyRequest(self._detector._model),
            Model.RECOGNISER: _FaultyRequest(self._recogniser._model),
        }

    def lines(self, page: Image.Image) -> list[Rectangle]:
        self._look_at(page)
        return super().lines(page)

    def coarse_lines(self, page: Image.Image) -> list[Rectangle]:
        self._look_at(page)
        return super().coarse_lines(page)

    def _look_at(self, page: Image.Image) -> None:
        sides = {page.width, page.height}  # the page may have been turned
        for model, request in self._requests.items():
            found = (fault for fault in NativeFault if {fault, model} == sides)
            request.fault = next(found, NativeFault.NONE)


class _FaultyRequest:
    """In the place of a compiled model's inference request."""

    def __init__(self, compiled: Any) -> None:
        self._real = compiled._request
        self._has_leaked = False
        self.fault = NativeFault.NONE
        compiled._request = self

    def infer(self, inputs: list[Any], **options: Any) -> None:
        match self.fault:
            case NativeFault.SEGFAULT:
                ctypes.string_at(0)
            case NativeFault.EAT_MEMORY:
                for _ in range(_MOST_EATEN // _EATEN_AT_ONCE):
                    _allocate(_EATEN_AT_ONCE)
                    time.sleep(0.05)
                sleep_for_ever()
            case NativeFault.LEAK if not self._has_leaked:
                self._has_leaked = True
                _allocate(_LEAK)
            case NativeFault.COMPUTE:
                ignore_signals()
                while True:
                    self._real.infer(inputs, **options)
            case NativeFault.SLEEP:
                sleep_for_ever()
            case NativeFault.REFUSE:
                inputs = [inputs[0][:, :2]]  # without a colour
        self._real.infer(inputs, **options)

    def get_output_tensor(self, number: int) -> Any:
        output = self._real.get_output_tensor(number)
        if self.fault is NativeFault.NOT_A_NUMBER:
            output.data.flat[output.data.size // 2] = np.nan
        elif self.fault is NativeFault.NOISE:
            output.data[:] = np.random.default_rng(1).random(output.data.shape)
        return output


def _allocate(size: int) -> None:
    """Memory that Python does not know of, written to."""
    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_void_p
    library.memset(ctypes.c_void_p(library.malloc(ctypes.c_size_t(size))), 1, ctypes.c_size_t(size))
