"""What the rendered objects say."""

from __future__ import annotations

import base64
import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from api_gateway.settings import GatewaySettings
from model_server.settings import ModelServerSettings
from scripts.release.version import project_version
from service_kit import cgroup
from service_kit.settings import MIB
from tests.charts import tools
from tests.charts.tools import CASES, CHARTS, container, env, of_kind, one, option, pod, render

SETTINGS: dict[str, type[ModelServerSettings | GatewaySettings]] = {
    "model-server": ModelServerSettings,
    "api-gateway": GatewaySettings,
}
PREFIX = {"model-server": "MODEL_SERVER_", "api-gateway": "API_GATEWAY_"}
# Every values file in charts/ and argo-cd/: the charts' own with each option, and those of the environments.
VALUES: list[tuple[str, str, tools.Values]] = [
    *((chart, name, tools.OPTIONS[chart][name]) for chart, name in CASES),
    *(
        (file.stem, f"{file.stem}-{file.parent.name}", yaml.safe_load(file.read_text()))
        for file in sorted(Path("argo-cd/environments").glob("*/*.yaml"))
    ),
]
SELECTOR = {"app.kubernetes.io/name", "app.kubernetes.io/instance"}
STANDARD = SELECTOR | {
    "app.kubernetes.io/version",
    "app.kubernetes.io/component",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
}


@pytest.mark.parametrize(("chart", "name"), CASES)
def test_labels_are_the_standard_ones_and_selectors_only_name_and_instance(chart: str, name: str) -> None:
    rendered = option(chart, name)
    for manifest in rendered:
        if not tools.is_test(manifest):
            assert set(manifest["metadata"]["labels"]) >= STANDARD, manifest["kind"]
    selector = one(rendered, "Service")["spec"]["selector"]
    assert set(selector) == SELECTOR
    assert selector.items() <= pod(rendered)["metadata"]["labels"].items()
    for kind in ("Deployment", "PodDisruptionBudget", "ServiceMonitor"):
        for manifest in of_kind(rendered, kind):
            if tools.is_worker(manifest):
                continue
            assert manifest["spec"]["selector"]["matchLabels"] == selector
    for test in of_kind(rendered, "Pod"):
        assert not selector.items() <= test["metadata"]["labels"].items(), "the test would be served traffic"


@pytest.mark.parametrize("chart", CHARTS)
def test_pod_labels_do_not_change_with_the_version(chart: str) -> None:
    labels = pod(option(chart, "default"))["metadata"]["labels"]
    assert not {"helm.sh/chart", "app.kubernetes.io/version"} & set(labels)


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize(
    ("release", "values", "name"),
    [
        ("{}", {}, "{}"),
        ("{}-blue", {}, "{}-blue"),
        ("prod", {}, "prod-{}"),
        ("prod", {"fullnameOverride": "{}"}, "{}"),
    ],
)
def test_names(chart: str, release: str, values: tools.Values, name: str) -> None:
    values = {key: value.format(chart) for key, value in values.items()}
    rendered = render(chart, values, release=release.format(chart))
    assert one(rendered, "Deployment")["metadata"]["name"] == name.format(chart)


@pytest.mark.parametrize(("chart", "name"), CASES)
def test_scrape_annotations_stand_on_the_pods_alone_or_a_monitor_does(chart: str, name: str) -> None:
    rendered = option(chart, name)
    for manifest in rendered:
        annotations = manifest["metadata"].get("annotations", {})
        assert not [key for key in annotations if key.startswith("prometheus.io/")], manifest["kind"]
    annotations = pod(rendered)["metadata"]["annotations"]
    scraped = {key: value for key, value in annotations.items() if key.startswith("prometheus.io/")}
    (port,) = [found for found in container(rendered)["ports"][-1:] if found["name"] != "grpc"] or [
        container(rendered)["ports"][0]
    ]
    expected = {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(port["containerPort"]),
        "prometheus.io/path": "/metrics",
    }
    monitors = {"service monitor": "ServiceMonitor", "pod monitor": "PodMonitor"}
    assert scraped == ({} if name in {*monitors, "no metrics"} else expected)
    for option_name, kind in monitors.items():
        assert bool(of_kind(rendered, kind)) == (name == option_name)


