"""The manifests are valid, consistent, and give the pod the least privileges."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from kubernetes_validate import (  # type: ignore[import-untyped] # it has no types
    ValidationError,
    validate,
)

from dstack_backend import __version__
from dstack_backend.app.config.settings import SETTINGS
from tests.deploy.manifests import FILES, FOLDER, KUSTOMIZATION, OBJECTS, container, of_kind, pod

VERSIONS = ("1.29", "1.33", "1.37")
"""Versions of Kubernetes whose strict schemas kubernetes-validate contains: old, middle, new."""

PODMONITOR = json.loads((Path(__file__).parent / "podmonitor.schema.json").read_text())
BUILT_IN = [each for each in OBJECTS if each["kind"] != "PodMonitor"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", [each["kind"] for each in BUILT_IN])
def test_each_object_is_valid(kind: str, version: str) -> None:
    """By the strict schema, in which an unknown field is an error."""
    assert validate(of_kind(kind), version, strict=True) == version


def test_the_strict_schema_rejects_an_unknown_field() -> None:
    """Otherwise the test above would prove nothing."""
    broken = copy.deepcopy(of_kind("DaemonSet"))
    broken["spec"]["template"]["spec"]["containers"][0]["livenessProb"] = {}
    with pytest.raises(ValidationError):
        validate(broken, VERSIONS[-1], strict=True)


def test_the_podmonitor_is_valid() -> None:
    """By a schema of the fields in use, because those of Kubernetes do not contain it."""
    jsonschema.validate(of_kind("PodMonitor"), PODMONITOR)
    broken = {**of_kind("PodMonitor"), "spec": {"podMetricsEndpoints": [{"prot": "http"}]}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, PODMONITOR)


def test_the_kustomization_lists_each_file() -> None:
    """A manifest that it does not list is never applied."""
    assert {FOLDER / name for name in KUSTOMIZATION["resources"]} == {
        file for file in FILES if file.name != "kustomization.yaml"
    }
    assert KUSTOMIZATION["namespace"] == of_kind("Namespace")["metadata"]["name"]
    (image,) = KUSTOMIZATION["images"]
    assert (image["name"], image["newTag"]) == (container()["image"], __version__)


def test_the_pod_fulfils_the_restricted_standard() -> None:
    """All of Pod Security's `restricted` except for hostPath, which the socket needs."""
    spec, context = pod()["spec"], container()["securityContext"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert "privileged" not in context
    assert "runAsUser" not in context
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys()
    assert "hostPort" not in str(container()["ports"])


def test_the_pod_has_least_privileges() -> None:
    """No service account, a read-only file system, a memory limit, and the user of the image."""
    spec = pod()["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert container()["securityContext"]["readOnlyRootFilesystem"] is True
    assert container()["resources"]["limits"].keys() == {"memory"}
    dockerfile = (FOLDER.parents[1] / "Dockerfile").read_text()
    user = f"{spec['securityContext']['runAsUser']}:{spec['securityContext']['runAsGroup']}"
    assert f"\nUSER {user}\n" in dockerfile


def test_the_pod_mounts_only_the_socket_folder_and_its_data() -> None:
    """The socket's folder is read-only, and both paths are those of the settings."""
    mounts = {each["name"]: each for each in container()["volumeMounts"]}
    volumes = {each["name"]: each for each in pod()["spec"]["volumes"]}
    assert mounts.keys() == volumes.keys() == {"dstack", "data"}
    assert mounts["dstack"]["readOnly"] is True
    settings = {each["name"]: each.get("value") for each in container()["env"]}
    assert settings["DSTACK_URL"] == f"unix:{mounts['dstack']['mountPath']}/vmm.sock"
    assert settings["DATA_DIR"] == mounts["data"]["mountPath"]
    assert settings.keys() <= {each.variable for each in SETTINGS}


def test_the_node_has_the_name_that_kubernetes_gives_it() -> None:
    """The host name of a pod is that of the pod."""
    (node,) = [each for each in container()["env"] if each["name"] == "NODE_NAME"]
    assert node["valueFrom"] == {"fieldRef": {"fieldPath": "spec.nodeName"}}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_lines_for_messages_are_valid_without_their_comment_marks(version: str) -> None:
    """They mount a Secret, and the setting names the file that its documented command creates."""
    text = (FOLDER / "daemonset.yaml").read_text()
    daemonset = yaml.safe_load(re.sub(r"# (?=- \{name: (notify|NOTIFY))", "", text))
    assert validate(daemonset, version, strict=True) == version
    spec = daemonset["spec"]["template"]["spec"]
    mounts = {each["name"]: each for each in spec["containers"][0]["volumeMounts"]}
    settings = {each["name"]: each.get("value") for each in spec["containers"][0]["env"]}
    assert settings["NOTIFY_URLS_FILE"] == f"{mounts['notify']['mountPath']}/notify-urls"
    assert mounts["notify"]["readOnly"] is True
    (volume,) = [each for each in spec["volumes"] if each["name"] == "notify"]
    assert f"generic {volume['secret']['secretName']} --from-file=notify-urls\n" in text


def test_probes_do_not_depend_on_dstack() -> None:
    """An outage of DStack neither restarts a pod nor removes it from the Service."""
    assert container()["startupProbe"]["httpGet"] == container()["livenessProbe"]["httpGet"]
    assert container()["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "http"}
    assert container()["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}


def test_the_service_routes_to_the_same_node_only() -> None:
    """A worker gets the status of its own node."""
    spec = of_kind("Service")["spec"]
    assert spec["internalTrafficPolicy"] == "Local"
    assert spec["selector"] == pod()["metadata"]["labels"]
    assert spec["ports"][0]["targetPort"] == container()["ports"][0]["name"]


def test_all_objects_select_the_same_pods_and_port() -> None:
    """DaemonSet, PodMonitor and NetworkPolicy use the same labels and port."""
    labels = {"matchLabels": pod()["metadata"]["labels"]}
    assert of_kind("DaemonSet")["spec"]["selector"] == labels
    assert of_kind("PodMonitor")["spec"]["selector"] == labels
    assert of_kind("NetworkPolicy")["spec"]["podSelector"] == labels
    port = container()["ports"][0]["name"]
    assert of_kind("NetworkPolicy")["spec"]["ingress"][0]["ports"][0]["port"] == port
    (endpoint,) = of_kind("PodMonitor")["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] == port


def test_network_policy_allows_workers_and_prometheus_only() -> None:
    """Both directions are restricted: no egress, and ingress from selected pods only."""
    spec = of_kind("NetworkPolicy")["spec"]
    assert sorted(spec["policyTypes"]) == ["Egress", "Ingress"]
    assert spec["egress"] == []
    (rule,) = spec["ingress"]
    assert all("podSelector" in peer for peer in rule["from"])


def test_the_podmonitor_sets_the_job_and_the_instance_of_the_rules() -> None:
    """The job is `dstack-backend`, and the instance is the node, so that series survive a pod."""
    monitor = of_kind("PodMonitor")["spec"]
    assert pod()["metadata"]["labels"][monitor["jobLabel"]] == "dstack-backend"
    rules: list[dict[str, Any]] = monitor["podMetricsEndpoints"][0]["relabelings"]
    assert {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "instance"} in rules
    (drop,) = [each["regex"] for each in rules if each.get("action") == "labeldrop"]
    assert re.fullmatch(drop, "pod")
