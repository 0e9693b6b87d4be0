"""`python -m quality.ranges`: the ranges of values that the 8-bit recogniser rounds, from lines of tuning pages.

The detector finds the lines, and the recogniser's f32 model reads them. For each node's input there are three
ranges: from the lowest to the highest value, between the means of the lines' lowest and highest, and the one that
rounds with the least squared error. The node gets the one that changes the probabilities of other lines least (KL
divergence) while only this node computes in 8 bits.

The present file was made by the same rule from other drawn lines, with other words and partly other typefaces,
none of them from a reported page. The ranges of a new run differ from it: the median difference is 20 % of a
range, the largest 200 %. On 16 tuning pages (clean, forms, receipts, photographs), F1 of `engine=neural` is
.977 with the file, .976 with the ranges of a new run, and .978 in f32. So the file stayed.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from PIL import Image

from model_server.reading.engines.neural import eight_bits
from model_server.reading.engines.neural.crops import Crop
from model_server.reading.engines.neural.detector import Detector
from model_server.reading.engines.neural.recogniser import padded
from model_server.reading.model_files import RECOGNISER, checked
from quality.sets import SETS

_SETS = ("clean", "columns", "forms", "tables", "receipts", "photographs", "faint", "languages")
_LINES, _OTHER_LINES = 120, 20
_WIDEST = 1280  # columns: the recogniser reads longer lines in pieces
_VALUES = 6000  # of each line and node, for the squared error
_SHRUNK = [0.3 + 0.05 * step for step in range(15)]
_SMALLEST = 1e-9

Levels = NDArray[np.float32]
Range = tuple[float, float]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m quality.ranges", description="Ranges of the 8-bit recogniser."
    )
    parser.add_argument("--write", action="store_true", help=f"replace {eight_bits.RANGES.name}")
    arguments = parser.parse_args()
    there = eight_bits.ranges()
    found = ranges(lines([0, 1], _LINES), lines([2], _OTHER_LINES), list(there))
    differences = {name: difference(found[name], there[name]) for name in there}
    for name, share in differences.items():
        print(f"{name}: {_shown(found[name])}, in the file {_shown(there[name])}, difference {share:.0%}")
    print(f"The largest difference is {max(differences.values()):.0%} of the range in the file.")
    if arguments.write:
        eight_bits.RANGES.write_text(as_json(found))
    return 0


def lines(seeds: Sequence[int], count: int) -> list[Levels]:
    """The recogniser's inputs for so many lines of the tuning pages with these seeds, by chance."""
    detector = Detector()
    found: list[Levels] = []
    for name in _SETS:
        for seed in seeds:
            page = Image.open(io.BytesIO(SETS[name].draw("tuning", seed).file)).convert("L")
            crops = (Crop(page, line).image for line in detector.lines(page))
            found += [padded(crop) for crop in crops if crop.width <= _WIDEST]
    chosen = np.random.default_rng(0).permutation(len(found))[:count]
    return [found[at] for at in chosen]


def ranges(inputs: Sequence[Levels], others: Sequence[Levels], names: Sequence[str]) -> dict[str, Range]:
    """The range of each named node's input: from `inputs`, chosen by `others`."""
    model = _model()
    values = _values(model, inputs, names)
    expected = [*_outputs(model, others)]
    return {name: _best(model, name, values[name].ranges(), others, expected) for name in names}


def difference(one: Range, other: Range) -> float:
    """The larger change of a bound, as a share of the width of `other`."""
    return max(abs(one[0] - other[0]), abs(one[1] - other[1])) / (other[1] - other[0])


def as_json(found: Mapping[str, Range]) -> str:
    rows = (f' "{name}": [{float(f"{low:.4g}")}, {float(f"{high:.4g}")}]' for name, (low, high) in found.items())
    return "{\n" + ",\n".join(rows) + "\n}\n"


@dataclass
class Values:
    """What a node's input was: the lowest and the highest value of each line, and some of all values."""

    lowest: list[float] = field(default_factory=list)
    highest: list[float] = field(default_factory=list)
    some: list[Levels] = field(default_factory=list)

    def ranges(self) -> list[Range]:
        """Three, without those that are the same."""
        widest = min(self.lowest), max(self.highest)
        mean = float(np.mean(self.lowest)), float(np.mean(self.highest))
        values = np.concatenate(self.some)
        shrunk = [(widest[0] * share, widest[1] * share) for share in _SHRUNK]
        return [*dict.fromkeys((widest, mean, min(shrunk, key=lambda one: _error(values, one))))]


def _error(values: Levels, one: Range) -> float:
    low, high = eight_bits.with_zero(*one)
    step = (high - low) / 255
    rounded = np.clip(np.round((values - low) / step), 0, 255) * step + low
    return float(np.square(rounded - values).mean())


def _model() -> openvino.Model:
    return openvino.Core().read_model(checked(RECOGNISER))


def _values(model: openvino.Model, inputs: Sequence[Levels], names: Sequence[str]) -> dict[str, Values]:
    nodes = {node.get_friendly_name(): node for node in model.get_ops()}
    sources = [nodes[name].input_value(0) for name in names]
    request = _compiled(openvino.Model(sources, model.get_parameters(), "inputs"))
    found = {name: Values() for name in names}
    chance = np.random.default_rng(0)
    for planes in inputs:
        request.infer([planes])
        for at, name in enumerate(names):
            data = request.get_output_tensor(at).data.ravel()
            one = found[name]
            one.lowest.append(float(data.min()))
            one.highest.append(float(data.max()))
            one.some.append(data[chance.integers(0, data.size, _VALUES)])
    return found


def _best(
    model: openvino.Model,
    name: str,
    choices: Sequence[Range],
    others: Sequence[Levels],
    expected: Sequence[Levels],
) -> Range:
    def divergence(choice: Range) -> float:
        changed = model.clone()
        eight_bits.quantise(changed, {name: choice})
        pairs = zip(expected, _outputs(changed, others), strict=True)
        return sum(float((one * (np.log(one) - np.log(other))).sum(axis=-1).mean()) for one, other in pairs)

    return choices[0] if len(choices) == 1 else min(choices, key=divergence)


def _outputs(model: openvino.Model, inputs: Sequence[Levels]) -> Iterator[Levels]:
    """The probabilities of the characters, for each input."""
    request = _compiled(model)
    for planes in inputs:
        request.infer([planes])
        yield request.get_output_tensor(0).data[0] + np.float32(_SMALLEST)


def _compiled(model: openvino.Model) -> Any:
    """In f32 on every CPU, with one thread."""
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    return openvino.Core().compile_model(model, "CPU", settings).create_infer_request()


def _shown(one: Range) -> str:
    return f"{one[0]:.4g} to {one[1]:.4g}"


if __name__ == "__main__":
    sys.exit(main())