@pytest.mark.parametrize(("chart", "name"), CASES)
def test_the_service_knows_every_setting_and_takes_its_value(
    chart: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = option(chart, name)
    settings = SETTINGS[chart]
    prefix = PREFIX[chart]
    known = {f"{prefix}{field.upper()}" for field in settings.model_fields}
    given = {key: value for key, value in env(rendered).items() if key.startswith(prefix)}
    assert set(given) <= known
    for key, value in given.items():
        if not key.endswith(("_FILE", "_DIR", "MODEL_SERVER_WORKERS")):
            monkeypatch.setenv(key, value)
    monkeypatch.setattr(cgroup, "memory_limit", lambda: None)
    loaded = settings()
    assert loaded.port == container(rendered)["ports"][0]["containerPort"]
    if name in {"default", "service's defaults"}:
        own = settings.model_construct()
        differing = {field for field in settings.model_fields if getattr(loaded, field) != getattr(own, field)}
        assert differing <= {
            "shutdown_delay_seconds",
            "log_format",
            "splitter_kill_mib",
            "memory_mib",
            "tmp_mib",
            "model_server_url",
            "metrics_port",
        }, "where the chart has no reason of its own, the service's default stands"


@pytest.mark.parametrize("chart", CHARTS)
def test_service_links_are_off(chart: str) -> None:
    """They would set MODEL_SERVER_PORT=tcp://…, which is a setting's name."""
    rendered = option(chart, "default")
    assert pod(rendered)["spec"]["enableServiceLinks"] is False
    for test in of_kind(rendered, "Pod"):
        assert test["spec"]["enableServiceLinks"] is False


@pytest.mark.parametrize(("chart", "name"), CASES)
def test_the_grace_period_is_the_sum_of_what_may_happen_in_it(chart: str, name: str) -> None:
    rendered = option(chart, name)
    settings = env(rendered)
    budget = float(settings[f"{PREFIX[chart]}REQUEST_TIMEOUT_SECONDS"])
    delay = float(settings[f"{PREFIX[chart]}SHUTDOWN_DELAY_SECONDS"])
    grace = float(settings[f"{PREFIX[chart]}SHUTDOWN_GRACE_SECONDS"])
    asked = tools.OPTIONS[chart][name].get("shutdown", {}).get("graceSeconds")
    assert grace == (asked or math.ceil(budget) + 5)
    documents = 0.0
    if chart == "api-gateway":
        documents = float(settings["API_GATEWAY_DOCUMENT_GRACE_SECONDS"])
        assert documents == tools.OPTIONS[chart][name].get("shutdown", {}).get("documentGraceSeconds", 120)
    assert pod(rendered)["spec"]["terminationGracePeriodSeconds"] == delay + max(grace, documents) + 5


def test_probes_of_the_model_server_follow_its_name() -> None:
    found = container(render("model-server", {"config": {"modelName": "reader"}}))
    assert found["readinessProbe"]["httpGet"]["path"] == "/v1/models/reader"
    assert found["startupProbe"]["httpGet"]["path"] == "/v1/models/reader"
    assert found["livenessProbe"]["httpGet"]["path"] == "/v2/health/live"


def test_probes_of_the_gateway() -> None:
    found = container(option("api-gateway", "default"))
    assert found["readinessProbe"]["httpGet"]["path"] == "/health/serving"
    assert found["startupProbe"]["httpGet"]["path"] == "/health/live"
    assert found["livenessProbe"]["httpGet"]["path"] == "/health/live"


@pytest.mark.parametrize("chart", CHARTS)
def test_a_rolling_update_never_has_fewer_pods(chart: str) -> None:
    strategy = one(option(chart, "default"), "Deployment")["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


@pytest.mark.parametrize("chart", CHARTS)
def test_the_autoscaler_owns_the_replicas_or_the_chart_does(chart: str) -> None:
    assert one(option(chart, "default"), "Deployment")["spec"]["replicas"] == 1
    assert not of_kind(option(chart, "default"), "HorizontalPodAutoscaler")
    scaled = option(chart, "autoscaling")
    assert "replicas" not in one(scaled, "Deployment")["spec"]
    target = one(scaled, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert target == {"apiVersion": "apps/v1", "kind": "Deployment", "name": chart}


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("name", ["default", "two replicas", "autoscaling"])
def test_a_drain_evicts_one_pod_at_a_time_and_is_never_blocked(chart: str, name: str) -> None:
    budget = one(option(chart, name), "PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@pytest.mark.parametrize("chart", CHARTS)
def test_the_autoscaler_s_target_is_a_percentage_of_the_request(chart: str) -> None:
    rendered = option(chart, "autoscaling")
    (metric,) = one(rendered, "HorizontalPodAutoscaler")["spec"]["metrics"]
    percent = metric["resource"]["target"]["averageUtilization"]
    assert (
        percent * tools.cpus(container(rendered)["resources"]["requests"]["cpu"]) == 70
    )  # 700m, as the comment says
    assert "targetCPUPercent is a percentage of resources.requests.cpu" in tools.refusal(
        chart, {"autoscaling": {"enabled": True}, "resources": {"requests": {"cpu": None}}}
    )


@pytest.mark.parametrize("chart", CHARTS)
def test_the_image_follows_the_app_version_a_tag_or_a_digest(chart: str) -> None:
    assert container(option(chart, "default"))["image"] == f"{chart}:{project_version(Path())}"
    assert container(option(chart, "default"))["imagePullPolicy"] == "IfNotPresent"
    assert container(render(chart, {"image": {"tag": "1.2.3"}}))["image"] == f"{chart}:1.2.3"
    pinned = option(chart, "digest")
    assert container(pinned)["image"] == f"registry.example/ocr@sha256:{'0' * 64}"
    (test,) = of_kind(pinned, "Pod")
    assert test["spec"]["containers"][0]["image"] == container(pinned)["image"]


@pytest.mark.parametrize("chart", CHARTS)
def test_a_changed_setting_rolls_out_and_nothing_else_does(chart: str) -> None:
    def checksum(values: tools.Values) -> str:
        return str(pod(render(chart, values))["metadata"]["annotations"]["checksum/config"])

    assert checksum({}) == checksum({"replicaCount": 5, "service": {"annotations": {"a": "b"}}})
    assert checksum({}) != checksum({"config": {"logLevel": "debug"}})


@pytest.mark.parametrize("chart", CHARTS)
def test_the_only_writable_places_are_tmp_in_memory_and_the_spool(chart: str) -> None:
    rendered = option(chart, "default")
    assert container(rendered)["securityContext"]["readOnlyRootFilesystem"] is True
    places = ["/tmp", "/spool"] if chart == "api-gateway" else ["/tmp"]
    assert [mount["mountPath"] for mount in container(rendered)["volumeMounts"]] == places
    volumes = pod(rendered)["spec"]["volumes"]
    assert volumes[0]["emptyDir"]["medium"] == "Memory"
    assert all("emptyDir" in volume for volume in volumes)


@pytest.mark.parametrize("chart", CHARTS)
def test_no_account_brings_its_token(chart: str) -> None:
    rendered = option(chart, "default")
    assert one(rendered, "ServiceAccount")["automountServiceAccountToken"] is False
    assert pod(rendered)["spec"]["automountServiceAccountToken"] is False
    assert pod(rendered)["spec"]["serviceAccountName"] == chart
    other = option(chart, "other account")
    assert not of_kind(other, "ServiceAccount")
    assert pod(other)["spec"]["serviceAccountName"] == "other"


@pytest.mark.parametrize("chart", CHARTS)
def test_pods_spread_over_nodes_and_each_constraint_selects_its_own(chart: str) -> None:
    for name, key in (("default", "kubernetes.io/hostname"), ("scheduling", "zone")):
        rendered = option(chart, name)
        (constraint,) = pod(rendered)["spec"]["topologySpreadConstraints"]
        assert constraint["topologyKey"] == key
        assert constraint["labelSelector"] == one(rendered, "Deployment")["spec"]["selector"]


NEURAL_MIB = 384


def test_workers_follow_the_cpu_limit() -> None:
    (variable,) = container(option("model-server", "default"))["env"]
    reference = variable["valueFrom"]["resourceFieldRef"]
    assert (reference["resource"], reference["divisor"]) == ("limits.cpu", "1")
    assert env(option("model-server", "three workers"))["MODEL_SERVER_WORKERS"] == "3"


@pytest.mark.parametrize(
    ("limits", "workers", "share"),
    [
        ({}, 0, 896),
        ({"memory": "2Gi"}, 0, 1664),
        ({"memory": "2000Mi", "cpu": "1500m"}, 0, 808),
        ({"memory": "3100M", "cpu": "4"}, 0, 643),
        ({"memory": "2Gi"}, 2, 832),
    ],
)
def test_memory_of_a_worker_follows_the_limits(
    limits: dict[str, str], workers: int, share: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = render("model-server", {"resources": {"limits": limits}, "config": {"workers": workers}})
    settings = load("model-server", rendered, monkeypatch)
    assert settings.kill_mib == share
    assert settings.recycle_mib == NEURAL_MIB + (share - NEURAL_MIB) // 2


def test_without_the_neural_engine_a_worker_needs_less_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"resources": {"limits": {"memory": "1Gi", "cpu": "2"}}}
    assert "each needs 640, of which NEURAL=false saves 384" in tools.refusal("model-server", limits)
    settings = load("model-server", render("model-server", limits | {"config": {"neural": False}}), monkeypatch)
    assert (settings.neural, settings.kill_mib, settings.recycle_mib) == (False, 320, 160)


@pytest.mark.parametrize(
    ("values", "shares"),
    [
        ({}, [256, 128, 384]),
        ({"resources": {"limits": {"memory": "2Gi"}}}, [512, 256, 768]),
        ({"config": {"maxHeldMib": 100, "splitterKillMib": 100}}, [100, 128, 100]),
        ({"resources": {"limits": None}}, [256, 128, 700]),
    ],
)
def test_memory_of_the_gateway_follows_the_limit(
    values: tools.Values, shares: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load("api-gateway", render("api-gateway", values), monkeypatch)
    assert [settings.max_held_mib, settings.max_pages_held_mib, settings.splitter_kill_mib] == shares


def load(chart: str, rendered: tools.Rendered, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The service's settings in such a pod, on a node of 64 CPUs and 32 GiB; a wrong sum is refused here."""
    limits = container(rendered)["resources"].get("limits", {})
    memory = tools.mebibytes(limits["memory"]) * MIB if "memory" in limits else None
    cpus = float(tools.cpus(limits["cpu"])) if "cpu" in limits else None
    monkeypatch.setattr(cgroup, "memory_limit", lambda: memory)
    monkeypatch.setattr(cgroup, "machine_memory", lambda: 32 << 30)
    monkeypatch.setattr(cgroup, "cpu_quota", lambda: cpus)
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: set(range(64)))
    given = env(rendered)
    for variable in container(rendered).get("env", []):
        if "resourceFieldRef" in variable.get("valueFrom", {}):
            given[variable["name"]] = str(math.ceil(cpus or 64))  # as the downward API
    for key, value in given.items():
        if key.startswith(PREFIX[chart]) and not key.endswith(("_FILE", "_DIR")):
            monkeypatch.setenv(key, value)
    return SETTINGS[chart]()


@pytest.mark.parametrize(("chart", "name", "values"), VALUES)
def test_the_memory_of_all_parts_together_fits_the_container(
    chart: str, name: str, values: tools.Values, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service makes the same sum at its start."""
    rendered = render(chart, values, release=name if name.startswith(chart) else chart)
    settings = load(chart, rendered, monkeypatch)
    assert len(settings.memory_rows()) >= 4
    assert sum(settings.memory_rows().values()) / settings.container_mib <= 1.0
    limit = container(rendered)["resources"].get("limits", {}).get("memory")
    assert settings.container_mib == (tools.mebibytes(limit) if limit else 16 << 10)
    assert ("memory_mib" in settings.model_fields_set) == bool(limit), "else the service finds it"


def test_without_a_cpu_limit_the_workers_follow_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The downward API would give the node's cores, each with a worker."""
    rendered = option("model-server", "no CPU limit")
    assert "MODEL_SERVER_WORKERS" not in [variable["name"] for variable in container(rendered).get("env", [])]
    assert "MODEL_SERVER_WORKERS" not in env(rendered)
    settings = load("model-server", rendered, monkeypatch)
    assert sum(settings.memory_rows().values()) <= settings.container_mib == 1280
    with_more = render("model-server", {"resources": {"limits": {"cpu": None}}, "extraEnv": [{"name": "TZ"}]})
    assert container(with_more)["env"] == [{"name": "TZ"}]


@pytest.mark.parametrize(
    ("quantity", "mebibytes"),
    [
        ("1Gi", 1024),
        ("1.5Gi", 1536),
        ("1024Mi", 1024),
        ("1048576Ki", 1024),
        ("1Ti", 1048576),
        ("2G", 1907),
        ("2000M", 1907),
        ("2000000k", 1907),
        ("1T", 953674),
        ("1073741824", 1024),
        (1073741824, 1024),
        ("1073741824000m", 1024),
    ],
)
@pytest.mark.parametrize("chart", CHARTS)
def test_memory_quantities(chart: str, quantity: str | int, mebibytes: int) -> None:
    found = env(render(chart, {"resources": {"limits": {"memory": quantity}}}))
    assert found[f"{PREFIX[chart]}MEMORY_MIB"] == str(mebibytes) == str(tools.mebibytes(quantity))


@pytest.mark.parametrize(
    ("values", "disk"),
    [
        ({}, 960),
        ({"spool": {"sizeLimit": "600Mi"}}, 536),
        ({"spool": {"sizeLimit": "600Mi"}, "config": {"maxDiskMib": 600}}, 600),
    ],
)
def test_the_disk_budget_fits_the_spool(values: tools.Values, disk: int) -> None:
    rendered = render("api-gateway", values)
    assert env(rendered)["API_GATEWAY_MAX_DISK_MIB"] == str(disk)
    (volume,) = [volume for volume in pod(rendered)["spec"]["volumes"] if volume["name"] == "spool"]
    assert tools.mebibytes(volume["emptyDir"]["sizeLimit"]) >= disk


def test_documents_wait_on_the_disk() -> None:
    rendered = option("api-gateway", "default")
    assert env(rendered)["API_GATEWAY_SPOOL_DIR"] == "/spool"
    assert {"name": "spool", "mountPath": "/spool"} in container(rendered)["volumeMounts"]
    (volume,) = [volume for volume in pod(rendered)["spec"]["volumes"] if volume["name"] == "spool"]
    assert volume["emptyDir"] == {"sizeLimit": "1Gi"}


def test_more_languages_come_from_a_volume() -> None:
    rendered = option("model-server", "languages")
    settings = env(rendered)
    assert settings["MODEL_SERVER_LANGUAGES"] == "eng,deu"
    assert settings["MODEL_SERVER_TESSDATA_DIR"] == "/tessdata"
    assert {"name": "tessdata", "mountPath": "/tessdata", "readOnly": True} in container(rendered)["volumeMounts"]
    volume = {"name": "tessdata", "persistentVolumeClaim": {"claimName": "tessdata"}}
    assert volume in pod(rendered)["spec"]["volumes"]


@pytest.mark.parametrize(
    ("name", "engine", "tesseract"),
    [("default", "auto", "tesserocr"), ("one engine", "tesseract", "pytesseract")],
)
def test_the_engine_is_a_value(name: str, engine: str, tesseract: str) -> None:
    settings = env(option("model-server", name))
    assert (settings["MODEL_SERVER_ENGINE"], settings["MODEL_SERVER_TESSERACT"]) == (engine, tesseract)


def test_api_keys_are_a_mounted_file() -> None:
    rendered = option("api-gateway", "keys")
    secret = one(rendered, "Secret")
    assert base64.b64decode(secret["data"]["api-keys"]).split() == [b"0123456789abcdef", b"fedcba9876543210"]
    assert env(rendered)["API_GATEWAY_API_KEYS_FILE"] == "/run/secrets/api-gateway/api-keys"
    assert mounted_secret(rendered) == secret["metadata"]["name"]
    annotations = pod(rendered)["metadata"]["annotations"]
    assert "checksum/keys" not in annotations, "a hash of short keys could be searched through"
    assert "0123456789abcdef" not in str(annotations) + str(container(rendered))

    other = option("api-gateway", "keys of another")
    assert not of_kind(other, "Secret")
    assert env(other)["API_GATEWAY_API_KEYS_FILE"] == "/run/secrets/api-gateway/keys.txt"
    assert mounted_secret(other) == "ocr-keys"
    (test,) = of_kind(other, "Pod")
    assert test["spec"]["containers"][0]["command"][-1] == "/run/secrets/api-gateway/keys.txt"


def mounted_secret(rendered: tools.Rendered) -> str:
    assert {"name": "api-keys", "mountPath": "/run/secrets/api-gateway", "readOnly": True} in container(rendered)[
        "volumeMounts"
    ]
    (secret,) = [volume["secret"] for volume in pod(rendered)["spec"]["volumes"] if volume["name"] == "api-keys"]
    return str(secret["secretName"])


def test_network_policies_admit_the_gateway_prometheus_and_the_test() -> None:
    model = one(option("model-server", "network policy"), "NetworkPolicy")["spec"]
    assert model["egress"] == []
    assert model["policyTypes"] == ["Ingress", "Egress"]
    callers, prometheus = model["ingress"]
    assert callers["from"] == [
        {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "api-gateway"}}},
        {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "api-gateway-worker"}}},
        {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "model-server-test"}}},
    ]
    assert prometheus["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    ]
    assert [rule["ports"][0]["port"] for rule in model["ingress"]] == ["http", "http"]
    secured = merged_option("model-server", "network policy", "tls")
    assert [rule["ports"][0]["port"] for rule in one(secured, "NetworkPolicy")["spec"]["ingress"]] == [
        "http",
        "plain",
    ]
    gateway_labels = pod(option("api-gateway", "default"))["metadata"]["labels"]
    assert gateway_labels["app.kubernetes.io/name"] == "api-gateway"

    gateway = one(option("api-gateway", "network policy"), "NetworkPolicy")["spec"]
    clients, prometheus = gateway["ingress"]
    assert "from" not in clients
    assert (clients["ports"][0]["port"], prometheus["ports"][0]["port"]) == ("http", "metrics")
    assert "namespaceSelector" in prometheus["from"][0]
    ports = [port for rule in gateway["egress"] for port in rule["ports"]]
    assert ports == [
        {"port": 53, "protocol": "UDP"},
        {"port": 53, "protocol": "TCP"},
        {"port": "http", "protocol": "TCP"},
    ]
    known = one(option("api-gateway", "known callers"), "NetworkPolicy")["spec"]["ingress"][0]["from"]
    assert len(known) == 2


def merged_option(chart: str, *names: str) -> tools.Rendered:
    return render(chart, tools.merged(*(tools.OPTIONS[chart][name] for name in names)))


@pytest.mark.parametrize(
    ("name", "files"),
    [("tls", ["CERT", "KEY"]), ("tls for known callers", ["CERT", "KEY", "CLIENT_CA"])],
)
def test_with_tls_probes_and_prometheus_have_a_plain_port(name: str, files: list[str]) -> None:
    """The kubelet has no client certificate."""
    rendered = option("model-server", name)
    ports = {port["name"]: port["containerPort"] for port in container(rendered)["ports"]}
    assert ports == {"http": 8080, "grpc": 8081, "plain": 8082}
    settings = env(rendered)
    assert settings["MODEL_SERVER_PROBE_PORT"] == "8082"
    tls = {key: value for key, value in settings.items() if "TLS" in key}
    assert set(tls) == {f"MODEL_SERVER_TLS_{file}_FILE" for file in files}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container(rendered)[probe]["httpGet"]["port"] == "plain"
    for path in tls.values():
        assert path.startswith("/run/secrets/tls/"), "a folder, so that renewed files are seen"
    (test,) = of_kind(rendered, "Pod")
    assert test["spec"]["containers"][0]["command"][2].startswith("https://")


def test_the_gateway_checks_the_model_server_s_certificate_and_shows_its_own() -> None:
    settings = env(option("api-gateway", "tls to the model server"))
    assert {key: value for key, value in settings.items() if key.startswith("API_GATEWAY_MODEL_SERVER_")} == {
        "API_GATEWAY_MODEL_SERVER_URL": "https://model-server:8080",
        "API_GATEWAY_MODEL_SERVER_CA_FILE": "/run/secrets/model-server/ca.crt",
        "API_GATEWAY_MODEL_SERVER_CERT_FILE": "/run/secrets/model-server/tls.crt",
        "API_GATEWAY_MODEL_SERVER_KEY_FILE": "/run/secrets/model-server/tls.key",
    }
    said = tools.refusal("api-gateway", {"modelServerTls": {"existingSecret": "gateway-tls"}})
    assert "MODEL_SERVER_URL must begin with https:// for MODEL_SERVER_CA_FILE" in said


def test_metrics_are_on_a_port_that_nothing_outside_leads_to() -> None:
    rendered = merged_option("api-gateway", "ingress", "http route", "service monitor")
    assert env(rendered)["API_GATEWAY_METRICS_PORT"] == "8002"
    outside = str([one(rendered, kind) for kind in ("Ingress", "HTTPRoute")])
    assert "8002" not in outside
    assert "metrics" not in outside
    assert one(rendered, "ServiceMonitor")["spec"]["endpoints"][0]["port"] == "metrics"
    assert "metrics" in [port["name"] for port in one(rendered, "Service")["spec"]["ports"]]


@pytest.mark.parametrize("major", tools.HELMS)
def test_keda_counts_what_waits_and_owns_the_replicas(major: int) -> None:
    rendered = option("model-server", "keda", major)
    assert "replicas" not in one(rendered, "Deployment")["spec"]
    scaler = one(rendered, "ScaledObject")["spec"]
    assert (scaler["scaleTargetRef"]["name"], scaler["minReplicaCount"]) == ("model-server", 0)
    queued, waiting = (trigger["metadata"] for trigger in scaler["triggers"])
    assert queued["query"] == 'sum(ocr_in_flight{namespace="ocr"})'
    assert (waiting["valueLocation"], waiting["url"]) == (
        "gateway_requests_waiting",
        "http://api-gateway:8002/metrics",
    )
    both = {"keda": {"enabled": True}, "autoscaling": {"enabled": True}}
    assert "each would undo what the other does" in tools.refusal("model-server", both)


def test_kserve_makes_the_pods_that_the_chart_s_service_finds() -> None:
    rendered = render("model-server", {"inferenceService": {"enabled": True}, "replicaCount": 2})
    assert not of_kind(rendered, "Deployment")
    (service,) = of_kind(rendered, "InferenceService")
    assert service["metadata"]["annotations"] == {
        "serving.kserve.io/deploymentMode": "Standard",
        "serving.kserve.io/autoscalerClass": "none",
    }
    predictor = service["spec"]["predictor"]
    (kserve,) = predictor["containers"]
    assert kserve["name"] == "kserve-container", "KServe knows its container by this name"
    assert one(rendered, "Service")["spec"]["selector"].items() <= predictor["labels"].items()
    usual = container(option("model-server", "two replicas"))
    assert {**kserve, "name": "", "env": ""} == {**usual, "name": "", "env": ""}
    assert predictor["minReplicas"] == 2
    scaled = render("model-server", {"inferenceService": {"enabled": True}, "autoscaling": {"enabled": True}})
    assert not of_kind(scaled, "HorizontalPodAutoscaler"), "KServe makes it"
    assert of_kind(scaled, "InferenceService")[0]["spec"]["predictor"]["scaleTarget"] == 280


def test_the_ingress_leads_to_the_gateway() -> None:
    spec = one(option("api-gateway", "ingress"), "Ingress")["spec"]
    assert [rule["host"] for rule in spec["rules"]] == ["ocr.example", "www.ocr.example"]
    for rule in spec["rules"]:
        (path,) = rule["http"]["paths"]
        assert path["path"] == "/gateway", "metrics and probes are for the cluster"
        assert path["backend"]["service"] == {"name": "api-gateway", "port": {"name": "http"}}


def test_a_route_of_the_gateway_api_leads_to_the_gateway() -> None:
    spec = one(option("api-gateway", "http route"), "HTTPRoute")["spec"]
    assert (spec["hostnames"], spec["parentRefs"][0]["name"]) == (["ocr.example"], "public")
    (rule,) = spec["rules"]
    assert [match["path"]["value"] for match in rule["matches"]] == ["/gateway", "/docs"]
    assert rule["backendRefs"] == [{"name": "api-gateway", "port": 8001}]
    assert rule["timeouts"] == {"request": "660s"}, "the time budget of a document, and a minute"
    only = render("api-gateway", {"httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]}})
    assert [match["path"]["value"] for match in one(only, "HTTPRoute")["spec"]["rules"][0]["matches"]] == [
        "/gateway"
    ]
    assert "name at least one gateway" in tools.refusal("api-gateway", {"httpRoute": {"enabled": True}})


def test_rules_and_dashboard_are_those_of_the_repository() -> None:
    rendered = option("api-gateway", "rules and dashboard")
    assert one(rendered, "PrometheusRule")["spec"] == yaml.safe_load(Path("prometheus/alerts.yaml").read_text())
    (dashboard,) = [
        found for found in of_kind(rendered, "ConfigMap") if found["metadata"]["name"].endswith("-dashboard")
    ]
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert dashboard["data"]["ocr-service.json"] == Path("grafana/ocr-service.json").read_text()


@pytest.mark.parametrize("chart", CHARTS)
def test_what_the_charts_do_not_know_can_be_added(chart: str) -> None:
    rendered = option(chart, "extras")
    assert {"configMapRef": {"name": "proxy"}} in container(rendered)["envFrom"]
    assert "/certificates" in [mount["mountPath"] for mount in container(rendered)["volumeMounts"]]
    assert "certificates" in [volume["name"] for volume in pod(rendered)["spec"]["volumes"]]


@pytest.mark.parametrize("chart", CHARTS)
def test_two_monitors_would_count_twice(chart: str) -> None:
    both = {"metrics": {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}}
    assert "every sum would count twice" in tools.refusal(chart, both)


@pytest.mark.parametrize("chart", CHARTS)
def test_helm_test_is_a_hook_that_uses_the_same_image(chart: str) -> None:
    rendered = option(chart, "default")
    (test,) = of_kind(rendered, "Pod")
    assert test["spec"]["containers"][0]["image"] == container(rendered)["image"]
    assert f"http://{chart}:" in str(test["spec"]["containers"][0]["command"])
    hooks = [manifest for manifest in rendered if tools.is_test(manifest)]
    assert {manifest["kind"] for manifest in hooks} == {"ConfigMap", "Pod"}
    assert not [manifest for manifest in option(chart, "no tests") if tools.is_test(manifest)]


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"replicas": 2}, "additional properties 'replicas' not allowed"),
        ({"image": {"tga": "1"}}, "at '/image': additional properties 'tga' not allowed"),
        ({"config": {"logLevel": "loud"}}, "at '/config/logLevel': value must be one of 'debug'"),
        (
            {"config": {"requestTimeoutSeconds": "30s"}},
            "at '/config/requestTimeoutSeconds': got string, want number",
        ),
        ({"config": {"requestTimeoutSeconds": 0}}, "at '/config/requestTimeoutSeconds': exclusiveMinimum"),
        ({"replicaCount": "two"}, "at '/replicaCount': got string, want integer"),
        ({"podAnnotations": {"a": True}}, "at '/podAnnotations/a': got boolean, want string"),
        ({"image": {"digest": "abc"}}, "at '/image/digest': 'abc' does not match pattern"),
        ({"resources": {"limits": {"memory": "lots"}}}, "at '/resources/limits/memory': 'lots' does not match"),
        ({"image": {"tag": "latest"}}, "image.tag: latest says not which image runs"),
        ({"service": {"annotations": {"prometheus.io/scrape": "true"}}}, "it doubles every count"),
        ({"autoscaling": {"enabled": True, "minReplicas": 9}}, "minReplicas is above autoscaling.maxReplicas"),
        ({"service": {"nodePort": 30000}}, "service.nodePort needs service.type NodePort"),
    ],
)
def test_wrong_values_are_refused_with_a_message_that_helps(chart: str, values: tools.Values, said: str) -> None:
    assert said in tools.refusal(chart, values)


