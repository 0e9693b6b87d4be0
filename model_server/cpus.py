"""CPUs: how many there are for workers, and what they can do."""

from __future__ import annotations

import os
from pathlib import Path

from service_kit.cgroup import cpu_quota


def allowed_cpus() -> int:
    """CPUs that this process may use, by its affinity and its cgroup's quota; at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota()
    return max(1, min(allowed, int(quota))) if quota else allowed


def cpu_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Instruction sets as Linux names them, such as `avx512_vnni`; empty where it does not say."""
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.split() for line in lines if line.startswith("flags")), ()))
