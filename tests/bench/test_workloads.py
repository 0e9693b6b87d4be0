from __future__ import annotations

import hashlib

import pytest

from bench import subjects
from bench.workloads import Workload, workload


def digests(work: Workload) -> list[str]:
    return [hashlib.sha256(image.file).hexdigest() for image in work.images]


@pytest.mark.parametrize("name", ["label", "page"])
def test_the_pictures_are_the_same_every_time(name: str) -> None:
    first = digests(workload(name))
    workload.cache_clear()
    assert digests(workload(name)) == first
    assert len(set(first)) == len(first)


def test_the_pixels_of_the_limit_are_those_of_the_file() -> None:
    grey = workload("page").images[0].grey
    assert (grey.width, grey.height, grey.dpi, len(grey.pixels)) == (640, 480, 150, 640 * 480)


def test_picks_go_round_the_list() -> None:
    work = Workload("x", "x", (), (2, 0, 1))
    assert work.picks(7) == [2, 0, 1, 2, 0, 1, 2]
    assert work.picks(2) == [2, 0]


def test_an_upload_is_one_whole_request() -> None:
    image = workload("label").images[0]
    path = subjects.WholePath.__new__(subjects.WholePath)
    request = path.request(image, deadline=2.5)
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /gateway/ocr HTTP/1.1"
    assert b"Content-Length: %d" % len(body) in lines
    assert b"X-Request-Timeout: 2.500" in lines
    assert image.file in body
