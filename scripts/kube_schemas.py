"""Write tests/charts/schemas: JSON schemas of the kinds that this project renders, from a cluster's OpenAPI.

    kubectl get --raw /openapi/v2 | python -m scripts.kube_schemas

Run it against a cluster with Argo CD and the CRDs of the Gateway API, KEDA, the Prometheus operator and KServe, to
support a new version of one. The schemas are strict (unknown fields are errors) and small: without descriptions,
and without what this project does not use of ApplicationSets and of KServe's kinds.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

TARGET = Path("tests/charts/schemas")
KINDS = {
    ("", "v1", "ConfigMap"),
    ("", "v1", "Namespace"),
    ("", "v1", "PersistentVolume"),
    ("", "v1", "PersistentVolumeClaim"),
    ("", "v1", "Pod"),
    ("", "v1", "Secret"),
    ("", "v1", "Service"),
    ("", "v1", "ServiceAccount"),
    ("apps", "v1", "Deployment"),
    ("autoscaling", "v2", "HorizontalPodAutoscaler"),
    ("networking.k8s.io", "v1", "Ingress"),
    ("networking.k8s.io", "v1", "NetworkPolicy"),
    ("policy", "v1", "PodDisruptionBudget"),
    ("gateway.networking.k8s.io", "v1", "HTTPRoute"),
    ("keda.sh", "v1alpha1", "ScaledObject"),
    ("monitoring.coreos.com", "v1", "PodMonitor"),
    ("monitoring.coreos.com", "v1", "PrometheusRule"),
    ("monitoring.coreos.com", "v1", "ServiceMonitor"),
    ("serving.kserve.io", "v1alpha1", "ClusterServingRuntime"),
    ("serving.kserve.io", "v1beta1", "InferenceService"),
    ("argoproj.io", "v1alpha1", "AppProject"),
    ("argoproj.io", "v1alpha1", "ApplicationSet"),
}
DROPPED = {"description", "default"}
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
REFERENCE = "#/definitions/"


def main() -> None:
    definitions: dict[str, Any] = json.load(sys.stdin)["definitions"]
    TARGET.mkdir(parents=True, exist_ok=True)
    missing = set(KINDS)
    for name, definition in definitions.items():
        for kind in definition.get("x-kubernetes-group-version-kind", []):
            key = (kind["group"], kind["version"], kind["kind"])
            if key in missing:
                missing.remove(key)
                (TARGET / file_name(*key)).write_text(
                    json.dumps(standalone(name, definitions), sort_keys=True) + "\n"
                )
    if missing:
        sys.exit(f"The cluster does not know {sorted(missing)}.")


def file_name(group: str, version: str, kind: str) -> str:
    """The file name that kubeconform expects: deployment-apps-v1.json, ingress-networking-v1.json."""
    return "-".join(part for part in (kind.lower(), group.partition(".")[0], version) if part) + ".json"


def standalone(name: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """One definition, with all that it refers to."""
    top = tidy(definitions[name])
    trim(name.rpartition(".")[2], top.get("properties", {}).get("spec", {}).get("properties", {}))
    found: dict[str, Any] = {}
    todo = references(top)
    while todo:
        reference = todo.pop()
        if reference not in found:
            found[reference] = tidy(definitions[reference], reference)
            todo |= references(found[reference])
    return {"$schema": "http://json-schema.org/draft-07/schema#", **top, "definitions": found}


def trim(kind: str, spec: dict[str, Any]) -> None:
    """Remove from a kind's `spec` the large parts that this project does not use."""
    if kind == "ApplicationSet":
        generators = spec["generators"]["items"]
        generators["properties"] = {"list": generators["properties"]["list"]}
    elif kind == "InferenceService":
        fields = spec["predictor"]["properties"]
        frameworks = {name for name, field in fields.items() if "storageUri" in field.get("properties", {})}
        keep_only(spec, {"predictor"})
        keep_only(fields, fields.keys() - (frameworks - {"model"}) - {"workerSpec"})
    elif kind == "ClusterServingRuntime":
        keep_only(spec, spec.keys() - {"workerSpec"})


def keep_only(fields: dict[str, Any], names: AbstractSet[str]) -> None:
    for name in fields.keys() - names:
        del fields[name]


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        here = {value["$ref"].removeprefix(REFERENCE)} if isinstance(value.get("$ref"), str) else set()
        return here.union(*(references(item) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(references(item) for item in value))
    return set()


def tidy(schema: dict[str, Any], name: str = "") -> dict[str, Any]:
    """Remove descriptions, and make unknown fields errors."""
    if name == QUANTITY:
        return {"type": ["string", "number"]}
    if schema.get("format") == "int-or-string" or schema.get("x-kubernetes-int-or-string"):
        return {"type": ["string", "integer"]}
    tidied: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            tidied[key] = {field: tidy(inner) for field, inner in value.items()}
        elif key in {"items", "additionalProperties"} and isinstance(value, dict):
            tidied[key] = tidy(value)
        elif key not in DROPPED and not key.startswith("x-kubernetes-"):
            tidied[key] = value
    if "properties" in tidied and not schema.get("x-kubernetes-preserve-unknown-fields"):
        tidied.setdefault("additionalProperties", False)
    return tidied


if __name__ == "__main__":
    main()
