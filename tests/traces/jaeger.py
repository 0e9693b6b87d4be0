"""A real Jaeger: it takes spans by OTLP, and gives the traces that it has by their ids."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from scripts.services import answers, free_port
from tests import needs

_PORTS = (
    "admin.http", "collector.otlp.http", "collector.otlp.grpc", "collector.grpc-server", "collector.http-server",
    "query.http-server", "query.grpc-server",
)  # fmt: skip
_READY_SECONDS = 30.0
_ARRIVAL_SECONDS = 20.0
SLACK = 0.002  # seconds by which the clocks of two processes, and the rounding of times, may differ


@dataclass
class Span:
    """Times are seconds since 1970."""

    name: str
    service: str
    began: float
    ended: float
    tags: dict[str, Any]
    events: list[dict[str, Any]]
    parent: Span | None = None
    children: list[Span] = field(default_factory=list)

    def all(self) -> list[Span]:
        """This span and those below it, in the order of their begins."""
        found = [self]
        for child in self.children:
            found += child.all()
        return found

    def named(self, name: str) -> list[Span]:
        return [span for span in self.all() if span.name == name]

    def one(self, name: str) -> Span:
        (found,) = self.named(name)
        return found

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    def __str__(self) -> str:
        lines = [f"{self.name} ({self.service}) {1e3 * self.seconds:.1f} ms {self.tags.get('error.type', '')}"]
        return "\n".join([*lines, *("  " + line for child in self.children for line in str(child).splitlines())])


@dataclass(frozen=True)
class Jaeger:
    ports: dict[str, int]

    @property
    def endpoint(self) -> str:
        """For OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://127.0.0.1:{self.ports['collector.otlp.http']}"

    def trace(self, trace_id: str, **counts: int) -> Span:
        """The trace's first span, when so many spans of these names have arrived: they arrive in any order.

        In the names, `_` stands for a space.

        Raises:
            AssertionError: it has not, within seconds.
        """
        end = time.monotonic() + _ARRIVAL_SECONDS
        while True:
            roots = self._roots(trace_id)
            if len(roots) == 1:
                found = Counter(span.name.replace(" ", "_") for span in roots[0].all())
                if all(found[name] == count for name, count in counts.items()):
                    return roots[0]
            assert time.monotonic() < end, "\n".join(["the trace is not whole:", *map(str, roots)])
            time.sleep(0.05)

    def knows(self, trace_id: str) -> bool:
        return bool(self._roots(trace_id))

    def _roots(self, trace_id: str) -> list[Span]:
        url = f"http://127.0.0.1:{self.ports['query.http-server']}/api/traces/{trace_id}"
        answer = httpx.get(url, timeout=10, trust_env=False)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return []
        (found,) = answer.raise_for_status().json()["data"]
        spans = {span["spanID"]: _span(span, found["processes"]) for span in found["spans"]}
        roots: list[Span] = []
        for span in sorted(found["spans"], key=lambda span: int(span["startTime"])):
            mine = spans[span["spanID"]]
            mine.parent = next((spans.get(ref["spanID"]) for ref in span["references"]), None)
            (mine.parent.children if mine.parent else roots).append(mine)
        return roots


def _span(found: dict[str, Any], processes: dict[str, Any]) -> Span:
    began = found["startTime"] / 1e6
    return Span(
        found["operationName"],
        processes[found["processID"]]["serviceName"],
        began,
        began + found["duration"] / 1e6,
        {tag["key"]: tag["value"] for tag in found["tags"]},
        [{one["key"]: one["value"] for one in log["fields"]} for log in found["logs"]],
    )


@contextlib.contextmanager
def jaeger(log: Path) -> Iterator[Jaeger]:
    program = needs.program("jaeger", "scripts/test_programs.sh")
    ports = {name: free_port() for name in _PORTS}
    options = [f"--{name}.host-port=127.0.0.1:{port}" for name, port in ports.items()]
    with log.open("wb") as output:
        process = subprocess.Popen([program, *options], stdout=output, stderr=output)
        try:
            end = time.monotonic() + _READY_SECONDS
            while not answers(f"http://127.0.0.1:{ports['admin.http']}/"):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.05)
            yield Jaeger(ports)
        finally:
            process.terminate()
            process.wait()
