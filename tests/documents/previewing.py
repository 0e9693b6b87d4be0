"""Requests for previews, and where a mark or ink is on them."""

from __future__ import annotations

import base64
import io
import json
from typing import Any, NamedTuple

import httpx
import pikepdf
from PIL import Image

from tests.documents import make
from tests.pictures.render import Picture

URL = "/gateway/previews"
_DARK = 128

Box = tuple[int, int, int, int]


class Line(NamedTuple):
    """A page's line: its JSON without the picture, and the picture."""

    said: dict[str, Any]
    image: Image.Image | None


class Previews(NamedTuple):
    pages: list[Line]
    total: dict[str, Any]

    @property
    def images(self) -> list[Image.Image]:
        """Of pages that were all drawn."""
        found = [page.image for page in self.pages if page.image is not None]
        assert len(found) == len(self.pages), self.pages
        return found


def send(gateway: httpx.Client, data: bytes, *, password: str = "", **query: str) -> httpx.Response:
    return gateway.post(URL, files={"image_file": ("x", data)}, data={"password": password}, params=query)


def previews(gateway: httpx.Client, data: bytes, **query: str) -> Previews:
    response = send(gateway, data, **query)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-ndjson"
    return parsed(response.content)


def parsed(content: bytes) -> Previews:
    *pages, total = map(json.loads, content.splitlines())
    return Previews([_line(page) for page in pages], total)


def _line(page: dict[str, Any]) -> Line:
    if page["status"] == "failed":
        assert set(page) == {"page", "status", "code", "detail"}
        return Line(page, None)
    image = Image.open(io.BytesIO(base64.b64decode(page.pop("image"), validate=True)))
    image.load()
    assert (image.format, image.size) == ("JPEG", (page["width"], page["height"]))
    return Line(page, image)


def ink(image: Image.Image) -> Box:
    """The box of all that is dark."""
    found = image.convert("L").point([255] * _DARK + [0] * (256 - _DARK)).getbbox()
    assert found, "the page is white"
    return found


def error(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def noise(pages: int, side: int = 800) -> bytes:
    """A PDF whose pages show the same noise, so that each has a large preview."""
    pdf = pikepdf.open(io.BytesIO(make.scanned(Picture(Image.effect_noise((side, side), 200), "", 72))))
    for _ in range(pages - 1):
        pdf.pages.append(pdf.pages[0])
    return make.saved(pdf)
