"""Limits of an API key and of the store, over HTTP: what is over them is refused and leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import Launch, Pair
from tests.documents import make
from tests.jobs.over_http import JOBS, Tables, ended, submit, submitted, until

KEYS = {name: f"{name}-0123456789abcdef" for name in ("first", "second", "third")}
MIB = 1 << 20


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return Tables(tmp_path_factory.mktemp("jobs"))


@pytest.fixture(scope="module")
def served(launch: Launch, tables: Tables) -> Iterator[Pair]:
    limits = {"JOBS_MAX_KEY_MIB": "3", "JOBS_MAX_MIB": "4"}
    keys = ",".join(f"{name}:{key}" for name, key in KEYS.items())
    with launch(gateway={"JOBS_DIR": str(tables.folder), "API_KEYS": keys, **limits}) as started:
        yield started


def of_size(mib: float) -> bytes:
    document = make.digital("Hello")
    return document + bytes(int(mib * MIB) - len(document))


def test_bytes_of_a_key_and_of_the_store(served: Pair, tables: Tables) -> None:
    first, second, third = (
        httpx.Client(
            base_url=served.gateway.url, timeout=60, trust_env=False, headers={"authorization": f"Bearer {key}"}
        )
        for key in KEYS.values()
    )
    with first, second, third:
        job = submitted(first, of_size(2))["id"]
        ended(first, job)
        before = tables.counts
        answer = submit(first, of_size(1.5))
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_jobs")
        assert int(answer.headers["retry-after"]) >= 1
        assert tables.counts == before
        ended(second, submitted(second, of_size(1.5))["id"])
        before = tables.counts
        for refused in (submit(third, of_size(2)), submit(third, of_size(0.2), of_size(0.4))):
            assert (refused.status_code, refused.json()["code"]) == (503, "no_space")
            assert int(refused.headers["retry-after"]) >= 1
        assert tables.counts == before
        assert first.delete(f"{JOBS}/{job}").status_code == 204
        assert ended(third, submitted(third, of_size(2))["id"])["status"] == "complete"


def test_an_expired_job_is_gone(served: Pair) -> None:
    with httpx.Client(
        base_url=served.gateway.url, trust_env=False, headers={"authorization": f"Bearer {KEYS['first']}"}
    ) as client:
        job = submitted(client, make.digital("Short"), ttl="1")["id"]
        until(lambda: client.get(f"{JOBS}/{job}").status_code == 404)
        for path in ("/result", "/events"):
            assert client.get(f"{JOBS}/{job}{path}").json()["code"] == "not_found"
        assert job not in client.get(JOBS).text
        again = client.delete(f"{JOBS}/{job}")
        assert (again.status_code, again.json()["code"]) == (404, "not_found")
