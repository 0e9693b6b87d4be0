"""The gateway that applications are pointed at, and what it says of a file by its own interface."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

import httpx

from tests import readers

KEY = "key-of-applications"


@dataclass
class Site:
    url: str
    client: httpx.Client
    model_url: str = ""

    @classmethod
    @contextlib.contextmanager
    def at(cls, url: str) -> Iterator[Self]:
        headers = {"authorization": f"Bearer {KEY}"}
        with httpx.Client(base_url=url, timeout=60, trust_env=False, headers=headers) as client:
            yield cls(url, client)

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    def read(self, file: bytes, **query: str) -> httpx.Response:
        query = {"languages": "auto", **query}
        answer = self.client.post("/gateway/ocr", files={"image_file": ("file.bin", file)}, params=query)
        assert answer.status_code == 200, answer.text
        return answer

    def pages(self, file: bytes) -> list[str]:
        """The text of each page."""
        pages = self.read(file, format="json").json()["pages"]
        return [page["text"] for page in pages]

    def text(self, file: bytes) -> str:
        return self.read(file, format="text").text

    def pdf_words(self, file: bytes) -> list[list[str]]:
        """Those of each page of the searchable PDF."""
        return readers.pdf_words(self.read(file, format="pdf").content)
