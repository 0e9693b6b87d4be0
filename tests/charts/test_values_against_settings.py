"""A chart accepts values if and only if the service starts with them, and else says what the service would say."""

from __future__ import annotations

import json
import math
import re
import tempfile
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from api_gateway.settings import GatewaySettings
from model_server.settings import ModelServerSettings
from scripts.chart_schema import CHARTS as FOLDERS
from scripts.chart_schema import properties, snake, write
from service_kit import cgroup
from service_kit.settings import MIB, ServiceSettings
from tests.charts import tools
from tests.charts.tools import CHARTS, Values

SETTINGS: dict[str, type[ServiceSettings]] = {"api-gateway": GatewaySettings, "model-server": ModelServerSettings}
PREFIX = {"api-gateway": "API_GATEWAY_", "model-server": "MODEL_SERVER_"}
NODE_CPUS = 64
NODE_BYTES = 32 << 30
JOBS_DIR = tempfile.gettempdir()  # stands for the volume's folder, which is not there

# Sentences of the charts alone: the service cannot know what the kubelet would do, or what another node has.
OWN = re.compile(
    r"spool\.sizeLimit: \S+ is less than config\.maxDiskMib|resources\.limits\.ephemeral-storage: "
    r"|config\.\w+ needs resources\.limits\.memory|resources\.limits\.memory: \S+ is less than 1 MiB"
    r"|jobs in SQLite are for one pod|jobs\.sqlite\.size: \S+ is less than config\.jobsMaxMib"
)


def test_types_and_bounds_of_the_schema_are_those_of_the_settings() -> None:
    stale = [str(folder) for folder, service in FOLDERS.items() if not write(folder, service, only_check=True)]
    assert not stale, "run: python -m scripts.chart_schema"


