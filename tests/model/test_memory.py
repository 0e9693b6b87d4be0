"""The memory table: derived values and refused settings."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from model_server import settings as module
from model_server.settings import ModelServerSettings
from service_kit import cgroup


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight CPUs, 64 GiB, no limit."""
    monkeypatch.setattr(module, "allowed_cpus", lambda: 8)
    monkeypatch.setattr(cgroup, "memory_limit", lambda: None)
    monkeypatch.setattr(cgroup, "machine_memory", lambda: 64 << 30)


@pytest.mark.parametrize(
    ("given", "workers", "kill", "recycle"),
    [
        ({}, 8, 1500, 942),  # 384 for the neural engine, and half of the rest
        ({"memory_mib": 1024}, 1, 704, 544),
        ({"memory_mib": 2048, "tmp_mib": 64}, 2, 832, 608),
        ({"memory_mib": 2048, "workers": 2, "worker_kill_mib": 800}, 2, 800, 592),
        ({"memory_mib": 2048, "worker_kill_mib": 800, "worker_recycle_mib": 700}, 2, 800, 700),
        ({"memory_mib": 8192, "max_bodies_mib": 500}, 8, 936, 660),
        ({"memory_mib": 960}, 1, 640, 512),
        ({"neural": False}, 8, 1500, 600),
        ({"neural": False, "memory_mib": 1024, "tmp_mib": 64}, 2, 320, 160),
        ({"neural": False, "memory_mib": 1024, "workers": 1}, 1, 704, 352),
        ({"neural": False, "memory_mib": 2048, "workers": 2, "worker_kill_mib": 800}, 2, 800, 400),
        ({"neural": False, "memory_mib": 8192, "max_bodies_mib": 500}, 8, 936, 468),
        ({"neural": False, "memory_mib": 576}, 1, 256, 128),
    ],
)
def test_what_is_not_set_follows_from_the_memory(
    given: dict[str, Any], workers: int, kill: int, recycle: int
) -> None:
    found = ModelServerSettings(**given)
    assert (found.worker_count, found.kill_mib, found.recycle_mib) == (workers, kill, recycle)
    assert sum(found.memory_rows().values()) <= found.container_mib


def test_the_memory_is_that_of_the_control_group(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ModelServerSettings().container_mib == 32 << 10, "half of the machine's"
    monkeypatch.setattr(cgroup, "memory_limit", lambda: 1 << 30)
    assert ModelServerSettings().container_mib == 1024
    assert ModelServerSettings(memory_mib=964).container_mib == 964
    with pytest.raises(ValidationError, match="MEMORY_MIB=2048 is above the container's limit, 1024 MiB"):
        ModelServerSettings(memory_mib=2048)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"memory_mib": 2048, "workers": 2, "worker_kill_mib": 1500},
            "200 MiB for the program, MAX_BODIES_MIB=120, TMP_MIB=0 and 2 WORKERS of WORKER_KILL_MIB=1500",
        ),
        (
            {"memory_mib": 1024, "workers": 4},
            "MAX_BODIES_MIB=120, TMP_MIB=0, and each needs 640, of which NEURAL=false saves 384",
        ),
        (
            {"memory_mib": 1024, "workers": 4, "neural": False},
            "TMP_MIB=0, and each needs 256",
        ),
        ({"memory_mib": 512}, "MEMORY_MIB=512 leaves 192 MiB to each of 1 WORKERS"),
        ({"worker_kill_mib": 400}, "WORKER_KILL_MIB=400 is less than 512, which a worker needs"),
        ({"worker_kill_mib": 100, "neural": False}, "WORKER_KILL_MIB=100 is less than 128, which a worker needs"),
        (
            {"max_bodies_mib": 60},
            "MAX_BODIES_MIB=60 is less than 67, 2.5 times a call with one picture of MAX_IMAGE_MIB",
        ),
        ({"max_image_mib": 40}, "MAX_BODIES_MIB=120 is less than 134"),
        (
            {"worker_kill_mib": 550, "worker_recycle_mib": 600},
            "WORKER_KILL_MIB=550 must not be below WORKER_RECYCLE_MIB=600",
        ),
    ],
)
def test_what_does_not_fit_is_refused(given: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ModelServerSettings(**given)
    assert text in str(refused.value)


def test_all_that_is_wrong_is_reported_together() -> None:
    with pytest.raises(ValidationError) as refused:
        ModelServerSettings(memory_mib=512, max_bodies_mib=60, shutdown_grace_seconds=1)
    for name in ("MEMORY_MIB", "MAX_BODIES_MIB", "SHUTDOWN_GRACE_SECONDS"):
        assert name in str(refused.value)
