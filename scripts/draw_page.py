"""Draw docs/page.png: the page in Chromium, with a photographed receipt that both services have read."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from playwright.sync_api import ViewportSize

from scripts.browsers import browser, installed
from scripts.services import ROOT, api_gateway, model_server

_PICTURE = ROOT / "docs" / "photographed-receipt.jpg"
_DRAWN = ROOT / "docs" / "page.png"
_SIZE: ViewportSize = {"width": 1200, "height": 780}
_WORD = "$336.95"  # the pointer is on it
_MILLISECONDS = 60_000


def main() -> None:
    if not installed("chromium"):
        sys.exit("make docs: docs/page.png is drawn by Chromium, which is not installed")
    with (
        Path(os.devnull).open("wb") as log,
        model_server(log=log) as model,
        api_gateway(model.url, log=log) as gateway,
        browser("chromium") as chromium,
    ):
        page = chromium.new_page(viewport=_SIZE, color_scheme="light", locale="en")
        page.goto(f"{gateway.url}/")
        page.set_input_files("#file", _PICTURE)
        page.locator(".page[data-filled]").wait_for(timeout=_MILLISECONDS)
        page.locator(".word", has_text=_WORD).first.hover()
        page.screenshot(path=_DRAWN)
    print(_DRAWN.relative_to(ROOT))


if __name__ == "__main__":
    main()
