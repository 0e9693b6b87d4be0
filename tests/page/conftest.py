"""The page in real browsers, in front of running services. `make test-page` runs this; other runs leave it out.

`PAGE_BROWSERS` names the browsers, such as `chromium firefox`. With `PAGE_SCREENSHOTS`, pictures of the page in
each state go to that folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from scripts import services
from scripts.browsers import Name, browser, installed
from tests.conftest import Launch
from tests.needs import missing
from tests.page.visitor import Visitor, visiting

BROWSERS = os.environ.get("PAGE_BROWSERS", "").split()
collect_ignore_glob = [] if BROWSERS else ["test_browser_*.py"]
KEY = "a-key-of-the-tests"
LARGE = {"MAX_UPLOAD_MIB": "40", "MAX_HELD_MIB": "128"}
QUICK = {"SHUTDOWN_DELAY_SECONDS": "0", "CONNECT_TIMEOUT_SECONDS": "0.5"}

Visit = Callable[..., Visitor]
Gateway = Callable[..., services.Service]


@pytest.fixture(scope="session")
def model_url(launch: Launch) -> Iterator[str]:
    """A model server that also takes large pictures, for the gateways of all tests."""
    with launch(model={"MAX_IMAGE_MIB": "40", "MAX_BODIES_MIB": "160", "WORKERS": "2"}) as started:
        yield started.model.url


@pytest.fixture(scope="session")
def site(model_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a gateway with jobs."""
    jobs = str(tmp_path_factory.mktemp("jobs"))
    with services.api_gateway(model_url, settings({"JOBS_DIR": jobs})) as gateway:
        yield gateway.url


@pytest.fixture
def gateway_with(model_url: str) -> Iterator[Gateway]:
    """Starts a gateway with settings of its own."""
    started: list[services.Service] = []

    def start(**more: str) -> services.Service:
        started.append(services.api_gateway(model_url, settings(more)).start())
        return started[-1].wait_ready()

    yield start
    for service in started:
        service.stop()


def settings(more: dict[str, str]) -> dict[str, str]:
    return {f"API_GATEWAY_{name}": value for name, value in {**QUICK, **more}.items()}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests of the core run in all browsers, the others in the first one."""
    if "shown_by" in metafunc.fixturenames:
        core = metafunc.definition.get_closest_marker("all_browsers")
        metafunc.parametrize("shown_by", BROWSERS if core else BROWSERS[:1], indirect=True, scope="module")


@pytest.fixture(scope="module")
def shown_by(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """Closed after each module: Playwright runs once in a process, and other modules start it, too."""
    name: Name = request.param
    if not installed(name):
        missing(f"the browser {name} is not installed")
    with browser(name) as found:
        yield found


@pytest.fixture
def visit(shown_by: Browser) -> Iterator[Visit]:
    """Opens the page; after the test, nothing that a visitor must not notice may have happened."""
    with visiting(shown_by) as open_page:
        yield open_page
