"""A Dockerfile as stages of instructions."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Stage:
    """`FROM base AS name`, and the instructions after it as (name, arguments)."""

    base: str
    name: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [arguments for found, arguments in self.instructions if found == name]

    def one(self, name: str) -> str:
        (arguments,) = self.all(name)
        return arguments

    def at(self, start: str) -> int:
        """Where the first instruction that begins like this stands."""
        return next(i for i, pair in enumerate(self.instructions) if " ".join(pair).startswith(start))

    @property
    def health_check(self) -> list[str]:
        command: list[str] = json.loads(self.one("HEALTHCHECK").partition(" CMD ")[2])
        return command

    @property
    def entry_point(self) -> list[str]:
        command: list[str] = json.loads(self.one("ENTRYPOINT"))
        return command


def read(name: str) -> list[Stage]:
    """The stages in their order; what stands before the first FROM is left out."""
    lines = [line for line in (ROOT / name).read_text().splitlines() if not line.lstrip().startswith("#")]
    stages: list[Stage] = []
    for line in re.sub(r"\\\n", "", "\n".join(lines)).splitlines():
        instruction, _, arguments = line.strip().partition(" ")
        if instruction == "FROM":
            base, _, stage_name = arguments.partition(" AS ")
            stages.append(Stage(base, stage_name))
        elif instruction and stages:
            stages[-1].instructions.append((instruction, arguments.strip()))
    return stages
