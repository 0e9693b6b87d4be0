"""What the CPU can do that matters to a neural engine."""

from __future__ import annotations

from pathlib import Path

from model_server.cpus import cpu_flags

_FLAGS = {"AMX": "amx_tile", "AVX-512": "avx512f", "VNNI": "avx512_vnni", "AVX2": "avx2"}


def abilities(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[str]:
    """The names of `_FLAGS` that hold; empty where Linux does not say."""
    flags = cpu_flags(cpuinfo)
    return [name for name, flag in _FLAGS.items() if flag in flags]