@pytest.mark.parametrize(
    ("chart", "values", "said"),
    [
        (
            "model-server",
            {"resources": {"limits": {"cpu": "4"}}},
            "MEMORY_MIB=1280 leaves 224 MiB to each of 4 WORKERS",
        ),
        (
            "model-server",
            {"config": {"languages": ["../evil"]}},
            "at '/config/languages/0': '../evil' does not match",
        ),
        ("model-server", {"config": {"engine": "easyocr"}}, "value must be one of 'auto', 'tesseract', 'neural'"),
        (
            "model-server",
            {"config": {"tesseract": "neural"}},
            "value must be one of 'tesserocr', 'pytesseract'",
        ),
        (
            "model-server",
            {"config": {"workerKillMib": 897}},
            "MAX_BODIES_MIB=120, TMP_MIB=64 and 1 WORKERS of WORKER_KILL_MIB=897",
        ),
        (
            "api-gateway",
            {"resources": {"limits": {"memory": "256Mi"}}},
            "resources.limits.memory, tmp.sizeLimit: MEMORY_MIB=256 is too",
        ),
        ("api-gateway", {"resources": {"limits": {"memory": "1e3Mi"}}}, "'1e3Mi' does not match"),
        ("api-gateway", {"tmp": {"sizeLimit": "81Mi"}}, "which needs 129 MiB with TMP_MIB=81"),
        (
            "api-gateway",
            {"tmp": {"sizeLimit": "69Mi"}, "tracing": {"endpoint": "http://a"}},
            "which needs 129 MiB with TMP_MIB=69 and traces",
        ),
        (
            "api-gateway",
            {"config": {"maxHeldMib": 257}},
            "less than the sum of 128 MiB for the program, MAX_HELD_MIB=257",
        ),
        (
            "api-gateway",
            {"config": {"splitterKillMib": 513}},
            "config.splitterKillMib: SPLITTER_KILL_MIB=513 is more than",
        ),
        (
            "api-gateway",
            {"config": {"maxUploadMib": 103}},
            "MAX_HELD_MIB=256 is less than the largest picture needs, 258",
        ),
        ("api-gateway", {"config": {"maxDiskMib": 1025}}, "spool.sizeLimit: 1Gi is less than config.maxDiskMib"),
        ("api-gateway", {"config": {"maxDiskMib": 99}}, "MAX_DISK_MIB=99 is less than MAX_DOCUMENT_MIB=100"),
        (
            "api-gateway",
            {"spool": {"sizeLimit": "163Mi"}},
            "spool.sizeLimit, config.maxDiskMib: MAX_DISK_MIB=99 is less",
        ),
        (
            "api-gateway",
            {"config": {"maxDocumentMib": 961}},
            "MAX_DISK_MIB=960 is less than MAX_DOCUMENT_MIB=961",
        ),
        (
            "api-gateway",
            {"spool": {"sizeLimit": "1217Mi"}},
            "resources.limits.ephemeral-storage: 1280Mi is less than spool.sizeLimit (1217Mi) and 64 MiB for logs",
        ),
        (
            "api-gateway",
            {"apiKeys": {"values": ["0123456789abc def"]}},
            "at '/apiKeys/values/0': '0123456789abc def'",
        ),
        ("api-gateway", {"apiKeys": {"values": ["short"]}}, "at '/apiKeys/values/0': minLength: got 5, want 16"),
        (
            "api-gateway",
            {"apiKeys": {"values": ["0123456789abcdef"], "existingSecret": "x"}},
            "give existingSecret or values, not both",
        ),
        ("api-gateway", {"ingress": {"enabled": True}}, "ingress.hosts: name at least one host"),
        ("api-gateway", {"config": {"modelServerUrl": "model-server"}}, "at '/config/modelServerUrl'"),
        (
            "model-server",
            {"config": {"grpcPort": 8082}, "tls": {"existingSecret": "tls"}},
            "config.grpcPort: GRPC_PORT must be neither PORT nor PROBE_PORT",
        ),
    ],
)
def test_wrong_values_of_one_chart(chart: str, values: tools.Values, said: str) -> None:
    assert said in tools.refusal(chart, values)


