"""What the charts render for jobs: the store, workers, webhooks, autoscalers; and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from api_gateway.routes.backlog import BACKLOG_PATH
from api_gateway.settings import GatewaySettings
from service_kit import cgroup
from tests.charts import tools
from tests.charts.tools import OPTIONS, Values, container, env, merged, of_kind, one, option, pod, refusal, render

GATEWAY = "api-gateway"
WITH_WORKERS = ("workers", "larger workers", "workers by KEDA", "workers behind policies")


def volume(rendered: tools.Rendered) -> str:
    """The claim that is mounted where the setting says."""
    folder = env(rendered)["API_GATEWAY_JOBS_DIR"]
    (name,) = [mount["name"] for mount in container(rendered)["volumeMounts"] if mount["mountPath"] == folder]
    (found,) = [each for each in pod(rendered)["spec"]["volumes"] if each["name"] == name]
    return str(found["persistentVolumeClaim"]["claimName"])


def test_sqlite_is_one_pod_with_a_volume_and_the_old_one_goes_first() -> None:
    rendered = option(GATEWAY, "jobs")
    claim = one(rendered, "PersistentVolumeClaim")
    assert volume(rendered) == claim["metadata"]["name"] == "api-gateway-jobs"
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "10Gi"}},
    }
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}, "accepted jobs are in it"
    assert one(rendered, "Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    assert "API_GATEWAY_JOBS_DATABASE_URL" not in env(rendered)
    assert "API_GATEWAY_JOBS_ROLE" not in env(rendered)

    by_hand = option(GATEWAY, "jobs on a volume made by hand")
    assert volume(by_hand) == "jobs"
    assert not of_kind(by_hand, "PersistentVolumeClaim")


@pytest.mark.parametrize(
    ("storage_class", "expected"), [(None, {}), ("", {"storageClassName": ""}), ("a", {"storageClassName": "a"})]
)
def test_a_volume_of_the_default_class_of_none_or_of_one(
    storage_class: str | None, expected: dict[str, str]
) -> None:
    rendered = render(GATEWAY, {"jobs": {"enabled": True, "sqlite": {"storageClassName": storage_class}}})
    spec = one(rendered, "PersistentVolumeClaim")["spec"]
    assert {key: spec[key] for key in spec if key == "storageClassName"} == expected


@pytest.mark.parametrize(
    ("values", "limits"),
    [
        ({}, ("8192", "4096")),
        ({"jobs": {"enabled": True, "sqlite": {"size": "1Gi"}}}, ("819", "409.5")),
        ({"jobs": {"enabled": True, "sqlite": {"size": "1Gi"}}, "config": {"jobsMaxMib": 900}}, ("900", "450")),
        (OPTIONS[GATEWAY]["jobs in PostgreSQL"], ("8192", "4096")),
        ({"config": {"jobsMaxKeyMib": 100}}, ("8192", "100")),
    ],
)
def test_the_store_s_limit_leaves_room_on_the_volume(values: Values, limits: tuple[str, str]) -> None:
    given = env(render(GATEWAY, values))
    assert (given["API_GATEWAY_JOBS_MAX_MIB"], given["API_GATEWAY_JOBS_MAX_KEY_MIB"]) == limits


def test_postgresql_is_an_address_in_a_secret_and_several_pods_may_share_it() -> None:
    rendered = render(GATEWAY, merged(OPTIONS[GATEWAY]["jobs in PostgreSQL"], {"replicaCount": 3}))
    (variable,) = container(rendered)["env"]
    assert variable == {
        "name": "API_GATEWAY_JOBS_DATABASE_URL",
        "valueFrom": {"secretKeyRef": {"name": "ocr-jobs", "key": "url"}},
    }
    assert "API_GATEWAY_JOBS_DIR" not in env(rendered)
    assert not of_kind(rendered, "PersistentVolumeClaim")
    assert one(rendered, "Deployment")["spec"]["strategy"]["type"] == "RollingUpdate"


def test_webhooks_are_signed_with_a_secret_and_may_leave_the_cluster() -> None:
    rendered = option(GATEWAY, "webhooks")
    by_name = {each["name"]: each for each in container(rendered)["env"]}
    secret = by_name["API_GATEWAY_WEBHOOK_SECRETS"]["valueFrom"]["secretKeyRef"]
    assert secret == {"name": "ocr-webhooks", "key": "secrets"}
    given = env(rendered)
    assert given["API_GATEWAY_WEBHOOK_ALLOW"] == "hooks.internal,10.0.0.0/8"
    assert given["API_GATEWAY_PUBLIC_URL"] == "https://ocr.example"
    workers = tools.worker(render(GATEWAY, merged(OPTIONS[GATEWAY]["webhooks"], OPTIONS[GATEWAY]["workers"])))
    assert [each["name"] for each in container(workers)["env"]] == ["API_GATEWAY_JOBS_DATABASE_URL"]
    closed = render(GATEWAY, merged(OPTIONS[GATEWAY]["webhooks"], {"networkPolicy": {"enabled": True}}))
    assert {"port": 443, "protocol": "TCP"} in egress_ports(closed)
    without = option(GATEWAY, "network policy")
    assert {"port": 443, "protocol": "TCP"} not in egress_ports(without)


def egress_ports(rendered: tools.Rendered) -> list[dict[str, Any]]:
    rules = one(rendered, "NetworkPolicy")["spec"]["egress"]
    return [port for rule in rules for port in rule["ports"]]


@pytest.mark.parametrize("name", WITH_WORKERS)
def test_workers_read_and_gateways_take(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = option(GATEWAY, name)
    assert env(rendered)["API_GATEWAY_JOBS_ROLE"] == "gateway"
    workers = tools.worker(option(GATEWAY, name))
    assert env(workers)["API_GATEWAY_JOBS_ROLE"] == "worker"
    assert one(workers, "Deployment")["metadata"]["name"] == "api-gateway-worker"
    monkeypatch.setattr(cgroup, "memory_limit", lambda: None)
    for key, value in env(workers).items():
        if not key.endswith(("_FILE", "_DIR")):
            monkeypatch.setenv(key, value)
    settings = GatewaySettings()
    limit = container(workers)["resources"]["limits"]["memory"]
    assert settings.container_mib == tools.mebibytes(limit)
    assert sum(settings.memory_rows().values()) <= settings.container_mib
    assert settings.grace_seconds < pod(workers)["spec"]["terminationGracePeriodSeconds"]


def test_the_service_leads_to_no_worker() -> None:
    rendered = option(GATEWAY, "workers")
    selector = one(rendered, "Service")["spec"]["selector"]
    workers = tools.worker(option(GATEWAY, "workers"))
    labels = pod(workers)["metadata"]["labels"]
    assert not selector.items() <= labels.items()
    for kind in ("Deployment", "PodDisruptionBudget"):
        assert one(workers, kind)["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert pod(workers)["spec"]["serviceAccountName"] == one(rendered, "ServiceAccount")["metadata"]["name"]


@pytest.mark.parametrize("major", tools.HELMS)
def test_a_policy_lets_workers_reach_the_model_server_and_the_database(major: int) -> None:
    workers = tools.worker(option(GATEWAY, "workers behind policies", major))
    policy = one(workers, "NetworkPolicy")["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= pod(workers)["metadata"]["labels"].items()
    (rule,) = policy["ingress"]
    assert [port["port"] for port in rule["ports"]] == ["metrics"], "a worker has no clients"
    database = {"ports": [{"port": 5432, "protocol": "TCP"}], "to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}]}
    assert database in policy["egress"]
    rendered = option(GATEWAY, "workers behind policies", major)
    assert database in one(rendered, "NetworkPolicy")["spec"]["egress"]
    model = one(option("model-server", "network policy"), "NetworkPolicy")["spec"]["ingress"][0]["from"]
    admitted = [each["podSelector"]["matchLabels"].items() for each in model]
    assert any(labels <= pod(workers)["metadata"]["labels"].items() for labels in admitted)


@pytest.mark.parametrize("monitor", ["service monitor", "pod monitor"])
def test_the_operator_finds_workers_which_have_no_service(monitor: str) -> None:
    rendered = render(GATEWAY, merged(OPTIONS[GATEWAY]["workers"], OPTIONS[GATEWAY][monitor]))
    workers = tools.worker(rendered)
    found = one(workers, "PodMonitor")
    assert found["metadata"]["labels"]["release"] == "prometheus"
    assert found["spec"]["selector"]["matchLabels"].items() <= pod(workers)["metadata"]["labels"].items()
    assert not of_kind(workers, "ServiceMonitor")


@pytest.mark.parametrize("major", tools.HELMS)
def test_keda_scales_workers_by_jobs_and_model_servers_by_pages(major: int) -> None:
    workers = tools.worker(option(GATEWAY, "workers by KEDA", major))
    assert "replicas" not in one(workers, "Deployment")["spec"]
    scaler = one(workers, "ScaledObject")["spec"]
    assert scaler["scaleTargetRef"]["name"] == one(workers, "Deployment")["metadata"]["name"]
    assert (scaler["minReplicaCount"], scaler["maxReplicaCount"]) == (0, 8)
    (trigger,) = scaler["triggers"]
    assert trigger["metadata"] == {
        "url": f"http://api-gateway.ocr:8002{BACKLOG_PATH}",
        "valueLocation": "unfinished",
        "targetValue": "4",
    }
    *_, pages = one(option("model-server", "keda with jobs", major), "ScaledObject")["spec"]["triggers"]
    assert pages["metadata"] == {
        "url": f"http://api-gateway:8002{BACKLOG_PATH}",
        "valueLocation": "pages_unread",
        "targetValue": "40",
    }
    assert len(one(option("model-server", "keda", major), "ScaledObject")["spec"]["triggers"]) == 2
    policy = one(option(GATEWAY, "network policy"), "NetworkPolicy")["spec"]["ingress"][1]
    assert {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "keda"}}} in policy["from"]


SQLITE: Values = {"jobs": {"enabled": True}}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (merged(SQLITE, {"replicaCount": 2}), "replicaCount: jobs in SQLite are for one pod"),
        (
            merged(SQLITE, {"autoscaling": {"enabled": True}}),
            "autoscaling.enabled: jobs in SQLite are for one pod",
        ),
        (
            {"jobs": {"enabled": True, "worker": {"enabled": True}}},
            "JOBS_ROLE=gateway needs JOBS_DATABASE_URL: JOBS_DIR is for one process",
        ),
        ({"jobs": {"worker": {"enabled": True}}}, "jobs.worker.enabled needs jobs.enabled"),
        ({"jobs": {"database": {"existingSecret": "a"}}}, "jobs.database.existingSecret needs jobs.enabled"),
        ({"jobs": {"webhooks": {"existingSecret": "a"}}}, "jobs.webhooks.existingSecret needs jobs.enabled"),
        (
            {"jobs": {"enabled": True, "database": {"existingSecret": "a"}, "sqlite": {"existingClaim": "b"}}},
            "give database.existingSecret or sqlite.existingClaim, not both",
        ),
        (
            merged(SQLITE, {"jobs": {"sqlite": {"size": "1Gi"}}, "config": {"jobsMaxMib": 1025}}),
            "jobs.sqlite.size: 1Gi is less than config.jobsMaxMib, 1025 MiB",
        ),
        (
            merged(SQLITE, {"jobs": {"worker": {"keda": {"enabled": True}}}}),
            "jobs.worker.keda.enabled needs jobs.worker.enabled",
        ),
        (
            merged(OPTIONS[GATEWAY]["workers by KEDA"], {"jobs": {"worker": {"keda": {"minReplicas": 9}}}}),
            "minReplicas is above jobs.worker.keda.maxReplicas",
        ),
        (
            merged(
                OPTIONS[GATEWAY]["workers"], {"jobs": {"worker": {"resources": {"limits": {"memory": "300Mi"}}}}}
            ),
            "jobs.worker.resources.limits.memory, tmp.sizeLimit: MEMORY_MIB=300 is too little",
        ),
        ({"config": {"jobsTtlSeconds": 604801}}, "JOBS_TTL_SECONDS must not be above JOBS_MAX_TTL_SECONDS"),
        ({"config": {"jobsMaxKeyMib": 8193}}, "JOBS_MAX_KEY_MIB must not be above JOBS_MAX_MIB"),
        ({"config": {"webhookAllow": ["a b"]}}, "WEBHOOK_ALLOW: a b is neither a host nor a network"),
        ({"config": {"jobsAtOnce": 65}}, "at '/config/jobsAtOnce'"),
        ({"config": {"publicUrl": "ocr.example"}}, "at '/config/publicUrl'"),
    ],
)
def test_what_would_lose_jobs_or_not_start_is_refused(values: Values, said: str) -> None:
    assert said in refusal(GATEWAY, values)


def test_a_fault_that_both_have_is_said_once() -> None:
    said = refusal(GATEWAY, merged(OPTIONS[GATEWAY]["workers"], {"config": {"jobsTtlSeconds": 604801}}))
    assert said.count("JOBS_TTL_SECONDS must not be above") == 1
