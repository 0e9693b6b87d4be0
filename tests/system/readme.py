"""Console blocks of the README and of docs/: commands, and what they print. The gateway has jobs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMES = ("api.md", "languages.md", "jobs.md", "applications.md")
FILES = (Path("README.md"), *(Path("docs") / name for name in NAMES))
SHELLS = ("sh", "bash", "zsh", "fish")

_BLOCK = re.compile(r"(```console\n\$ )(.*?)(\n```)", re.DOTALL)
# What differs from run to run.
_VOLATILE = [
    (re.compile(r'("request_id": ?)"[0-9a-f]{32}"'), r'\1"…"'),
    (re.compile(r'("(?:duration|decoding)_seconds": ?)[0-9.]+'), r"\1…"),
    (re.compile(r'("id": ?)"[0-9a-f]{32}"'), r'\1"…"'),
    (re.compile(r'("(?:created|started|finished|expires)": ?)"[0-9T:.-]+Z"'), r'\1"…"'),
]


def blocks(text: str) -> list[tuple[str, str]]:
    """Each command with the output that stands under it. A command goes on while its lines end in | or &&."""
    found = []
    for _, body, _ in _BLOCK.findall(text):
        lines = body.split("\n")
        end = next(at for at, line in enumerate(lines) if not line.endswith(("|", "&&"))) + 1
        found.append(("\n".join(lines[:end]), "\n".join(lines[end:])))
    return found


def all_blocks(root: Path = ROOT) -> list[tuple[str, str]]:
    """Those of every file, in order."""
    return [block for file in FILES for block in blocks((root / file).read_text())]


def run(command: str, gateway: str, model: str, *, shell: str = "bash", folder: Path = ROOT) -> str:
    """What the command prints, sent to the services at those addresses."""
    command = command.replace("http://127.0.0.1:8001", gateway).replace("http://127.0.0.1:8080", model)
    done = subprocess.run(
        [shell, "-c", command], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout.rstrip("\n")


def steady(text: str) -> str:
    for pattern, instead in _VOLATILE:
        text = pattern.sub(instead, text)
    return text


def rewrite(gateway: str, model: str) -> None:
    """Put what the commands print now into the files."""
    for file in FILES:
        text = (ROOT / file).read_text()
        for command, before in blocks(text):
            block = f"{command}\n{before}".rstrip("\n")
            text = text.replace(f"$ {block}\n```", f"$ {command}\n{run(command, gateway, model)}\n```")
        (ROOT / file).write_text(text)
