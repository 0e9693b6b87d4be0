"""The programs by which the tests speak to a cluster."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx

from scripts.release.version import project_version

T = TypeVar("T")

IMAGE_TAG = os.environ.get("E2E_IMAGE_TAG", project_version(Path()))
NUMBER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))  # of this test process
NAMESPACE = f"ocr-e2e-{NUMBER}"
GATEWAY_PORT = 30801 + NUMBER
GATEWAY_URL = f"http://{os.environ.get('E2E_NODE', '127.0.0.1')}:{GATEWAY_PORT}"


def run(
    *command: str, check: bool = True, stdin: str | None = None, seconds: float = 300
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, input=stdin, timeout=seconds)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def kubectl(*arguments: str, check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return run("kubectl", *arguments, check=check, stdin=stdin)


def objects(namespace: str, *what: str) -> list[dict[str, Any]]:
    """What `kubectl get` lists."""
    found = json.loads(kubectl("-n", namespace, "get", *what, "-o", "json").stdout)
    return list(found.get("items", [found]))


def delete_namespace(name: str) -> None:
    """With its pods at once: what they still read is of no test's interest."""
    kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")
    kubectl("-n", name, "delete", "pods", "--all", "--grace-period=1", "--wait=false", check=False)
    kubectl("wait", "--for=delete", f"namespace/{name}", "--timeout=240s", check=False)


def pods(namespace: str, name: str) -> list[dict[str, Any]]:
    """The pods of a service that are not on their way out."""
    found = objects(namespace, "pods", "-l", f"app.kubernetes.io/name={name}")
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def name_of(thing: dict[str, Any]) -> str:
    return str(thing["metadata"]["name"])


def eventually(look: Callable[[], T], what: str, seconds: float = 120, every: float = 1) -> T:
    """What `look` finds, as soon as it is true."""
    until = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < until, f"not in {seconds:.0f} s: {what}"
        time.sleep(every)


def upload(picture: bytes, seconds: float = 60, headers: dict[str, str] | None = None) -> httpx.Response:
    with httpx.Client(trust_env=False, timeout=seconds) as client:
        return client.post(f"{GATEWAY_URL}/gateway/ocr", files={"image_file": picture}, headers=headers)


class Prometheus:
    """A Prometheus' answers to instant queries."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, trust_env=False, timeout=30)

    def query(self, expression: str) -> list[dict[str, Any]]:
        answer = self._client.post("/api/v1/query", data={"query": expression})
        assert answer.status_code == 200, f"{expression}: {answer.text}"
        result = answer.json()["data"]["result"]
        return list(result)

    def values(self, expression: str) -> list[float]:
        return [float(series["value"][1]) for series in self.query(expression)]
