"""Both services, as Helm installs them."""

from __future__ import annotations

import tempfile
from typing import Any

import yaml

from tests.charts.tools import CHARTS, merged, need_helm
from tests.e2e.cluster import GATEWAY_PORT, IMAGE_TAG, eventually, kubectl, name_of, pods, ready, run

Values = dict[str, Any]

IMAGE: Values = {"image": {"tag": IMAGE_TAG, "pullPolicy": "Never"}}
BASE: dict[str, Values] = {
    "model-server": IMAGE,
    "api-gateway": merged(IMAGE, {"service": {"type": "NodePort", "nodePort": GATEWAY_PORT}}),
}


# For tests that mostly wait: they run beside others.
SLOW: Values = {"resources": {"limits": {"cpu": "500m"}}}


class Release:
    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    def upgrade(self, **changes: Values) -> None:
        """Install or change both, and wait for them; `model_server` and `api_gateway` take more values."""
        for name in CHARTS:
            self.apply(name, changes.get(name.replace("-", "_"), {}))
        for name in CHARTS:
            self.wait(name)

    def apply(self, name: str, values: Values) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump(merged(BASE[name], values), file)
            file.flush()
            command = (need_helm(4), "upgrade", "--install", name, str(CHARTS[name]), "-n", self.namespace)
            run(*command, "--values", file.name)

    def test(self, name: str) -> str:
        command = (need_helm(4), "test", name, "-n", self.namespace, "--logs", "--timeout", "2m")
        return run(*command).stdout

    def wait(self, name: str) -> None:
        """Until the new pods are ready and the old ones gone."""
        kubectl("-n", self.namespace, "rollout", "status", f"deployment/{name}", "--timeout=240s")
        label = f"app.kubernetes.io/name={name}"

        def settled() -> bool:
            listed = kubectl("-n", self.namespace, "get", "pods", "-l", label, "-o", "name").stdout.split()
            return len(listed) == len(pods(self.namespace, name)) == len(self.ready_pods(name))

        eventually(settled, f"old pods of {name} gone")

    def ready_pods(self, name: str) -> list[str]:
        return [name_of(pod) for pod in pods(self.namespace, name) if ready(pod)]

    def restart(self, name: str) -> None:
        kubectl("-n", self.namespace, "rollout", "restart", f"deployment/{name}")

    def scale(self, name: str, replicas: int) -> None:
        self.apply(name, {"replicaCount": replicas})

    def delete_pod(self, name: str, *options: str) -> None:
        first, *_ = self.ready_pods(name)
        kubectl("-n", self.namespace, "delete", "pod", first, "--wait=false", *options)

    def execute(self, pod: str, code: str) -> str:
        """Run Python in a pod's container."""
        return kubectl("-n", self.namespace, "exec", pod, "--", "python", "-c", code, check=False).stdout

    def counters(self, pod: str, port: int) -> dict[str, float]:
        """A pod's own metrics, by way of the API server."""
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}:{port}/proxy/metrics"
        lines = kubectl("get", "--raw", path).stdout.splitlines()
        pairs = [line.rpartition(" ") for line in lines if not line.startswith("#")]
        return {series: float(value) for series, _, value in pairs}
