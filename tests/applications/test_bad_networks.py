"""Each client through a proxy that is slow, drops connections, or answers 429: the user gets text or an error."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from azure.ai.documentintelligence.models import AnalyzeDocumentRequest
from tika import parser
from tika_client import TikaClient

from tests.applications import files
from tests.applications.proxy import Treat, busy, drop, proxied
from tests.applications.site import Site
from tests.applications.test_azure_client import client_at as azure_at
from tests.applications.test_liteparse_client import parser_at
from tests.applications.test_mistral_client import client_at as mistral_at
from tests.applications.test_mistral_client import read, uploaded
from tests.applications.test_open_webui_loaders import loader

Call = Callable[[str, Path], str]


def azure(url: str, _folder: Path) -> str:
    with azure_at(url) as client:
        request = AnalyzeDocumentRequest(bytes_source=files.scans())
        return str(client.begin_analyze_document("prebuilt-read", request).result().content)


def tika_python(url: str, _folder: Path) -> str:
    found = parser.from_buffer(files.scans(), url)
    return str(found["content"]) if found["status"] == 200 else f"{found['content']} {found['status']}"


def tika_client(url: str, _folder: Path) -> str:
    with TikaClient(url) as client:
        return str(client.tika.as_text.from_buffer(files.scans()).content)


def liteparse(url: str, _folder: Path) -> str:
    return str(parser_at(url).parse(files.scans()).text)


def mistral(url: str, _folder: Path) -> str:
    client = mistral_at(url)
    signed = client.files.get_signed_url(file_id=uploaded(client, files.scans()).id)
    return "".join(text for _, text in read(client, "document_url", signed.url))


def open_webui(engine: str) -> Call:
    def added(url: str, folder: Path) -> str:
        path = folder / "scan.pdf"
        path.write_bytes(files.scans())
        found = loader(engine, url).load(path.name, files.PDF, str(path))
        return "\n".join(document.page_content for document in found)

    return added


class Seen(NamedTuple):
    """What a user sees of a dropped connection and of 429; None: the text, as the client tries again."""

    call: Call
    dropped: str | None = None
    refused: str | None = None


GONE = r"reset by peer|without (sending a )?response"
SEEN = {
    "azure": Seen(azure, GONE),
    "tika-python": Seen(tika_python, GONE, "None 429"),
    "tika-client": Seen(tika_client, GONE, "HttpStatusError: "),
    "liteparse": Seen(liteparse),
    "mistralai": Seen(mistral, GONE, "SDKError: .*Status 429"),
    "open-webui external": Seen(open_webui("external"), GONE, "Error loading document: 429"),
    "open-webui tika": Seen(open_webui("tika"), GONE, "Error calling Tika: Too Many Requests"),
    "open-webui document_intelligence": Seen(open_webui("document_intelligence"), GONE),
    "open-webui mistral_ocr": Seen(open_webui("mistral_ocr")),
}
clients = pytest.mark.parametrize("client", SEEN)
MARK = "<!-- PageBreak -->"


def outcome(client: str, url: str, folder: Path) -> str:
    """The words of the text, or the error."""
    try:
        return " ".join(SEEN[client].call(url, folder).replace(MARK, "").split())
    except Exception as error:  # noqa: BLE001 - each client has its own
        return f"{type(error).__name__}: {error}"


def expected(site: Site) -> str:
    return " ".join(site.text(files.scans()).split())


@clients
def test_a_slow_network_only_takes_time(client: str, open_site: Site, tmp_path: Path) -> None:
    with proxied(open_site.port, slow=True) as proxy:
        assert outcome(client, proxy.url, tmp_path) == expected(open_site)


@clients
@pytest.mark.parametrize("treats", [(drop,), (drop, drop)], ids=["once", "twice"])
def test_a_dropped_connection_is_tried_again_or_an_error(
    client: str, treats: tuple[Treat, ...], open_site: Site, tmp_path: Path
) -> None:
    with proxied(open_site.port, *treats) as proxy:
        check(outcome(client, proxy.url, tmp_path), SEEN[client].dropped, expected(open_site))
    assert proxy.connections >= len(treats) or SEEN[client].dropped


@clients
def test_a_busy_service_is_asked_again_or_an_error(client: str, open_site: Site, tmp_path: Path) -> None:
    with proxied(open_site.port, busy) as proxy:
        check(outcome(client, proxy.url, tmp_path), SEEN[client].refused, expected(open_site))


def check(found: str, error: str | None, text: str) -> None:
    if error is None:
        assert found == text
    else:
        assert re.search(error, found), found
