"""OpenVINO's CPU plugin, with one thread, and with memory that does not grow with the pages.

A model that is compiled for any shape makes kernels for each shape that it sees. Its own cache of them is off
(`CPU_RUNTIME_CACHE_CAPACITY`), and that of oneDNN, which is below it, is small. Models for fixed shapes would each
keep their own weights.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino

from model_server.cpus import cpu_flags
from model_server.reading.own_heap import apart
from service_kit.memory import give_large_blocks_back, reuse_large_blocks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_KERNELS = "256"  # kept; by default 1024, which take 60 to 120 MiB more and save 4 % of the time
_AMX, _VNNI = "amx_bf16", "avx512_vnni"


class Compiled:
    """A model for inputs of one shape, or of any; calling it gives its first output. For one thread at a time."""

    def __init__(self, model: openvino.Model, shape: Sequence[int] | None = None) -> None:
        if shape is not None:
            model = model.clone()
            model.reshape(list(shape))
        self._request = _core().compile_model(model, "CPU").create_infer_request()

    def __call__(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """The array is the request's own: it is overwritten by the next call.

        Raises:
            RuntimeError: OpenVINO failed, or computed what is no number.
        """
        output = apart(self._infer, pixels)
        if not np.isfinite(output.sum()):  # of such numbers, lines and letters are never found: text would be lost
            raise RuntimeError("the model's output is not finite")
        return output

    def _infer(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        give_large_blocks_back()  # OpenVINO's are of many sizes, and would fragment the heap
        try:
            self._request.infer([pixels], share_inputs=True)
        finally:
            reuse_large_blocks()
        output: NDArray[np.float32] = self._request.get_output_tensor(0).data
        return output


def load(path: Path) -> openvino.Model:
    """A model from an ONNX file. Raises RuntimeError if it is damaged."""
    return _core().read_model(path)


@cache
def precision() -> str:
    """The fastest that keeps the text: `bf16` on CPUs with AMX, `int8` on those with AVX-512 VNNI, else `f32`.

    AVX-512's own bf16 takes 1.6 times as long as f32.
    """
    flags = cpu_flags()
    if _AMX in flags:
        return "bf16"
    return "int8" if _VNNI in flags else "f32"


def version() -> str:
    return f"openvino {openvino.__version__.partition('-')[0]}"


@cache
def _core() -> Any:
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", _KERNELS)  # oneDNN computes for OpenVINO
    core = openvino.Core()
    core.set_property(
        "CPU",
        {
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # it would pin every worker to the same core
            "INFERENCE_PRECISION_HINT": "bf16" if precision() == "bf16" else "f32",
            "CPU_RUNTIME_CACHE_CAPACITY": 0,
        },
    )
    return core
