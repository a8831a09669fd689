"""The manifests are valid to the letter, fit each other, and give the pod no right too many."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from kubernetes_validate import (  # type: ignore[import-untyped] # it has no types
    ValidationError,
    validate,
)

from dstack_backend import __version__
from dstack_backend.app.config.settings import SETTINGS
from tests.deploy.manifests import FILES, FOLDER, KUSTOMIZATION, OBJECTS, container, of_kind, pod

VERSIONS = ("1.29", "1.33", "1.37")
"""Of Kubernetes: of strict schemas that kubernetes-validate carries, old, middle, new."""

PODMONITOR = json.loads((Path(__file__).parent / "podmonitor.schema.json").read_text())
BUILT_IN = [each for each in OBJECTS if each["kind"] != "PodMonitor"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", [each["kind"] for each in BUILT_IN])
def test_an_object_is_valid(kind: str, version: str) -> None:
    """To the strict schema: a field that Kubernetes does not know is a fault."""
    assert validate(of_kind(kind), version, strict=True) == version


def test_the_strict_schema_finds_a_field_that_is_misspelt() -> None:
    """So that the test above means something."""
    broken = copy.deepcopy(of_kind("DaemonSet"))
    broken["spec"]["template"]["spec"]["containers"][0]["livenessProb"] = {}
    with pytest.raises(ValidationError):
        validate(broken, VERSIONS[-1], strict=True)


def test_the_podmonitor_is_valid() -> None:
    """Kubernetes' own schemas do not have it: ours holds the fields that we use, and no others."""
    jsonschema.validate(of_kind("PodMonitor"), PODMONITOR)
    broken = {**of_kind("PodMonitor"), "spec": {"podMetricsEndpoints": [{"prot": "http"}]}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, PODMONITOR)


def test_kustomize_takes_every_file() -> None:
    """A manifest that the kustomization forgets would never be applied."""
    assert {FOLDER / name for name in KUSTOMIZATION["resources"]} == {
        file for file in FILES if file.name != "kustomization.yaml"
    }
    assert KUSTOMIZATION["namespace"] == of_kind("Namespace")["metadata"]["name"]
    (image,) = KUSTOMIZATION["images"]
    assert (image["name"], image["newTag"]) == (container()["image"], __version__)


def test_the_pod_keeps_the_restricted_standard() -> None:
    """All of Pod Security's `restricted` but for hostPath, which the socket needs."""
    spec, rights = pod()["spec"], container()["securityContext"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert rights["allowPrivilegeEscalation"] is False
    assert rights["capabilities"] == {"drop": ["ALL"]}
    assert "privileged" not in rights
    assert "runAsUser" not in rights
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys()
    assert "hostPort" not in str(container()["ports"])


def test_the_pod_has_no_more_than_it_needs() -> None:
    """No account, a file system that it cannot write, memory with a limit, the image's own user."""
    spec = pod()["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert container()["securityContext"]["readOnlyRootFilesystem"] is True
    assert container()["resources"]["limits"].keys() == {"memory"}
    dockerfile = (FOLDER.parents[1] / "Dockerfile").read_text()
    user = f"{spec['securityContext']['runAsUser']}:{spec['securityContext']['runAsGroup']}"
    assert f"\nUSER {user}\n" in dockerfile


def test_of_the_host_it_sees_the_sockets_folder_read_only_and_its_own_data() -> None:
    """Nothing else, and both places are those that its settings name."""
    mounts = {each["name"]: each for each in container()["volumeMounts"]}
    volumes = {each["name"]: each for each in pod()["spec"]["volumes"]}
    assert mounts.keys() == volumes.keys() == {"dstack", "data"}
    assert mounts["dstack"]["readOnly"] is True
    settings = {each["name"]: each["value"] for each in container()["env"]}
    assert settings["DSTACK_URL"] == f"unix:{mounts['dstack']['mountPath']}/vmm.sock"
    assert settings["DATA_DIR"] == mounts["data"]["mountPath"]
    assert settings.keys() <= {each.variable for each in SETTINGS}


def test_probes_ask_what_says_nothing_of_dstack() -> None:
    """An outage of DStack restarts no pod and takes none out of the service."""
    assert container()["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "http"}
    assert container()["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}


def test_a_worker_hears_of_its_own_node_only() -> None:
    """The service leads to the pod of the same node."""
    spec = of_kind("Service")["spec"]
    assert spec["internalTrafficPolicy"] == "Local"
    assert spec["selector"] == pod()["metadata"]["labels"]
    assert spec["ports"][0]["targetPort"] == container()["ports"][0]["name"]


def test_all_select_the_same_pods_and_the_same_port() -> None:
    """DaemonSet, Service, PodMonitor and NetworkPolicy speak of one thing."""
    labels = {"matchLabels": pod()["metadata"]["labels"]}
    assert of_kind("DaemonSet")["spec"]["selector"] == labels
    assert of_kind("PodMonitor")["spec"]["selector"] == labels
    assert of_kind("NetworkPolicy")["spec"]["podSelector"] == labels
    port = container()["ports"][0]["name"]
    assert of_kind("NetworkPolicy")["spec"]["ingress"][0]["ports"][0]["port"] == port
    (endpoint,) = of_kind("PodMonitor")["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] == port


def test_traffic_is_closed_but_for_workers_and_prometheus() -> None:
    """Both directions have a rule; nothing goes out, and nobody unnamed comes in."""
    spec = of_kind("NetworkPolicy")["spec"]
    assert sorted(spec["policyTypes"]) == ["Egress", "Ingress"]
    assert spec["egress"] == []
    (rule,) = spec["ingress"]
    assert all("podSelector" in peer for peer in rule["from"])


def test_prometheus_sees_the_job_and_the_nodes_that_the_rules_expect() -> None:
    """The job is `dstack-backend`; a node's past outlives its pod."""
    monitor = of_kind("PodMonitor")["spec"]
    assert pod()["metadata"]["labels"][monitor["jobLabel"]] == "dstack-backend"
    rules: list[dict[str, Any]] = monitor["podMetricsEndpoints"][0]["relabelings"]
    assert {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "instance"} in rules
    (drop,) = [each["regex"] for each in rules if each.get("action") == "labeldrop"]
    assert re.fullmatch(drop, "pod")
