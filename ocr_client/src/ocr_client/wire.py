"""httpx: requests as it takes them, its errors as ours, and a connection that notices when the server has died."""

from __future__ import annotations

import re
import socket
import ssl
from typing import Any

import httpx

from ocr_client.errors import OcrError
from ocr_client.protocol import Lost, Reply, Send

CONNECT_SECONDS = 5.0
# A dead machine is noticed after 15 + 4 x 5 seconds, although the answer to a document may take an hour.
_KEEPALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4))
        if hasattr(socket, name)
    ),
]
_TOKEN = re.compile(r"[\x21-\x7e]+")


def headers_of(key: str | None) -> dict[str, str]:
    """What every request has.

    Raises:
        ValueError: the key has spaces or characters that are not ASCII.
    """
    if key is None:
        return {}
    if not _TOKEN.fullmatch(key):
        raise ValueError("An API key consists of printable ASCII characters without spaces.")
    return {"authorization": f"Bearer {key}"}


def base_url(url: str) -> httpx.URL:
    """Raises ValueError: not an http or https URL with a host."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"{url!r} is not a URL: {error}") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError(f"{url!r} is not an http or https URL.")
    return parsed


def trusted(verify: bool | str, url: httpx.URL | None = None) -> bool | ssl.SSLContext:
    """What httpx takes. Without TLS, no certificates are loaded, which takes a tenth of a second."""
    if url is not None and url.scheme == "http":
        return False
    return verify if isinstance(verify, bool) else ssl.create_default_context(cafile=verify)


def transport_options(url: httpx.URL, verify: bool | str, at_once: int) -> dict[str, Any]:
    limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once, keepalive_expiry=2)
    return {"verify": trusted(verify, url), "limits": limits, "socket_options": _KEEPALIVE}


def request(send: Send) -> dict[str, Any]:
    """The arguments of httpx's `build_request`."""
    found: dict[str, Any] = {
        "method": send.method,
        "url": send.path.lstrip("/"),
        "params": dict(send.query),
        "headers": {**send.headers, "x-request-id": send.request_id},
        "timeout": httpx.Timeout(send.seconds, connect=CONNECT_SECONDS, pool=None),
    }
    if send.file is not None:
        # The service does not look at the name, which may have any bytes.
        found["files"] = {"image_file": ("file", send.file, "application/octet-stream")}
        found["data"] = dict(send.fields)
    return found


def reply(answer: httpx.Response, body: bytes, send: Send) -> Reply:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    size = send.sink.tell() if send.sink is not None else len(body)
    return Reply(answer.status_code, headers, body, size, headers.get("x-request-id", send.request_id))


def lost(error: httpx.TransportError, send: Send, url: httpx.URL) -> Lost:
    """Raises OcrError: the certificate is not valid, which no repeat changes."""
    host = f"{url.scheme}://{url.netloc.decode()}"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        raise OcrError(f"The certificate of {host} is not valid: {error}", code="bad_certificate") from error
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return Lost(f"No connection to {host}: {str(error) or 'it does not answer'}.", False, send.request_id)
    why = str(error) or type(error).__name__
    return Lost(f"The connection to {host} was lost: {why}.", True, send.request_id)
