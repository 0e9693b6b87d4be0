"""`make site`: the built pages in a browser, served from a folder. No request leaves the machine."""

from __future__ import annotations

import functools
import http.server
import os
import subprocess
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from scripts import browsers
from tests import needs
from tests.markdown_pages import ROOT

PROGRAM = Path(os.environ.get("SITE", ROOT / ".tools" / "site")) / "bin" / "mkdocs"
WIDTH = 360
# What is cut off at the right: it is wider than the screen, and nothing around it can be scrolled.
CUT_OFF = """() => {
    const scrolls = element => ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
    const within = element => element && (scrolls(element) || within(element.parentElement));
    const cut = element => element.getBoundingClientRect().right > innerWidth + 1 && !within(element);
    return [...document.querySelectorAll("article *")].filter(cut).map(element => element.outerHTML.slice(0, 80));
}"""


class Loads(HTMLParser):
    """What a browser would load for a page by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        rel = given.get("rel") or ""
        loaded = "href" if tag == "link" and rel not in {"canonical", "next", "prev"} else "src"
        if url := given.get(loaded):
            self.found.append(url)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not PROGRAM.exists():
        needs.missing("mkdocs is not installed (make site)")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [PROGRAM, "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def address(built: Path) -> Iterator[str]:
    """Where a plain web server serves the folder."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name of the base class)
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(built)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not browsers.installed("chromium"):
        needs.missing("Chromium is not installed (Debian: chromium)")
    with browsers.browser("chromium") as found:
        yield found


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": WIDTH, "height": 740})
    yield context.new_page()
    context.close()


def test_no_page_loads_anything_from_another_host(built: Path) -> None:
    """Links lead elsewhere; scripts, styles, pictures and frames do not."""
    pages = sorted(built.rglob("*.html"))
    assert len(pages) > 20
    for path in pages:
        loads = Loads()
        loads.feed(path.read_text())
        assert len(loads.found) > 3, path
        assert [url for url in loads.found if urlsplit(url).netloc] == [], path


@pytest.mark.parametrize("path", ["", "comparison/", "settings/", "reliability/"])
def test_a_page_is_whole_on_a_phone_and_asks_no_other_host(address: str, page: Page, path: str) -> None:
    """These have the widest tables."""
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("response", lambda response: wrong.append(response.url) if response.status >= 400 else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{address}{path}")
    page.locator("article h1").wait_for()
    assert page.evaluate(CUT_OFF) == []
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
    assert wrong == []


def test_the_search_finds_a_setting(address: str, page: Page) -> None:
    page.goto(address)
    page.locator("label[for=__search]").first.click()
    page.locator("input[name=query]").press_sequentially("API_GATEWAY_JOBS_LEASE_SECONDS")
    found = page.locator(".md-search-result__link").first
    found.wait_for()
    assert "/settings/" in str(found.get_attribute("href")) or "/jobs/" in str(found.get_attribute("href"))


def test_code_that_a_page_links_to_is_there_as_text(built: Path) -> None:
    source = "api_gateway/upstream/transport.py"
    assert (built / "source" / f"{source}.txt").read_bytes() == (ROOT / source).read_bytes()
