"""Limits of this process's control group (version 2 or 1): the smallest one on the path to the root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_MOUNT = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")
_UNLIMITED = 1 << 60  # version 1 writes a number near 2**63


def memory_limit() -> int | None:
    """Bytes; None without a limit."""
    found = [_number(text) for text in _read("memory", "memory.max", "memory.limit_in_bytes")]
    return min((limit for limit in found if limit is not None and limit < _UNLIMITED), default=None)


def cpu_quota() -> float | None:
    """CPUs, possibly fractional; None without a limit."""
    found = [tuple(map(_number, text.split())) for text in _read("cpu", "cpu.max")]
    old = (map(_number, _read("cpu", "", name)) for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
    found += zip(*old, strict=False)
    quotas = [pair[0] / pair[1] for pair in found if len(pair) == 2 and pair[0] and pair[1]]
    return min((quota for quota in quotas if quota > 0), default=None)


def available_mib() -> int:
    """Memory that a service may use: its control group's limit, or half of the machine's memory."""
    return (memory_limit() or machine_memory() // 2) >> 20


def machine_memory() -> int:
    """The machine's memory in bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _read(controller: str, name: str, old_name: str = "") -> Iterator[str]:
    """First line of the named file in each folder from our control group to the root, if it exists."""
    for line in _lines(_MEMBERSHIP):
        _, controllers, place = line.split(":", 2)
        if controllers == "" and name:
            yield from _upwards(_MOUNT, place, name)
        elif controller in controllers.split(",") and old_name:
            yield from _upwards(_MOUNT / controller, place, old_name)


def _upwards(mount: Path, place: str, name: str) -> Iterator[str]:
    relative = Path(place.strip("/"))
    for folder in (relative, *relative.parents) if relative.parts else (relative,):
        yield from _lines(mount / folder / name)[:1]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _number(text: str) -> int | None:
    return int(text) if text.strip("-").isdigit() else None
