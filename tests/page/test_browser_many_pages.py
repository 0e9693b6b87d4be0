"""A document of 500 pages: the tab stays small, and scrolling stays smooth."""

from __future__ import annotations

import random
import statistics
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.documents import make
from tests.faults.pair import crowding
from tests.page.conftest import Visit
from tests.pictures import text as texts

PAGES = 500
WORDS = 300
MOST_MIB = 300
FEWEST_FRAMES = 50  # a second
# Scrolls by the wheel's steps for so many milliseconds, and counts the frames.
_SCROLL = """
async (milliseconds) => {
  const began = performance.now();
  let frames = 0;
  while (performance.now() - began < milliseconds) {
    scrollBy(0, 60);
    await new Promise(requestAnimationFrame);
    frames++;
  }
  return (frames * 1000) / (performance.now() - began);
}
"""


def renderer_mib(browser: Browser) -> float:
    """Memory of the largest process that draws a tab, as the browser's own task manager counts it.

    Decoded pictures that the browser keeps in shared memory, and gives back when memory is short, do not count.
    """
    session = browser.new_browser_cdp_session()
    found: list[dict[str, Any]] = session.send("SystemInfo.getProcessInfo")["processInfo"]
    tabs = [process["id"] for process in found if process["type"] == "renderer"]
    return max(_anonymous_mib(pid) for pid in tabs)


def _anonymous_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


@pytest.mark.alone
@pytest.mark.timeout(600)
def test_five_hundred_pages(visit: Visit, shown_by: Browser, site: str) -> None:
    visitor = visit(site)
    visitor.give("large.pdf", document())
    visitor.sees("Done, ", "#result .state", seconds=400)
    assert visitor.page.locator(".page").count() < 10
    visitor.page.locator(".page[data-filled]").first.wait_for()
    frames = [visitor.page.evaluate(_SCROLL, 2000) for _ in range(3)]
    for part in (0.25, 0.5, 0.75, 1):
        visitor.page.evaluate("(part) => scrollTo(0, document.body.scrollHeight * part)", part)
        visitor.page.locator(".page[data-filled]").first.wait_for()
    visitor.page.get_by_role("heading", name=f"Page {PAGES}").wait_for()
    memory = renderer_mib(shown_by)
    figures = f"memory of the tab {memory:.0f} MiB, frames a second {frames}"
    assert memory <= MOST_MIB, figures
    assert statistics.median(frames) * crowding() >= FEWEST_FRAMES, figures


def document() -> bytes:
    """Pages full of text, which need no engine."""
    rng = random.Random("many pages")
    return make.digital(*("\n".join(texts.paragraph(rng, 2) for _ in range(WORDS // 20)) for _ in range(PAGES)))
