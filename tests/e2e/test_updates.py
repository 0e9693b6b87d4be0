"""Pods come and go under a steady load, and no request is lost."""

from __future__ import annotations

import time

import pytest

from tests.charts.tools import CHARTS
from tests.e2e.load import Load
from tests.e2e.release import Release

pytestmark = pytest.mark.timeout(600)

TWO = {"replicaCount": 2}


@pytest.mark.parametrize("name", CHARTS)
def test_a_rolling_update_of_one_replica_loses_nothing(release: Release, hello: bytes, name: str) -> None:
    release.upgrade()
    with Load(hello).running() as load:
        release.restart(name)
        release.wait(name)
    assert load.bad() == []
    assert load.statuses()[200] > 20


@pytest.mark.parametrize("name", CHARTS)
def test_with_two_replicas_an_update_a_deleted_pod_and_a_scale_down_lose_nothing(
    release: Release, hello: bytes, name: str
) -> None:
    release.upgrade(model_server=TWO, api_gateway=TWO)
    for change in (release.restart, release.delete_pod, lambda name: release.scale(name, 1)):
        with Load(hello).running() as load:
            change(name)
            time.sleep(2)
            release.wait(name)
        assert load.bad() == []


def test_a_pod_that_is_killed_costs_at_most_what_it_had_in_hand(release: Release, hello: bytes) -> None:
    """A second of grace is less than leaving takes. What was being read is lost, with an answer; nothing hangs."""
    release.upgrade(model_server=TWO)
    with Load(hello).running() as load:
        release.delete_pod("model-server", "--now")
        time.sleep(2)
        release.wait("model-server")
    assert set(load.statuses()) <= {200, 502, 503}
    assert len(load.bad()) <= load.clients
    assert max(outcome.seconds for outcome in load.outcomes) < 10


def test_the_only_model_server_deleted_is_an_honest_503(release: Release, hello: bytes) -> None:
    release.upgrade()
    with Load(hello).running() as load:
        release.delete_pod("model-server")
        time.sleep(2)
        release.wait("model-server")
    assert load.bad(honest_503=True) == []
    assert load.statuses()[200] > 5
    assert load.outcomes[-1].status == 200
