"""8-bit kernels for the recogniser, on CPUs that have instructions for them (AVX-512 VNNI).

`FakeQuantize` nodes say to how many steps a value is rounded; OpenVINO makes 8-bit kernels of what is between.
`ranges.json` has the range of each node's input. Weights have a range of their own for each output channel.
`python -m quality.ranges` measures such ranges again, and says how the file was made.
The detector stays in f32: with 8 bits it misses faint lines.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from openvino import opset13 as ops

if TYPE_CHECKING:
    from collections.abc import Mapping

    import openvino

_CHANNELS = {"Convolution": 0, "MatMul": 1}  # the axis of the output channels of a node's weights
_STEPS, _WEIGHT_STEPS = 256, 255
_SMALLEST = 1e-9
RANGES = Path(__file__).with_name("ranges.json")


def ranges() -> dict[str, tuple[float, float]]:
    """The lowest and the highest value of each node's input, by the node's name."""
    found: dict[str, tuple[float, float]] = orjson.loads(RANGES.read_bytes())
    return found


def quantise(model: openvino.Model, inputs: Mapping[str, tuple[float, float]]) -> None:
    """Change the model: round the inputs and weights of the nodes named in `inputs`."""
    made: dict[tuple[str, int, float, float], Any] = {}
    for node in model.get_ordered_ops():
        name = node.get_friendly_name()
        if name not in inputs:
            continue
        source = node.input_value(0)
        low, high = with_zero(*inputs[name])
        key = (source.get_node().get_friendly_name(), source.get_index(), low, high)
        if key not in made:
            made[key] = _rounded(source, np.float32(low), np.float32(high), _STEPS)
        node.input(0).replace_source_output(made[key])
        weights = _weights(node)
        others = tuple(axis for axis in range(weights.ndim) if axis != _CHANNELS[node.get_type_name()])
        most = np.maximum(np.abs(weights).max(axis=others, keepdims=True), _SMALLEST)
        node.input(1).replace_source_output(_rounded(ops.constant(weights), -most, most, _WEIGHT_STEPS))
    model.validate_nodes_and_infer_types()


def with_zero(low: float, high: float) -> tuple[float, float]:
    """The range moved so that zero is one of its steps."""
    low, high = min(low, 0.0), max(high, 0.0)
    step = (high - low) / (_STEPS - 1)
    zero = round(-low / step)
    return -zero * step, (_STEPS - 1 - zero) * step


def _rounded(source: Any, low: Any, high: Any, steps: int) -> Any:
    return ops.fake_quantize(source, low, high, low, high, steps).output(0)


def _weights(node: Any) -> Any:
    found = node.input_value(1).get_node()
    while found.get_type_name() == "Identity":
        found = found.input_value(0).get_node()
    return np.asarray(found.get_data(), np.float32)
