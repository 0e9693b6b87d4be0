"""What is counted of pages."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from model_server.metrics import ModelServerMetrics
from model_server.prediction import Prediction
from service_kit.page import EngineStamp, make_page


def page(engine: str, lines: int, again: int, rotation: int = 0, skew: float = 0.0) -> Prediction:
    stamp: EngineStamp = {"name": engine, "tesseract": None, "languages": [], "traineddata": {}, "neural": None}
    made = make_page(
        [], width=1, height=1, page_count=1, engine=stamp, duration_seconds=0.1, rotation=rotation, skew=skew
    )
    return {**made, "lines": lines, "lines_read_again": again, "format": "png", "decoding_seconds": 0.0}


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    metrics = ModelServerMetrics(registry)
    for read in (page("auto", 40, 3), page("auto", 10, 9, 180, -0.5), page("tesseract", 0, 0, 90, 0.4)):
        metrics.page_read(read)
    return registry


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("ocr_pages_read_total", {"engine": "auto"}, 2),
        ("ocr_pages_read_total", {"engine": "tesseract"}, 1),
        ("ocr_pages_read_total", {"engine": "neural"}, 0),
        ("ocr_lines_total", {}, 50),
        ("ocr_lines_read_again_total", {}, 12),
        ("ocr_pages_turned_total", {"rotation": "0"}, 1),
        ("ocr_pages_turned_total", {"rotation": "90"}, 1),
        ("ocr_pages_turned_total", {"rotation": "180"}, 1),
        ("ocr_pages_turned_total", {"rotation": "270"}, 0),
        ("ocr_pages_deskewed_total", {}, 1),
    ],
)
def test_pages_are_counted(registry: CollectorRegistry, name: str, labels: dict[str, Any], value: int) -> None:
    assert registry.get_sample_value(name, labels) == value