@pytest.mark.parametrize("chart", CHARTS)
def test_an_old_kubernetes_is_refused(chart: str) -> None:
    for major in tools.HELMS:
        done = tools.run(tools.need_helm(major), "template", chart, str(CHARTS[chart]), "--kube-version=1.26.0")
        assert "chart requires kubeVersion: >=1.27.0-0" in done.stderr


@pytest.mark.parametrize("chart", CHARTS)
def test_notes_say_what_to_do_next(chart: str) -> None:
    def notes(release: str) -> str:
        done = tools.run(tools.need_helm(4), "install", release, str(CHARTS[chart]), "--dry-run=client")
        return done.stdout.partition("NOTES:")[2]

    assert f"helm test -n default {chart} --logs" in notes(chart)
    assert "curl" in notes(chart)
    assert "ATTENTION" not in notes(chart)
    assert "ATTENTION" in notes("prod")


@pytest.mark.parametrize(("given", "port"), [({}, 8081), ({"grpcPort": None}, 8081), ({"grpcPort": 9000}, 9000)])
def test_docling_reaches_grpc_through_service_and_network_policy(given: tools.Values, port: int) -> None:
    rendered = render("model-server", {"config": given, "networkPolicy": {"enabled": True}})
    assert {found["name"]: found["containerPort"] for found in container(rendered)["ports"]}["grpc"] == port
    (served,) = [found for found in one(rendered, "Service")["spec"]["ports"] if found["name"] == "grpc"]
    assert (served["port"], served["targetPort"]) == (port, "grpc")
    callers = one(rendered, "NetworkPolicy")["spec"]["ingress"][0]
    assert {found["port"] for found in callers["ports"]} == {"http", "grpc"}
    assert env(rendered).get("MODEL_SERVER_GRPC_PORT", "8081") == str(port)


def test_without_a_port_there_is_no_grpc() -> None:
    rendered = render("model-server", {"config": {"grpcPort": 0}, "networkPolicy": {"enabled": True}})
    assert [found["name"] for found in container(rendered)["ports"]] == ["http"]
    assert [found["name"] for found in one(rendered, "Service")["spec"]["ports"]] == ["http"]
    assert [found["port"] for found in one(rendered, "NetworkPolicy")["spec"]["ingress"][0]["ports"]] == ["http"]
    assert env(rendered)["MODEL_SERVER_GRPC_PORT"] == "0"
