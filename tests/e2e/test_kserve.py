"""KServe's controller makes the model server's pods. Run by hand: CI has no such controller (docs/kserve.md)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from scripts.release.version import project_version
from tests.e2e.cluster import IMAGE_TAG, eventually, kubectl, objects, pods, ready, upload
from tests.e2e.load import Load
from tests.e2e.release import Release

pytestmark = pytest.mark.timeout(900)

EXAMPLE = Path("docs/examples/kserve.yaml")
SCALED = {"enabled": True, "minReplicas": 1, "maxReplicas": 2, "targetCPUPercent": 60}


@pytest.fixture(scope="module", autouse=True)
def _kserve() -> None:
    if not kubectl("get", "crd", "inferenceservices.serving.kserve.io", "--ignore-not-found", "-o", "name").stdout:
        pytest.skip("KServe is not installed")


@pytest.fixture(scope="module")
def served(release: Release) -> Release:
    release.apply("model-server", {"inferenceService": {"enabled": True}, "autoscaling": SCALED})
    eventually(lambda: is_ready(release.namespace, "model-server"), "the InferenceService ready", 240)
    return release


def is_ready(namespace: str, name: str) -> bool:
    (service,) = objects(namespace, "inferenceservice", name)
    conditions = service.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def test_it_is_answered_through_the_gateway(served: Release, hello: bytes) -> None:
    (deployment,) = objects(served.namespace, "deployment", "-l", "app.kubernetes.io/name=model-server")
    assert deployment["metadata"]["name"] == "model-server-predictor"
    eventually(lambda: upload(hello).status_code == 200, "an answer")
    assert upload(hello).json()["text"].split() == ["HELLO", "2026"]


def test_its_autoscaler_adds_a_pod_under_load(served: Release, page_png: bytes) -> None:
    (scaler,) = objects(served.namespace, "hpa")
    assert scaler["spec"]["scaleTargetRef"]["name"] == "model-server-predictor"
    with Load(page_png, clients=8, pause=0).running() as load:
        eventually(lambda: len(served.ready_pods("model-server")) == 2, "a second pod", 300)
    assert load.bad() == []


COPY = "import shutil, sys; shutil.copytree(sys.prefix + '/share/tessdata', '/to', dirs_exist_ok=True)"
FOLDER = {"hostPath": {"path": "/tmp/ocr-e2e-tessdata", "type": "DirectoryOrCreate"}}
SIZE = {"storage": "1Gi"}
ONLY = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}


@pytest.fixture(scope="module")
def tessdata(served: Release) -> Iterator[None]:
    """A claim with the image's own language data, in a folder of the one node."""
    copier = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "ocr-e2e-tessdata", "namespace": "default"},
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "copy",
                    "image": f"model-server:{IMAGE_TAG}",
                    "command": ["python", "-c", COPY],
                    "securityContext": {"runAsUser": 0},
                    "volumeMounts": [{"name": "to", "mountPath": "/to"}],
                }
            ],
            "volumes": [{"name": "to", **FOLDER}],
        },
    }
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "ocr-e2e-tessdata"},
        "spec": {
            **ONLY,
            **FOLDER,
            "capacity": SIZE,
            "claimRef": {"name": "tessdata", "namespace": served.namespace},
        },
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "tessdata", "namespace": served.namespace},
        "spec": {**ONLY, "resources": {"requests": SIZE}},
    }
    try:
        kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all([copier, volume, claim]))
        done = "jsonpath={.status.phase}=Succeeded"
        kubectl("-n", "default", "wait", "pod/ocr-e2e-tessdata", f"--for={done}", "--timeout=60s")
        yield
    finally:
        kubectl("-n", "default", "delete", "pod", "ocr-e2e-tessdata", "--ignore-not-found")
        kubectl("delete", "persistentvolume", "ocr-e2e-tessdata", "--ignore-not-found", "--wait=false")


@pytest.fixture(scope="module")
def by_runtime(served: Release, tessdata: None) -> Iterator[str]:
    """The example's model: its pod."""
    runtime, _, service = EXAMPLE.read_text().partition("\n---\n")
    written = f"model-server:{project_version(Path())}"
    kubectl("apply", "-f", "-", stdin=runtime.replace(written, f"model-server:{IMAGE_TAG}"))
    try:
        kubectl("-n", served.namespace, "apply", "-f", "-", stdin=service)
        eventually(lambda: is_ready(served.namespace, "ocr"), "the example ready", 240)
        (pod,) = objects(served.namespace, "pods", "-l", "serving.kserve.io/inferenceservice=ocr")
        assert ready(pod)
        yield str(pod["metadata"]["name"])
    finally:
        kubectl("-n", served.namespace, "delete", "inferenceservice", "ocr", "--ignore-not-found")
        kubectl("delete", "clusterservingruntime", "ocr-service", "--ignore-not-found")


def test_a_model_of_the_example_runtime_answers_both_protocols(
    served: Release, by_runtime: str, hello: bytes
) -> None:
    picture = base64.b64encode(hello).decode()
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [picture]}
    calls = {
        "v1/models/ocr:predict": {"instances": [{"image": {"b64": picture}}]},
        "v2/models/ocr/infer": {"inputs": [tensor]},
    }
    for path, question in calls.items():
        url = f"http://ocr-predictor.{served.namespace}.svc/{path}"
        code = (
            "import sys, urllib.request as u; print(u.urlopen(u.Request(sys.argv[1], sys.stdin.buffer.read(), "
            "{'Content-Type': 'application/json'})).read().decode())"
        )
        (gateway, *_) = pods(served.namespace, "api-gateway")
        name = gateway["metadata"]["name"]
        done = kubectl(
            *("-n", served.namespace, "exec", "-i", name, "--", "python", "-c", code, url),
            stdin=json.dumps(question),
        )
        assert "HELLO 2026" in done.stdout, path
