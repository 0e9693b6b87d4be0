"""What must hold inside a running container; prints what does not.

docker exec -i CONTAINER python - MODULE < tests/images/inside.py
"""

import os
import shutil
import sys
from pathlib import Path

USER = 10001
NOT_THERE = (
    *("cc", "gcc", "g++", "c++", "clang", "ld", "make"),
    *("pip", "pip3", "poetry", "git", "curl", "wget"),
)
NOT_LEFT = (
    "/app/.venv",
    "/app/.git",
    "/app/tests",
    "/app/poetry.lock",
    "/var/lib/apt/lists/*_Packages*",
    f"{sys.prefix}/lib/python3*/site-packages/pip",
    f"{sys.prefix}/lib/python3*/site-packages/poetry",
    f"{sys.prefix}/lib/python3*/site-packages/openvino_telemetry",
    f"{sys.prefix}/lib/python3*/site-packages/*/tests",
)


def faults(module: str) -> list[str]:
    found = []
    if (os.getuid(), os.getgid()) != (USER, USER):
        found.append(f"runs as {os.getuid()}:{os.getgid()}, not as {USER}:{USER}")
    lines = Path("/proc/1/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    found += [f"{name} is {status[name]}" for name in ("CapPrm", "CapEff", "CapBnd") if int(status[name], 16)]
    if status.get("NoNewPrivs") != "1":
        found.append("privileges can be gained")
    command = Path("/proc/1/cmdline").read_bytes().split(b"\0")
    if command[1:3] != [b"-m", module.encode()]:
        found.append(f"process 1 is {command}")
    found += [f"{folder} can be written to" for folder in ("/", "/app", sys.prefix) if writable(folder)]
    if not writable("/tmp"):
        found.append("/tmp can't be written to")
    found += [f"{name} is installed" for name in NOT_THERE if shutil.which(name)]
    found += [f"{path} was left" for pattern in NOT_LEFT for path in Path("/").glob(pattern.lstrip("/"))]
    if sys.prefix != sys.base_prefix:
        found.append("there is a virtual environment")
    found += [f"{file} can't be read" for file in Path("/app").rglob("*") if not os.access(file, os.R_OK)]
    if not list(Path("/app", module, "__pycache__").glob("*.pyc")):
        found.append("the code is not compiled")
    return found


def writable(folder: str) -> bool:
    file = Path(folder, "written")
    try:
        file.write_text("")
    except OSError:
        return False
    file.unlink()
    return True


if __name__ == "__main__":
    faults_found = faults(sys.argv[1])
    sys.exit("\n".join(faults_found) or 0)