def numbers(schema: dict[str, Any], memory: int) -> st.SearchStrategy[Any]:
    """Near the bounds, beyond them, and near shares of the memory."""
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    high = schema.get("maximum", 100_000)
    shares = [memory * eighths // 8 + beside for eighths in range(1, 9) for beside in (-1, 0, 1)]
    rest = [max(1, memory - 384) // workers + beside for workers in (1, 2, 4) for beside in (-1, 0, 1)]
    whole = st.one_of(
        st.integers(int(low) - 1, int(low) + 3),
        st.integers(50, 900),
        st.sampled_from(shares + rest),
        st.just(high + 1),
    )
    return whole if "integer" in schema["type"] else st.one_of(whole, st.integers(1, 400).map(lambda n: n / 10))


def texts(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    good = {"http": ["http://model-server:8080", "https://[::1]:443/", "http://10.0.0.1"]}
    bad = [
        "",
        "Model",
        "model server",
        "http://",
        "http://a b",
        "http://a:0",
        "http://a:65536",
        "ftp://a",
        "a/b/c",
    ]
    return st.sampled_from([*good["http"], "ocr-model", "a", *bad])


def of_schema(schema: dict[str, Any], memory: int) -> st.SearchStrategy[Any]:
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    if "enum" in schema:
        drawn: st.SearchStrategy[Any] = st.sampled_from([*schema["enum"], "loud"])
    elif "boolean" in types:
        drawn = st.sampled_from([True, False, "perhaps"])
    elif "array" in types:
        drawn = st.lists(st.sampled_from(["eng", "deu", "script/Latin", "../evil", *NETWORKS]), max_size=3)
    elif "string" in types:
        drawn = texts(schema)
    else:
        drawn = numbers(schema, memory)
    return st.one_of(drawn, st.none()) if "null" in types else drawn


MEMORY = st.one_of(
    st.integers(64, 5000).map("{}Mi".format),
    st.integers(2, 50).map(lambda tenths: f"{tenths / 10}Gi"),
    st.sampled_from(["1Gi", "2G", "2500M", "1048576Ki", "0.001Ti", "900000k", "1073741824", 1610612736, "512m"]),
    st.none(),
)
SIZE = st.one_of(st.integers(1, 2000).map("{}Mi".format), st.sampled_from(["1.5Gi", "65536Ki", "1G", "0.001Ti"]))
NETWORKS = ["10.0.0.0/8", "fd00::/8", "10.0.0.1", "*.example.com"]
SQLITE = st.fixed_dictionaries(
    {"enabled": st.just(True)}, optional={"sqlite": st.fixed_dictionaries({"size": SIZE})}
)
WORKER_LIMITS = st.sampled_from(["300Mi", "600Mi", "1Gi", "1536Mi", "2G", "2.5Gi"]).map(
    lambda memory: {"limits": {"memory": memory}}
)
WORKER = st.fixed_dictionaries({"enabled": st.just(True)}, optional={"resources": WORKER_LIMITS})
POSTGRESQL = st.fixed_dictionaries(
    {"enabled": st.just(True), "database": st.just({"existingSecret": "ocr-jobs"})},
    optional={"webhooks": st.just({"existingSecret": "ocr-webhooks"}), "worker": WORKER},
)
TWO_ROLES = st.fixed_dictionaries(
    {"enabled": st.just(True), "worker": WORKER}
)  # of SQLite, which is for one process
JOBS = st.one_of(SQLITE, POSTGRESQL, POSTGRESQL, TWO_ROLES)
CPU = st.sampled_from([None, "500m", "1", 2, "3500m", 0.5, "8"])


@st.composite
def values_of(draw: st.DrawFn, chart: str) -> Values:
    config = yaml.safe_load((CHARTS[chart] / "values.yaml").read_text())["config"]
    schema = properties(SETTINGS[chart], config)
    chosen = draw(st.lists(st.sampled_from(sorted(config)), max_size=4, unique=True))
    values: Values = {}
    memory: Any = "1Gi"
    if draw(st.booleans()):
        memory = draw(MEMORY)
        values["resources"] = {"limits": {"memory": memory, "cpu": draw(CPU)}}
    mebibytes = tools.mebibytes(memory or "1Gi")
    values["config"] = {key: draw(of_schema(schema[key], mebibytes)) for key in chosen}
    if draw(st.booleans()):
        values["tmp"] = {"sizeLimit": draw(st.one_of(st.integers(1, 99).map("{}Mi".format), SIZE))}
    if chart == "api-gateway":
        if draw(st.booleans()):
            values["spool"] = {"sizeLimit": draw(SIZE)}
            values.setdefault("resources", {}).setdefault("limits", {})["ephemeral-storage"] = draw(
                st.sampled_from(["1280Mi", "3Gi", None])
            )
        if draw(st.booleans()):
            values["shutdown"] = {"graceSeconds": draw(st.sampled_from([None, 1, 10, 35, 4000]))}
        if draw(st.booleans()):
            values["jobs"] = draw(JOBS)
            values["replicaCount"] = draw(st.sampled_from([1, 1, 1, 2]))
    return values


class Service:
    """The settings class in a pod with these limits, on a large node."""

    def __init__(self, chart: str, values: Values, *, worker: bool = False) -> None:
        self.chart = chart
        self.worker = worker
        defaults = yaml.safe_load((CHARTS[chart] / "values.yaml").read_text())
        self.values = tools.merged(defaults, values)
        if worker and (own := self.values["jobs"]["worker"]["resources"]):
            shares = dict.fromkeys(("maxHeldMib", "maxPagesHeldMib", "splitterKillMib"))
            self.values = tools.merged(self.values, {"resources": own, "config": shares})
        limits = self.values["resources"]["limits"]
        self.memory = tools.mebibytes(limits["memory"]) if limits.get("memory") else None
        self.cpus = float(tools.cpus(limits["cpu"])) if limits.get("cpu") else None

    def variables(self) -> dict[str, str]:
        """What the values mean, as the documentation of the charts says it."""
        values = self.values
        found = {snake(key).upper(): text(value) for key, value in values["config"].items() if value is not None}
        if found.get("WORKERS") == "0":
            del found["WORKERS"]
        found["TMP_MIB"] = str(tools.mebibytes(values["tmp"]["sizeLimit"]))
        grace = values["shutdown"].get("graceSeconds") or math.ceil(budget(values)) + 5
        found["SHUTDOWN_GRACE_SECONDS"] = str(grace)
        if self.memory is not None:
            found["MEMORY_MIB"] = str(self.memory)
        if self.chart == "api-gateway":
            spool = tools.mebibytes(values["spool"]["sizeLimit"])
            found.setdefault("MAX_DISK_MIB", str(max(1, spool - 64)))
            found["METRICS_PORT"] = str(values["metrics"]["port"])
            found |= self.job_variables(found)
        elif self.memory is not None and self.cpus:
            found.setdefault("WORKERS", str(math.ceil(self.cpus)))
        return {PREFIX[self.chart] + name: value for name, value in found.items()}

    def job_variables(self, given: dict[str, str]) -> dict[str, str]:
        jobs = self.values["jobs"]
        in_sqlite = jobs["enabled"] and not jobs["database"]["existingSecret"]
        volume = tools.mebibytes(jobs["sqlite"]["size"]) if in_sqlite else 10240
        most = given.get("JOBS_MAX_MIB", str(max(1, volume * 8 // 10)))
        found = {"JOBS_MAX_MIB": most, "JOBS_MAX_KEY_MIB": given.get("JOBS_MAX_KEY_MIB") or str(half(most))}
        if in_sqlite:
            found["JOBS_DIR"] = JOBS_DIR
        elif jobs["enabled"]:
            found["JOBS_DATABASE_URL"] = tools.SECRETS["API_GATEWAY_JOBS_DATABASE_URL"]
        if jobs["enabled"] and jobs["worker"]["enabled"]:
            found["JOBS_ROLE"] = "worker" if self.worker else "gateway"
        if jobs["enabled"] and jobs["webhooks"]["existingSecret"] and not self.worker:
            found["WEBHOOK_SECRETS"] = tools.SECRETS["API_GATEWAY_WEBHOOK_SECRETS"]
        return found

    def start(self, variables: dict[str, str]) -> ServiceSettings | list[str]:
        """The settings, or what is wrong with them."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cgroup, "memory_limit", lambda: self.memory * MIB if self.memory else None)
            patch.setattr(cgroup, "machine_memory", lambda: NODE_BYTES)
            patch.setattr(cgroup, "cpu_quota", lambda: self.cpus)
            patch.setattr("os.sched_getaffinity", lambda _process: set(range(NODE_CPUS)))
            for name, value in variables.items():
                patch.setenv(name, value)
            try:
                return SETTINGS[self.chart]()
            except ValidationError as error:
                return [
                    fault["msg"].removeprefix("Value error, ") if not fault["loc"] else ""
                    for fault in error.errors()
                ]

    def from_manifests(self, rendered: tools.Rendered) -> ServiceSettings | list[str]:
        given = {name: value for name, value in tools.env(rendered).items() if not name.endswith("_DIR")}
        for variable in tools.container(rendered).get("env", []):
            if "resourceFieldRef" in variable.get("valueFrom", {}):
                given[variable["name"]] = str(math.ceil(self.cpus or NODE_CPUS))  # as the downward API
        if "API_GATEWAY_JOBS_DIR" in tools.env(rendered):
            given["API_GATEWAY_JOBS_DIR"] = JOBS_DIR
        return self.start(given)


def half(number: str) -> float | str:
    try:
        return float(number) / 2
    except ValueError:
        return number


def text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value)
    return value if isinstance(value, str) else json.dumps(value)


def budget(values: Values) -> float:
    given = values["config"]["requestTimeoutSeconds"]
    return given if isinstance(given, (int, float)) else 30


def sentences(refusal: str) -> set[str]:
    """What the chart says, without the paths of the values that it names first."""
    said = re.search(r"execution error at \([^)]*\): (.*)", refusal)
    return {part.partition(": ")[2] for part in said[1].split("; ")} if said else {refusal}


def compare(chart: str, values: Values) -> bool:
    """Whether the chart takes the values, which must be what the service does, also as a worker."""
    services = [Service(chart, values)]
    jobs = values.get("jobs", {})
    if jobs.get("enabled") and jobs.get("worker", {}).get("enabled"):
        services.append(Service(chart, values, worker=True))
    done = tools.template(chart, values)
    meant = [service.start(service.variables()) for service in services]
    if done.returncode == 0:
        rendered = [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]
        for service, expected in zip(services, meant, strict=True):
            found = service.from_manifests(tools.worker(rendered) if service.worker else rendered)
            assert isinstance(found, ServiceSettings), found
            assert isinstance(expected, ServiceSettings), expected
            fixed = {"spool_dir", "shutdown_delay_seconds", "document_grace_seconds", "host", "port"}
            assert found.model_dump(exclude=fixed) == expected.model_dump(exclude=fixed)
        return True
    if not OWN.search(done.stderr):
        faults = [fault for found in meant if isinstance(found, list) for fault in found]
        assert faults, done.stderr
        if "" in faults:
            assert "at '/config/" in done.stderr
        else:  # the chart says of both roles what is wrong with the gateway's
            known = {each for each in "; ".join(faults).split("; ") if "JOBS_ROLE=worker needs" not in each}
            assert sentences(done.stderr) == known
    return False


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("chart", CHARTS)
def test_a_chart_accepts_what_the_service_accepts(chart: str) -> None:
    seen = {"accepted": 0, "refused": 0}

    @settings(
        max_examples=300,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(values_of(chart))
    def examples(values: Values) -> None:
        seen["accepted" if compare(chart, values) else "refused"] += 1

    examples()
    assert min(seen.values()) > 50, seen


@pytest.mark.parametrize(
    ("chart", "values", "said"),
    [
        (
            "api-gateway",
            {"shutdown": {"graceSeconds": 10}},
            "SHUTDOWN_GRACE_SECONDS must not be below REQUEST_TIME",
        ),
        ("api-gateway", {"resources": {"limits": {"memory": "256Mi"}}}, "MEMORY_MIB=256 is too little"),
        ("api-gateway", {"spool": {"sizeLimit": "2Gi"}}, "ephemeral-storage: 1280Mi is less than spool.sizeLimit"),
        (
            "model-server",
            {"resources": {"limits": {"memory": "256Mi"}}},
            "leaves 0 MiB to each of 1 WORKERS after",
        ),
        (
            "model-server",
            {"config": {"workerKillMib": 600, "workerRecycleMib": 700}},
            "WORKER_KILL_MIB=600 must not be below WORKER_RECYCLE_MIB=700",
        ),
        ("model-server", {"config": {"grpcPort": 8080}}, "GRPC_PORT must be neither PORT nor PROBE_PORT"),
    ],
)
def test_the_sentence_is_that_of_the_service(chart: str, values: Values, said: str) -> None:
    assert said in tools.refusal(chart, values)
    compare(chart, values)


@pytest.mark.parametrize(
    "memory", ["1310720Ki", "0.00125Ti", "1.25Gi", "1342177280", 1342177280, "1342177280000m"]
)
@pytest.mark.parametrize("cpu", [None, "500m", 1])
def test_a_limit_may_have_any_unit(memory: str | int, cpu: str | int | None) -> None:
    assert compare("model-server", {"resources": {"limits": {"memory": memory, "cpu": cpu}}})
