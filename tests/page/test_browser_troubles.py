"""What goes wrong is said in words, and goes on by itself when it can."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import expect

from scripts import services
from tests.conftest import png
from tests.documents import make
from tests.faults.pair import until
from tests.faults.wire import multipart, upload_head
from tests.page.conftest import KEY, LARGE, Gateway, Visit, settings
from tests.page.receipt import large_photograph, receipt
from tests.pictures import render

PNG = "image/png"
SIDE = 3300  # a picture without compression of more than 30 MB


@contextlib.contextmanager
def an_upload_that_pauses(url: str) -> Iterator[None]:
    """Holds a place of the gateway, which has asked for the languages before."""
    body = multipart(png(render.label(1)))
    httpx.post(f"{url}/gateway/ocr", files={"image_file": png(render.label(1))}, timeout=60).raise_for_status()
    with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port)) as connection:
        connection.sendall(upload_head(len(body)) + body[:200])
        until(lambda: "gateway_in_flight 1.0" in httpx.get(f"{url}/metrics").text, "an upload in flight")
        yield


@pytest.mark.all_browsers
def test_a_page_that_fails_says_why_beside_the_others(visit: Visit, site: str) -> None:
    visitor = visit(site)
    wide = make.digital("far too large", size=(6000, 800))
    visitor.give("three.pdf", make.joined(make.digital("first page"), wide, make.digital("third page")))
    visitor.sees("1 of 3 pages could not be read", "#result .state")
    failed = visitor.page.locator(".page.failed")
    failed.scroll_into_view_if_needed()
    expect(failed).to_contain_text("This page could not be read.")
    expect(failed).to_contain_text("The page is too large.")
    expect(failed).to_contain_text("Print it to a smaller size of paper")
    visitor.inspect("failed-page")


def test_a_file_that_is_no_picture_is_refused_in_words(visit: Visit, site: str) -> None:
    visitor = visit(site)
    visitor.give("notes.txt", b"only words, no picture")
    visitor.sees("This is not a picture, and not a PDF.", ".problem")
    visitor.sees("Save it as a PDF or as a picture", ".problem")
    visitor.inspect("refused")


def test_the_password_of_a_document_is_asked_for(visit: Visit, site: str) -> None:
    visitor = visit(site)
    visitor.give("secret.pdf", make.encrypted(make.digital("a secret text"), "sesame"))
    visitor.sees("protected by a password", ".problem")
    visitor.inspect("password")
    field = visitor.page.get_by_label("Password of secret.pdf")
    field.fill("wrong")
    visitor.button("Open", exact=True).click()
    visitor.sees("does not open the document", ".problem")
    field.fill("sesame")
    visitor.button("Open", exact=True).click()
    visitor.waits_for_words()
    visitor.sees("a secret text", ".text")
    assert visitor.pictures_are_drawn() == 1


def test_a_wrong_key_is_refused_and_the_right_one_is_kept_for_the_tab(visit: Visit, gateway_with: Gateway) -> None:
    visitor = visit(gateway_with(API_KEYS=KEY).url)
    field = visitor.page.get_by_label("API key", exact=True)
    field.wait_for()
    visitor.inspect("key")
    field.fill("a-wrong-key")
    visitor.button("Use this key").click()
    visitor.sees("The server does not accept this key.", "dialog")
    visitor.inspect("key-wrong")
    field.fill(KEY)
    field.press("Enter")
    expect(visitor.page.locator("dialog")).to_be_hidden()
    visitor.give("label.png", png(render.label(1)), PNG)
    visitor.waits_for_words()
    visitor.page.reload()
    visitor.page.wait_for_selector("html[data-ready]")
    visitor.give("label.png", png(render.label(1)), PNG)
    visitor.waits_for_words()
    assert KEY not in visitor.page.evaluate("JSON.stringify(localStorage)")


def test_a_file_waits_for_its_key(visit: Visit, gateway_with: Gateway) -> None:
    visitor = visit(gateway_with(API_KEYS=KEY).url)
    visitor.button("Cancel").click()
    visitor.give("label.png", png(render.label(1)), PNG)
    field = visitor.page.get_by_label("API key", exact=True)
    field.fill(KEY)
    field.press("Enter")
    visitor.waits_for_words()


@pytest.mark.all_browsers
def test_a_server_that_is_gone_is_waited_for(visit: Visit, model_url: str) -> None:
    port = {"API_GATEWAY_PORT": str(services.free_port()), **settings({})}
    first = services.api_gateway(model_url, port).start().wait_ready()
    try:
        visitor = visit(first.url)
    finally:
        first.stop()
    visitor.drop("receipt.png", receipt().png, PNG)
    visitor.sees("The server cannot be reached.", "#banner")
    visitor.sees("Waiting for the server", "#result")
    visitor.forgive_lost_connections()
    visitor.inspect("server-gone")
    visitor.button("Try again now").click()
    visitor.sees("The server cannot be reached.", "#banner")
    with services.api_gateway(model_url, port):
        visitor.waits_for_words()
        expect(visitor.page.locator("#banner")).to_be_hidden()
    visitor.forgive_lost_connections()


def test_a_busy_server_is_waited_for(visit: Visit, gateway_with: Gateway) -> None:
    url = gateway_with(MAX_IN_FLIGHT="1").url
    visitor = visit(url)
    with an_upload_that_pauses(url):
        visitor.give("label.png", png(render.label(1)), PNG)
        visitor.sees("The server is busy. Next attempt in 1 s", "#result")
        visitor.inspect("busy")
    visitor.waits_for_words()


def test_a_picture_that_is_too_large_is_refused_in_words_and_read_if_the_limit_is_raised(
    visit: Visit, site: str, gateway_with: Gateway, tmp_path: Path
) -> None:
    photograph = tmp_path / "photograph.png"
    photograph.write_bytes(large_photograph(SIDE))
    visitor = visit(site)
    visitor.give("photograph.png", photograph)
    visitor.sees("The picture is too large for this server.", ".problem")
    visitor.sees("the limit is 20 MB", ".problem")
    visitor.inspect("too-large")
    patient = visit(gateway_with(**LARGE).url)
    patient.give("photograph.png", photograph)
    patient.sees("Butter", ".text", seconds=60)
