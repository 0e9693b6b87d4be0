"""A PostgreSQL in the cluster, and volumes made by hand, for the tests of jobs."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tests.e2e.cluster import eventually, kubectl, name_of, pods, ready, run
from tests.needs import missing, program

NAME = "jobs-postgres"
SECRET = "ocr-jobs"
URL = f"postgresql://ocr@{NAME}:5432/postgres"
_SOURCES = "tests/e2e/postgres"
_USER = 10001


class HandMadeVolume:
    """A folder of the node as a PersistentVolume, with its claim. The test and the node share E2E_VOLUMES_DIR."""

    def __init__(self, namespace: str, claim: str) -> None:
        self.namespace, self.claim = namespace, claim
        root = os.environ.get("E2E_VOLUMES_DIR")
        self.folder = Path(tempfile.mkdtemp(prefix=f"{claim}-", dir=root))
        self.folder.chmod(0o777)
        self._name = f"{namespace}-{claim}"
        space: dict[str, Any] = {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "",
        }
        volume = {
            **space,
            "capacity": {"storage": "1Gi"},
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": str(self.folder), "type": "Directory"},
            "claimRef": {"namespace": namespace, "name": claim},
        }
        request = {**space, "volumeName": self._name, "resources": {"requests": {"storage": "1Gi"}}}
        apply(
            namespace,
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": self._name},
                "spec": volume,
            },
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": claim, "namespace": namespace},
                "spec": request,
            },
        )

    def remove(self) -> None:
        """After the pods that use it are gone."""
        kubectl("-n", self.namespace, "delete", "pvc", self.claim, "--ignore-not-found", "--wait=false")
        kubectl("delete", "pv", self._name, "--ignore-not-found", "--wait=false")
        shutil.rmtree(self.folder, ignore_errors=True)


class Database:
    """One pod of PostgreSQL with a volume, and the Secret with its address."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.volume = HandMadeVolume(namespace, NAME)
        labels = {"app.kubernetes.io/name": NAME}
        secure = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        container = {
            "name": "postgres",
            "image": image(),
            "imagePullPolicy": "IfNotPresent",
            "ports": [{"containerPort": 5432}],
            "securityContext": secure,
            "readinessProbe": {"tcpSocket": {"port": 5432}, "periodSeconds": 1},
            "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}},
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        }
        pod = {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 5,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "runAsGroup": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": NAME}}],
        }
        apply(
            namespace,
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": SECRET, "namespace": namespace},
                "stringData": {"url": URL},
            },
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": NAME, "namespace": namespace},
                "spec": {"selector": labels, "ports": [{"port": 5432}]},
            },
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": NAME, "namespace": namespace},
                "spec": {
                    "strategy": {"type": "Recreate"},
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": pod},
                },
            },
        )
        self.wait()

    def wait(self) -> None:
        eventually(lambda: [pod for pod in pods(self.namespace, NAME) if ready(pod)], "PostgreSQL ready")

    def kill(self) -> None:
        """Delete its pod without a grace period."""
        for pod in pods(self.namespace, NAME):
            kill_pod(self.namespace, name_of(pod))


def kill_pod(namespace: str, name: str) -> None:
    kubectl("-n", namespace, "delete", "pod", name, "--grace-period=0", "--force", "--wait=false")


def image() -> str:
    """E2E_POSTGRES_IMAGE, which serves /data to user `ocr`; or one that is built here, and loaded by E2E_LOAD."""
    if given := os.environ.get("E2E_POSTGRES_IMAGE"):
        return given
    load = os.environ.get("E2E_LOAD")
    if not load:
        missing("neither E2E_POSTGRES_IMAGE, an image for tests, nor E2E_LOAD, a command that loads one, is set")
    docker = program("docker", "https://docs.docker.com/engine/install")
    tag = "ocr-postgres:e2e"
    run(docker, "build", "--network=host", "--tag", tag, _SOURCES, seconds=600)
    run(*shlex.split(str(load)), tag)
    return tag


def apply(namespace: str, *manifests: dict[str, Any]) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
    kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(listed))
