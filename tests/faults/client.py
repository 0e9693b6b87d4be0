"""What clients ask of jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from tests.faults import numbered
from tests.faults.fleet import KEYS, Fleet
from tests.faults.numbered import NAMES, Kind, said
from tests.faults.pair import until
from tests.faults.wire import FORM, Answer, exchange, multipart

JOBS = "/gateway/jobs"
FINAL = ("complete", "partial", "failed", "cancelled")


def form(kind: Kind, data: bytes) -> bytes:
    return multipart(data, file_name=NAMES[kind])


def document(number: int, kind: Kind = "tiff", pages: int = 1, seconds: float = 0.0) -> bytes:
    """The body that hands it in."""
    return form(kind, numbered.make(kind, number, pages, seconds))


def hand_in(
    port: int,
    body: bytes,
    *,
    name: str = "red",
    idempotency_key: str | None = None,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    asked = {"dpi": "72", **(query or {})}
    path = f"{JOBS}?{'&'.join(f'{key}={value}' for key, value in asked.items())}"
    more = {"idempotency-key": idempotency_key} if idempotency_key else {}
    return exchange(port, "POST", path, body, {"content-type": FORM, **_key(name), **more, **(headers or {})})


def job_of(answer: Answer) -> str:
    """The id of the job that was handed in."""
    assert answer.status == 202, (answer.status, answer.body[:500])
    return str(answer.json["id"])


def ask(port: int, path: str, name: str = "red", method: str = "GET") -> Answer:
    return exchange(port, method, f"{JOBS}{path}", headers=_key(name))


def status(port: int, job: str, name: str = "red") -> dict[str, Any]:
    answer = ask(port, f"/{job}", name)
    assert answer.status == 200, (answer.status, answer.body[:500])
    found: dict[str, Any] = answer.json
    return found


def pages_of(body: bytes) -> list[dict[str, Any]]:
    """The pages of NDJSON; its last line is about the whole document."""
    return [found for line in body.splitlines() if "page" in (found := orjson.loads(line))]


def lines(port: int, job: str, name: str = "red") -> list[dict[str, Any]]:
    """The result's pages."""
    answer = ask(port, f"/{job}/result?format=ndjson", name)
    assert answer.status == 200, (answer.status, answer.body[:500])
    return pages_of(answer.body)


def ended(fleet: Fleet, job: str, seconds: float = 20, name: str = "red") -> dict[str, Any]:
    """Wait for the job's final state."""
    port = fleet.gateways[0].port

    def final() -> dict[str, Any] | None:
        found = status(port, job, name)
        return found if found["status"] in FINAL else None

    found: dict[str, Any] = until(final, f"{job} ends", seconds)
    return found


def faults_of(number: int, pages: int, found: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is wrong with the pages of a complete result."""
    faults = []
    numbers = [page["page"] for page in found]
    if numbers != list(range(1, pages + 1)):
        faults.append(f"pages {numbers} instead of 1 to {pages}")
    faults += [
        f"page {page['page']}: {page.get('code', page['text'])!r}"
        for page in found
        if page["text"].strip() != said(number, page["page"])
    ]
    return faults


def stored(port: int, job: str, name: str = "red") -> set[int]:
    """The pages that are stored so far."""
    return {page["page"] for page in lines(port, job, name)}


def check_read_once(fleet: Fleet, number: int, pages: Iterable[int]) -> None:
    """No model server has begun one of these pages twice."""
    times = Counter(fleet.pages.begun())
    again = {page: times[said(number, page)] for page in pages if times[said(number, page)] != 1}
    assert not again, f"times that pages of document {number} were begun: {again}"


def check_result(fleet: Fleet, job: str, number: int, pages: int, name: str = "red") -> None:
    """Every page is there once, and right."""
    found = status(fleet.gateways[0].port, job, name)
    assert found["status"] == "complete", found
    assert (found["pages_total"], found["pages_done"], found["pages_failed"]) == (pages, pages, 0), found
    assert not faults_of(number, pages, lines(fleet.gateways[0].port, job, name))


def _key(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {KEYS[name]}"}
