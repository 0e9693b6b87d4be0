"""Reads one line of text: PP-OCRv6's recogniser gives probabilities of all characters for every 8 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import openvino

from model_server.reading.engines.neural.crops import HEIGHT
from model_server.reading.engines.neural.eight_bits import quantise, ranges
from model_server.reading.engines.neural.letters import choice
from model_server.reading.model_files import RECOGNISER, checked
from model_server.reading.openvino_cpu import Compiled, load, precision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL import Image

STEP = 8  # columns of a crop for each set of probabilities
_WIDEST = 1280  # columns read at once: memory grows with them
# Crops are padded to one of these: OpenVINO makes kernels for each, and can't keep them for many. The last: a cut
# may be an eighth of `_WIDEST` away from its place, at both ends.
_WIDTHS = (96, 160, 256, 384, 512, 640, 832, 1056, _WIDEST, _WIDEST * 5 // 4)
_SPACE = 9  # columns: narrower than a space between words, wider than one between letters
_CLEAR = 0.2  # of the strongest ink
_FEATURES, _WEIGHTS, _BIAS = "Transpose.8", "linear_8.w_0", "linear_8.b_0"  # names in the model's file


class ReadLetter(NamedTuple):
    """A character, its probability, and the column of the crop at its middle."""

    text: str
    probability: float
    column: float


class Recogniser:
    """The model up to its last layer, which is computed here for those characters that a page may have.

    The file's last layer has 18,710 characters: 9 of its 21 MB, and most of them Chinese.
    """

    def __init__(self) -> None:
        model = load(checked(RECOGNISER))
        nodes = {node.get_friendly_name(): node for node in model.get_ops()}
        self._weights: NDArray[np.float32] = nodes[_WEIGHTS].data.copy()
        self._bias: NDArray[np.float32] = nodes[_BIAS].data.reshape(-1).copy()
        self._characters = ["", *model.get_rt_info(["framework", "character"]).value.split("\n"), " "]
        features = openvino.Model([nodes[_FEATURES].output(0)], model.get_parameters(), "features")
        if precision() == "int8":
            quantise(features, ranges())
        self._model = Compiled(features)
        self._heads: dict[tuple[str, ...], _Head] = {}  # of each alphabet that was asked for, see `NeuralEngine`

    def letters(self, crop: Image.Image, languages: tuple[str, ...]) -> list[ReadLetter]:
        """The characters of an 8-bit grey crop of `HEIGHT` rows, from left to right."""
        head = self._head(languages)
        found: list[ReadLetter] = []
        for start, end, is_gap in _pieces(crop):
            if is_gap:
                found.append(ReadLetter(" ", 1.0, start))
            planes = padded(crop.crop((start, 0, end, HEIGHT)))
            found += head.letters(self._model(planes)[0], start, end)
        return found

    def _head(self, languages: tuple[str, ...]) -> _Head:
        if languages not in self._heads:
            classes = choice(self._characters, languages)
            self._heads[languages] = _Head(
                np.ascontiguousarray(self._weights[:, classes]),
                self._bias[classes],
                [self._characters[at] for at in classes],
            )
        return self._heads[languages]


class _Head(NamedTuple):
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    characters: Sequence[str]

    def letters(self, features: NDArray[np.float32], start: int, end: int) -> list[ReadLetter]:
        """Best path of the CTC: the likeliest character of each step, equal neighbours once, without blanks."""
        scores = features @ self.weights + self.bias
        best = scores.argmax(axis=1)
        # The softmax of the best: the others need no exponential of their own but for the sum.
        probabilities = 1 / np.exp(scores - scores.max(axis=1, keepdims=True)).sum(axis=1)
        found: list[ReadLetter] = []
        step = 0
        while step < len(best):
            first = step
            while step < len(best) and best[step] == best[first]:
                step += 1
            text = self.characters[best[first]]
            column = start + (first + step) / 2 * STEP
            if text and column < end + STEP:
                found.append(ReadLetter(text, float(probabilities[first:step].max()), column))
        return found


def padded(crop: Image.Image) -> NDArray[np.float32]:
    """The model's input for a crop: 1 x 3 x `HEIGHT` x one of `_WIDTHS`."""
    width = next(width for width in _WIDTHS if width >= crop.width)
    planes = np.zeros((1, 3, HEIGHT, width), dtype=np.float32)
    planes[..., : crop.width] = np.asarray(crop, dtype=np.float32) / 127.5 - 1
    return planes


def _pieces(crop: Image.Image) -> list[tuple[int, int, bool]]:
    """A long line in pieces of about one width: start, end, and whether a space between words is before it.

    It is cut where its columns have the least ink, in the widest such place.
    """
    count = -(-crop.width // _WIDEST)
    if count == 1:
        return [(0, crop.width, False)]
    pixels = np.asarray(crop, dtype=np.float32)
    ink = np.abs(pixels - np.median(pixels)).max(axis=0)
    least = np.convolve(ink, np.ones(_SPACE) / _SPACE, mode="same")  # low in the middle of a space
    is_clear = least < _CLEAR * ink.max()
    starts, gaps = [0], [False]
    for number in range(1, count):
        middle = crop.width * number // count
        reach = min(_WIDEST // 8, crop.width // count // 3)
        starts.append(middle - reach + int(np.argmin(least[middle - reach : middle + reach])))
        gaps.append(bool(is_clear[starts[-1]]))
    return [*zip(starts, [*starts[1:], crop.width], gaps, strict=True)]
