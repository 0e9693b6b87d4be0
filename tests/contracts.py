"""How the clients of other services call the gateway: for each way, how a file goes out, and what comes back."""

from __future__ import annotations

import base64
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlencode

import httpx
from prometheus_client.parser import text_string_to_metric_families

from api_gateway.errors import status_of
from api_gateway.schemas import Problem

BOUNDARY = "--------contracts"
_POLL_SECONDS = 0.02
_LONGEST_SECONDS = 60.0

Wrapped = tuple[str | None, bytes]  # Content-Type and body


@dataclass
class Outcome:
    """What a client made of an answer: the text, or the error. `code` is None if the contract does not tell it."""

    status: int
    code: str | None
    text: str
    headers: httpx.Headers

    @property
    def failure(self) -> tuple[int, str | None]:
        return self.status, self.code


class Way(NamedTuple):
    """One way to send a file. `text` reads an answer 200, `error` any other; `pages` is what `text` must give."""

    contract: str  # the label in metrics
    method: str
    path: str
    wrap: Callable[[bytes], Wrapped]
    text: Callable[[Any], str]
    error: Callable[[httpx.Response], tuple[str | None, str]]
    pages: Callable[[Sequence[str]], str] = "\n".join
    asks_later: bool = False  # the answer is an operation

    def request(
        self, client: httpx.Client, data: bytes, headers: Mapping[str, str] | None = None
    ) -> httpx.Request:
        content_type, body = self.wrap(data)
        sent = {} if content_type is None else {"content-type": content_type}
        return client.build_request(self.method, self.path, content=body, headers={**sent, **(headers or {})})

    def read(self, client: httpx.Client, data: bytes, headers: Mapping[str, str] | None = None) -> Outcome:
        """The outcome of the file, also if it has to be asked for."""
        return self.outcome(client, client.send(self.request(client, data, headers)), headers)

    def read_in(self, client: httpx.Client, data: bytes, asked: Mapping[str, str]) -> Outcome:
        """With what the client asks besides, which stands where the contract has it."""
        if self.contract == "azure":
            between = "&" if "?" in self.path else "?"
            return self._replace(path=f"{self.path}{between}{urlencode(asked)}").read(client, data)
        if self.contract == "liteparse":
            return self._replace(wrap=lambda found: form(found, **asked)).read(client, data)
        return self.read(client, data, asked)

    def with_fields(self, **fields: Any) -> Way:
        """With more in the JSON."""

        def wrap(data: bytes) -> Wrapped:
            content_type, body = self.wrap(data)
            return content_type, json.dumps({**json.loads(body), **fields}).encode()

        return self._replace(wrap=wrap)

    def outcome(
        self, client: httpx.Client, answer: httpx.Response, headers: Mapping[str, str] | None = None
    ) -> Outcome:
        if answer.status_code >= 400:
            assert answer.headers["x-request-id"]
            return Outcome(answer.status_code, *self.error(answer), answer.headers)
        if self.asks_later:
            assert (answer.status_code, answer.content) == (202, b"")
            answer = operation(client, answer.headers["operation-location"], headers)
            found = answer.json()
            if found["status"] == "failed":
                code, text = azure_cause(found["error"])
                return Outcome(status_of(code), code, text, answer.headers)
        assert answer.status_code == 200, answer.text
        parsed = answer.text if answer.headers["content-type"].startswith("text/") else answer.json()
        return Outcome(200, "ok", self.text(parsed), answer.headers)


