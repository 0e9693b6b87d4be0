"""/docs in a browser that reaches only the gateway: it is shown, and "Try it out" sends a file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, Route

from scripts import browsers
from tests.conftest import Launch, Pair

ROOT = Path(__file__).parents[2]
KEY = "a-key-of-twenty-letters"
WATCH = "window.violations = []; addEventListener('securitypolicyviolation', (e) => violations.push(e.blockedURI))"
SECONDS = 30


@pytest.fixture(scope="module")
def guarded(launch: Launch) -> Iterator[Pair]:
    with launch({"NEURAL": "false"}, {"API_KEYS": KEY}) as pair:
        yield pair


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not browsers.installed("chromium"):
        assert "CI" not in os.environ, "Chromium is missing"
        pytest.skip("Chromium is missing")
    with browsers.browser("chromium") as found:
        yield found


@pytest.fixture
def page(chromium: Browser, guarded: Pair) -> Iterator[Page]:
    """/docs, shown. At the end nothing was asked of another host, and the policy was not violated."""
    refused: list[str] = []
    faults: list[str] = []

    def only_ours(route: Route) -> None:
        if urlsplit(route.request.url).port == guarded.gateway.port:
            route.continue_()
        else:
            refused.append(route.request.url)
            route.abort()

    context = chromium.new_context(viewport={"width": 1200, "height": 900})
    context.set_default_timeout(SECONDS * 1000)
    context.route("http*://**", only_ours)
    context.add_init_script(WATCH)
    shown = context.new_page()
    shown.on("pageerror", lambda error: faults.append(str(error)))
    shown.goto(f"{guarded.gateway.url}/docs")
    operation(shown).wait_for()
    yield shown
    assert refused == []
    assert faults == []
    assert shown.evaluate("violations") == []
    assert shown.locator(".errors-wrapper").count() == 0, "the document has faults"
    context.close()


def operation(page: Page) -> Locator:
    return page.locator(".opblock", has=page.locator("[data-path='/gateway/ocr']"))


def authorize(page: Page) -> None:
    page.locator("button.authorize").click()
    page.locator(".auth-container input").fill(KEY)
    page.locator(".auth-container button.authorize").click()
    page.locator(".auth-btn-wrapper .btn-done").click()


def test_a_file_is_read_by_try_it_out_once_the_key_is_entered(page: Page) -> None:
    reading = operation(page)
    reading.locator(".opblock-summary-control").click()
    reading.locator("input[type=file]").set_input_files(ROOT / "docs" / "receipt.png")
    answer = reading.locator(".live-responses-table")
    reading.locator("button.execute").click()
    refused = answer.locator("tbody .response-col_status", has_text="401")
    refused.wait_for()
    assert "unauthorized" in answer.inner_text()
    authorize(page)
    reading.locator("button.execute").click()
    answer.locator("tbody .response-col_status", has_text="200").wait_for()
    assert "TOTAL" in json.loads(answer.locator("code.language-json").first.inner_text())["text"]
