"""`python -m bench.upright`: what orientation and skew cost, next to Tesseract's reading of the same page.

The times are CPU times, the shortest of several.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.looking import least
from model_server.reading import engines, skew
from model_server.reading.image import PageImage, picture
from model_server.reading.orientation import OrientationModel
from model_server.reading.turn import Turn, turned
from service_kit.page import Parameters
from tests.pictures import render

if TYPE_CHECKING:
    from tests.pictures.render import Picture

_SHOWN: dict[str, Picture] = {
    "label, 300 x 100": render.label(1),
    "page, 640 x 480": render.page(1),
    "A4 at 300 dpi": render.a4(1, 300),
}


def main() -> None:
    engine = engines.make("tesserocr", Path(sys.prefix) / "share" / "tessdata")
    model = OrientationModel()
    print("| ms of CPU | reading | looking for lines | asking the model | a quarter turn | correcting a skew |")
    print("|---|---|---|---|---|---|")
    for name, shown in _SHOWN.items():
        print(f"| {name} | {' | '.join(_times(engine, model, shown))} |")


def _times(engine: engines.Engine, model: OrientationModel, shown: Picture) -> list[str]:
    image = PageImage(shown.image.tobytes(), shown.image.width, shown.image.height, shown.dpi)
    works = (
        lambda: engine.read(image, Parameters()),
        lambda: skew.look(picture(image)),
        lambda: model.look(picture(image)),
        lambda: turned(image, Turn(90), 255),
        lambda: turned(image, Turn(0, 3), 255),
    )
    return [f"{1000 * least(work):.3g}" for work in works]


if __name__ == "__main__":
    main()
