"""Number of CPUs for workers."""

from __future__ import annotations

import os

from service_kit.cgroup import cpu_quota


def allowed_cpus() -> int:
    """CPUs that this process may use, by its affinity and its cgroup's quota; at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota()
    return max(1, min(allowed, int(quota))) if quota else allowed
