"""Someone who uses the page in a browser, and what must never happen meanwhile."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect

from tests.page.receipt import Box

SCREENSHOTS = os.environ.get("PAGE_SCREENSHOTS")
SECONDS = 20_000  # milliseconds for what takes a server's time
_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
# What violated the policy, and when the first words could be seen.
_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
new MutationObserver((_, observer) => {
  if (!document.querySelector(".page[data-filled]")) return;
  observer.disconnect();
  requestAnimationFrame(() => { window.firstWords = performance.now(); });
}).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-filled"] });
"""
_DROP = """
([name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type }));
  const target = document.querySelector("#drop");
  window.dropped = performance.now();
  for (const kind of ["dragenter", "dragover", "drop"]) {
    target.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: transfer }));
  }
}
"""
# What is wider than the window, or makes it scroll sideways.
_TOO_WIDE = """
() => {
  const parts = [...document.querySelectorAll("button, summary, input, select, h1, h2, h3, .sheet, .text")];
  const seen = parts.filter((part) => part.checkVisibility());
  const wide = seen.filter((part) => part.getBoundingClientRect().right > innerWidth + 1);
  const found = wide.map((part) => part.outerHTML.slice(0, 80));
  return document.documentElement.scrollWidth > innerWidth ? [...found, "it scrolls sideways"] : found;
}
"""
_BOXES = """
(size) => {
  const sheet = document.querySelector(".sheet").getBoundingClientRect();
  const scale = size / sheet.width;
  return [...document.querySelectorAll(".word > span")].map((word) => {
    const { left, top, right, bottom } = word.parentElement.getBoundingClientRect();
    const text = word.getBoundingClientRect();
    const box = [left - sheet.left, top - sheet.top, right - sheet.left, bottom - sheet.top];
    const written = [text.left - sheet.left, text.right - sheet.left];
    return [word.textContent, box.map((side) => side * scale), written.map((side) => side * scale)];
  });
}
"""


class Visitor:
    """A tab with the page."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.troubles: list[str] = []
        page.add_init_script(_WATCH)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", self._heard)
        page.on("request", self._asked)

    def open(self) -> Visitor:
        self.page.goto(f"{self.url}/")
        self.page.wait_for_selector("html[data-ready]")
        return self

    def _heard(self, message: ConsoleMessage) -> None:
        """Browsers themselves write down answers with an error's status, and servers that are gone."""
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self.troubles.append(message.text)

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https") and parts.netloc != urlsplit(self.url).netloc:
            self.troubles.append(f"a request to {parts.netloc}")

    def give(self, name: str, content: bytes | Path, media_type: str = "application/octet-stream") -> None:
        """Choose a file."""
        if isinstance(content, Path):
            self.page.set_input_files("#file", content)
        else:
            self.page.set_input_files("#file", {"name": name, "mimeType": media_type, "buffer": content})

    def drop(self, name: str, content: bytes, media_type: str) -> None:
        self.page.evaluate(_DROP, [name, media_type, base64.b64encode(content).decode()])

    def boxes(self, width: int) -> dict[str, tuple[Box, tuple[float, float]]]:
        """Each word's box, and from where to where its text reaches, in pixels of a picture of this width."""
        found: list[Any] = self.page.evaluate(_BOXES, width)
        return {text: (box, written) for text, box, written in found}

    def sees(self, text: str, within: str = "body", seconds: float = SECONDS / 1000) -> None:
        expect(self.page.locator(within)).to_contain_text(text, timeout=seconds * 1000)

    def waits_for_words(self) -> Locator:
        """The first page with its words."""
        found = self.page.locator(".page[data-filled]").first
        found.wait_for(timeout=SECONDS)
        return found

    def pictures_are_drawn(self) -> int:
        """Wait until the pictures of all pages near the window can be seen; their number."""
        self.page.locator(".scan:not([hidden])").first.wait_for(timeout=SECONDS)
        widths: list[int] = self.page.evaluate("""async () => {
            const scans = [...document.querySelectorAll(".scan:not([hidden])")];
            await Promise.all(scans.map((scan) => scan.decode()));
            return scans.map((scan) => scan.naturalWidth);
        }""")
        assert all(widths)
        return len(widths)

    def button(self, name: str, *, exact: bool = False) -> Locator:
        return self.page.get_by_role("button", name=name, exact=exact)

    def inspect(self, state: str) -> None:
        """Look at the page in this state: no rule of accessibility is violated, nothing is too wide."""
        self.check()
        found = Axe().run(self.page, options=_RULES)
        assert found.violations_count == 0, found.generate_report()
        wide = self.page.evaluate(_TOO_WIDE)
        assert not wide, wide
        self.photograph(state)

    def photograph(self, state: str) -> None:
        browser = self.page.context.browser
        if SCREENSHOTS and browser and browser.browser_type.name == "chromium":
            Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
            # Without `caret`, and always in Firefox, Playwright adds a style, which the policy forbids.
            self.page.screenshot(path=Path(SCREENSHOTS) / f"{state}.png", caret="initial")

    def forgive_lost_connections(self) -> None:
        """What browsers write down of a server that was stopped on purpose."""
        parts = ("ERR_CONNECTION_REFUSED", "Cross-Origin Request Blocked")
        self.troubles = [trouble for trouble in self.troubles if not any(part in trouble for part in parts)]

    def check(self) -> None:
        """Nothing happened that must not happen."""
        violations = self.page.evaluate("window.violations")
        assert not violations, violations
        assert not self.troubles, self.troubles


@contextlib.contextmanager
def visiting(browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """A function that opens the page in a tab with options of its own; after it, each tab is checked."""
    with contextlib.ExitStack() as stack:
        visitors: list[Visitor] = []

        def visit(url: str, **options: Any) -> Visitor:
            context = browser.new_context(**{"locale": "en-US", **options})
            stack.callback(context.close)
            visitors.append(Visitor(context.new_page(), url))
            return visitors[-1].open()

        yield visit
        for visitor in visitors:
            visitor.check()
