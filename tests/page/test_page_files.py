"""The page's files: how they are sent, how large they are, and whether they are complete. Without a browser."""

from __future__ import annotations

import gzip
import re

import httpx
import pytest

from api_gateway.routes.page import FOLDER, web_files
from tests.conftest import Launch

MOST_BYTES = 150 * 1024
FILES = sorted(web_files())


def test_the_page_is_at_the_root(gateway: httpx.Client) -> None:
    answer = gateway.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1" in answer.text


@pytest.mark.parametrize("path", ["/", "/page/app.js", "/page/style.css", "/page/offer.json"])
def test_a_file_has_a_strict_policy_and_is_revalidated(gateway: httpx.Client, path: str) -> None:
    answer = gateway.get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-encoding"] == "gzip"
    again = gateway.get(path, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = gateway.get(path, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == answer.content
    assert gateway.head(path).status_code == 200


def test_other_paths_are_not_found(gateway: httpx.Client) -> None:
    for path in ("/page/", "/page/none.js", "/page/../settings.py", "/page/%2e%2e/settings.py"):
        assert gateway.get(path).status_code == 404


def test_the_page_needs_no_key_and_can_be_turned_off(launch: Launch) -> None:
    with launch(gateway={"API_KEYS": "secret-key-of-a-test", "PAGE": "false"}) as started:
        url = started.gateway.url
        assert httpx.get(f"{url}/").status_code == 404
        assert httpx.get(f"{url}/page/app.js").status_code == 404
        assert httpx.get(f"{url}/gateway/languages").status_code == 401


def test_nothing_in_the_page_comes_from_another_host() -> None:
    for name, file in web_files().items():
        found = set(re.findall(r"https?://[^\s\"'`]+", file.plain.decode())) - {"http://www.w3.org/2000/svg"}
        assert not found, name


def test_scripts_and_styles_are_files() -> None:
    markup = (FOLDER / "index.html").read_text()
    assert not re.search(r"<style|style=|\son[a-z]+=|<script(?![^>]*\ssrc=)", markup)


def test_every_file_is_loaded_by_the_page() -> None:
    """The page names its modules, so that a browser asks for all of them at once."""
    markup = (FOLDER / "index.html").read_text()
    for name in FILES:
        if name.endswith((".js", ".css", ".svg")):
            assert f"page/{name}" in markup, name


def test_everything_together_is_small() -> None:
    size = sum(len(gzip.compress(file.plain)) for file in web_files().values())
    assert size <= MOST_BYTES
