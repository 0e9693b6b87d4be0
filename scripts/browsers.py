"""Debian's Chromium and Firefox, driven by Playwright."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any, Literal

from playwright.sync_api import Browser, sync_playwright

Name = Literal["chromium", "firefox"]
_OPTIONS: dict[Name, dict[str, Any]] = {
    "chromium": {"executable_path": "/usr/bin/chromium", "args": ["--no-sandbox"]},  # as root there is no sandbox
    "firefox": {"executable_path": "/usr/bin/firefox-esr", "channel": "moz-firefox"},  # over WebDriver BiDi
}


def installed(name: Name) -> bool:
    return shutil.which(_OPTIONS[name]["executable_path"]) is not None


@contextlib.contextmanager
def browser(name: Name) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = getattr(playwright, name).launch(**_OPTIONS[name])
        try:
            yield found
        finally:
            found.close()
