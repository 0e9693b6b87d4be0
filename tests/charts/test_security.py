"""What a careful cluster would object to."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.charts import tools
from tests.charts.tools import CASES, Values, container, merged, of_kind, option, pod
from tests.needs import program

# kube-score's complaints that stand, each with its reason.
EXCEPTIONS = {
    # Images are named by version or digest, and on Minikube they are loaded by hand: Always would ask a registry.
    "container-image-pull-policy",
    # Pods spread by topologySpreadConstraints, which also work on a single node.
    "deployment-has-host-podantiaffinity",
}
# The pod of `helm test` is gone after seconds, and nobody calls it.
TEST_EXCEPTIONS = EXCEPTIONS | {"pod-networkpolicy"}
CAREFUL: Values = {"replicaCount": 2, "networkPolicy": {"enabled": True}}


@pytest.mark.parametrize(("chart", "name"), CASES)
def test_pods_meet_the_restricted_standard(chart: str, name: str) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/; a cluster enforces it in tests/e2e."""
    rendered = option(chart, name)
    for spec in (pod(rendered)["spec"], *(test["spec"] for test in of_kind(rendered, "Pod"))):
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] >= 10000
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        for volume in spec["volumes"]:
            assert set(volume) - {"name"} <= {"emptyDir", "configMap", "secret", "persistentVolumeClaim"}
        for each in spec["containers"]:
            context = each["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("chart", tools.CHARTS)
def test_resources_are_asked_for_and_limited(chart: str) -> None:
    resources = container(option(chart, "default"))["resources"]
    assert set(resources) == {"requests", "limits"}
    for side in resources.values():
        assert set(side) == {"cpu", "memory", "ephemeral-storage"}


@pytest.mark.parametrize("chart", tools.CHARTS)
@pytest.mark.parametrize("name", ["default", "autoscaling from two", "network policy", "scheduling", "extras"])
def test_kube_score_has_no_other_complaint(chart: str, name: str) -> None:
    rendered = tools.render(chart, merged(CAREFUL, tools.OPTIONS[chart][name]))
    score = program("kube-score", "https://github.com/zegl/kube-score")
    done = tools.run(score, "score", "--output-format=json", "-", stdin=yaml.safe_dump_all(rendered))
    complaints = []
    for thing in json.loads(done.stdout):
        excused = TEST_EXCEPTIONS if "helm.sh/hook" in str(thing["object_meta"]) else EXCEPTIONS
        complaints += [
            (thing["object_name"], check["check"]["id"], check["comments"])
            for check in thing["checks"]
            if not check["skipped"] and check["grade"] < 10 and check["check"]["id"] not in excused
        ]
    assert not complaints