def operation(client: httpx.Client, where: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """The last answer about an operation, which tells between two questions when to ask again."""
    end = time.monotonic() + _LONGEST_SECONDS
    while (answer := client.get(where, headers=headers)).json().get("status") == "running":
        assert answer.headers["retry-after"] == "1"
        assert time.monotonic() < end, "the operation does not end"
        time.sleep(_POLL_SECONDS)
    return answer


def counts(client: httpx.Client) -> Counter[tuple[str, int, str]]:
    """The requests that were counted, by contract, status and outcome."""
    (family,) = (
        family
        for family in text_string_to_metric_families(client.get("/metrics").text)
        if family.name == "gateway_requests"
    )
    found: Counter[tuple[str, int, str]] = Counter()
    for sample in family.samples:
        labels = sample.labels
        found[labels["contract"], int(labels["status"]), labels["outcome"]] = int(sample.value)
    return found


def form(data: bytes, field: str = "file", **texts: str) -> Wrapped:
    head = '--{}\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n'
    parts = [head.format(BOUNDARY, name, "").encode() + text.encode() for name, text in texts.items()]
    parts.append(head.format(BOUNDARY, field, '; filename="x"').encode() + data)
    body = b"\r\n".join([*parts, f"--{BOUNDARY}--\r\n".encode()])
    return f"multipart/form-data; boundary={BOUNDARY}", body


def _in_json(make: Callable[[str], Any], prefix: str = "") -> Callable[[bytes], Wrapped]:
    def wrap(data: bytes) -> Wrapped:
        return "application/json", json.dumps(make(prefix + base64.b64encode(data).decode())).encode()

    return wrap


def _of_azure(answer: httpx.Response) -> tuple[str, str]:
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    return azure_cause(answer.json()["error"])


def azure_cause(error: Any) -> tuple[str, str]:
    """Our own code, which is the innermost one, and the text."""
    assert error["code"]
    text = str(error["message"])
    assert text
    while "innererror" in error:
        error = error["innererror"]
    return str(error["code"]), text


def _of_open_webui(answer: httpx.Response) -> tuple[str, str]:
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    found = re.fullmatch(r"(.+) \((\w+)\)", answer.text)
    assert found, answer.text
    return found[2], found[1]


def _of_tika(answer: httpx.Response) -> tuple[None, str]:
    assert answer.content == b""
    return None, ""


def _of_mistral(answer: httpx.Response) -> tuple[str, str]:
    assert answer.headers["content-type"] == "application/json"
    found = answer.json()
    assert found["object"] == "error"
    assert found["type"] == ("server_error" if answer.status_code >= 500 else "invalid_request_error")
    assert found["request_id"] == answer.headers["x-request-id"]
    return found["code"], found["message"]


def _of_gateway(answer: httpx.Response) -> tuple[str, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    found = Problem.model_validate_json(answer.content)
    assert (found.status, found.request_id) == (answer.status_code, answer.headers["x-request-id"])
    return found.code, found.detail


def _whole(content_type: str | None) -> Callable[[bytes], Wrapped]:
    return lambda data: (content_type, data)


def _azure(prefix: str, wrap: Callable[[bytes], Wrapped], query: str = "") -> Way:
    path = f"/{prefix}/documentModels/prebuilt-read:analyze{query}"

    def text(found: Any) -> str:
        return str(found["analyzeResult"]["content"])

    return Way("azure", "POST", path, wrap, text, _of_azure, "".join, asks_later=True)


def _tika(method: str, path: str, wrap: Callable[[bytes], Wrapped], text: Callable[[Any], str]) -> Way:
    return Way("tika", method, path, wrap, text, _of_tika)


def _mistral(document: Callable[[str], Any]) -> Way:
    wrap = _in_json(lambda url: {"model": "m", "document": document(url)}, "data:application/pdf;base64,")

    def text(found: Any) -> str:
        assert [page["index"] for page in found["pages"]] == [*range(len(found["pages"]))]
        return "\n".join(page["markdown"] for page in found["pages"])

    return Way("mistral", "POST", "/v1/ocr", wrap, text, _of_mistral)


def _tika_content(found: Any) -> str:
    return str(found["X-TIKA:content"])


WAYS = {
    "azure": _azure(
        "documentintelligence", _in_json(lambda data: {"base64Source": data}), "?api-version=2024-11-30"
    ),
    "azure, whole": _azure("formrecognizer", _whole("application/octet-stream")),
    "open webui": Way(
        "openwebui",
        "PUT",
        "/process",
        _whole("application/pdf"),
        lambda found: str(found["page_content"]),
        _of_open_webui,
    ),
    "tika": _tika("PUT", "/tika", _whole(None), str),
    "tika, json": _tika("PUT", "/tika/text", _whole(None), _tika_content),
    "tika, list": _tika("PUT", "/rmeta/text", _whole("image/png"), lambda found: _tika_content(found[0])),
    "tika, form": _tika("POST", "/tika/form/text", lambda data: form(data, "upload"), _tika_content),
    "mistral, document": _mistral(lambda url: {"type": "document_url", "document_url": url}),
    "mistral, image": _mistral(lambda url: {"type": "image_url", "image_url": {"url": url}}),
    "liteparse": Way(
        "liteparse",
        "POST",
        "/liteparse/ocr",
        form,
        lambda found: " ".join(word["text"] for word in found["results"]),
        _of_gateway,
        lambda pages: " ".join(" ".join(pages).split()),
    ),
}
AT_ONCE = {name: way for name, way in WAYS.items() if not way.asks_later}
# One way for each contract.
CONTRACTS = {way.contract: way for way in reversed(WAYS.values())}
UPLOAD = Way(
    "mistral",
    "POST",
    "/v1/files",
    lambda data: form(data, purpose="ocr"),
    lambda found: str(found["id"]),
    _of_mistral,
)
