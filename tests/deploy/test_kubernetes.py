"""The manifests of each overlay are valid and consistent, and the pod has the least privileges."""

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
from tests.deploy.manifests import FOLDER, OPERATOR, OVERLAYS, Manifests, manifests
from tests.deploy.programs import DEPLOY, HANDBOOK, documents, run
from tools import prometheus_rules

VERSIONS = ("1.29", "1.33", "1.37")
"""Versions of Kubernetes whose strict schemas kubernetes-validate contains: old, middle, new."""

SECRETS = {
    "tcp-token": {"/run/secrets/dstack": "dstack-token"},
    "notifications": {"/run/secrets/notify": "dstack-notify"},
    "documented": {"/run/secrets/dstack": "dstack-token", "/run/secrets/notify": "dstack-notify"},
}
ON_SOCKET = {"unix-socket", "notifications"}


@pytest.fixture(params=OVERLAYS)
def made(request: pytest.FixtureRequest) -> Manifests:
    """Return the objects of an overlay."""
    return manifests(request.param)


def _schema(kind: str) -> Any:
    return json.loads((Path(__file__).parent / f"{kind.lower()}.schema.json").read_text())


def test_each_object_is_valid_and_in_the_namespace(made: Manifests) -> None:
    """By the strict schemas, in which an unknown field is an error."""
    namespace = made.only("Namespace")["metadata"]["name"]
    for each in made.objects:
        if each["kind"] != "Namespace":
            assert each["metadata"]["namespace"] == namespace
        if each["kind"] in OPERATOR:
            jsonschema.validate(each, _schema(each["kind"]))
        else:
            assert all(validate(each, version, strict=True) == version for version in VERSIONS)


def test_the_strict_schemas_reject_an_unknown_field() -> None:
    """Otherwise the test above would prove nothing."""
    broken = copy.deepcopy(manifests("unix-socket").only("DaemonSet"))
    broken["spec"]["template"]["spec"]["containers"][0]["livenessProb"] = {}
    with pytest.raises(ValidationError):
        validate(broken, VERSIONS[-1], strict=True)
    for kind in OPERATOR:
        (known, *_) = manifests("documented").of_kind(kind)
        jsonschema.validate(known, _schema(kind))
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(
                {**known, "spec": {**known["spec"], "interal": "1s"}}, _schema(kind)
            )


def test_each_file_is_named_by_the_kustomization_beside_it() -> None:
    """A file that none names is never applied."""
    for path in FOLDER.rglob("kustomization.yaml"):
        (content,) = documents(path)
        named = {
            *content.get("resources", []),
            *(each["path"] for each in content.get("patches", [])),
        }
        beside = {file.name for file in path.parent.iterdir() if file.is_file()}
        assert {name for name in named if "/" not in name} == beside - {path.name}


def test_the_overlays_have_their_objects(made: Manifests) -> None:
    """Without the types of the Prometheus operator, which many clusters do not have."""
    kinds = [each["kind"] for each in made.objects]
    assert kinds.count("NetworkPolicy") == 1 + len(SECRETS.get(made.name, {}))
    assert {*kinds} >= {"Namespace", "Service", "DaemonSet", "NetworkPolicy"}
    assert (made.name == "documented") is not {*kinds}.isdisjoint(OPERATOR)
    image = made.container["image"]
    assert image.removeprefix("registry.example/") == f"dstack-backend:{__version__}"


def test_the_pod_fulfils_the_restricted_standard(made: Manifests) -> None:
    """All of Pod Security's `restricted` except for hostPath, which history and socket need."""
    spec, context = made.pod["spec"], made.container["securityContext"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert "privileged" not in context
    assert "runAsUser" not in context
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys()
    assert "hostPort" not in str(made.container["ports"])
    assert {name for each in spec["volumes"] for name in each} <= {"name", "hostPath", "secret"}


def test_the_pod_has_least_privileges(made: Manifests) -> None:
    """No service account, a read-only file system, a memory limit, and the user of the image."""
    spec = made.pod["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert made.container["securityContext"]["readOnlyRootFilesystem"] is True
    assert made.container["resources"]["limits"].keys() == {"memory"}
    context = spec["securityContext"]
    dockerfile = (DEPLOY.parent / "Dockerfile").read_text()
    assert f"\nUSER {context['runAsUser']}:{context['runAsGroup']}\n" in dockerfile
    assert context.get("supplementalGroups", []) == ([10002] if made.name in ON_SOCKET else [])


def test_the_pod_mounts_only_what_it_needs(made: Manifests) -> None:
    """All but its data is read-only; files of Secrets can be read by its group only."""
    volumes = made.volumes
    assert len(volumes) == len(made.pod["spec"]["volumes"])
    assert [path for path, each in volumes.items() if not each["readOnly"]] == ["/data"]
    secrets = {path: each["secret"] for path, each in volumes.items() if "secret" in each}
    assert {path: each["secretName"] for path, each in secrets.items()} == SECRETS.get(
        made.name, {}
    )
    assert all(each["defaultMode"] == 0o440 for each in secrets.values())
    context = made.pod["spec"]["securityContext"]
    assert context["fsGroup"] == context["runAsGroup"]
    assert ("/run/dstack" in volumes) == (made.name in ON_SOCKET)


def test_the_settings_are_known_and_their_files_are_mounted(made: Manifests) -> None:
    """The node has the name that Kubernetes gives it: the host name of a pod is that of the pod."""
    settings = made.settings(spec_nodeName="gpu-07", status_hostIP="2001:db8::7")
    assert settings.keys() - {"HOST_IP"} <= {each.variable for each in SETTINGS}
    assert settings["NODE_NAME"] == "gpu-07"
    assert settings["DATA_DIR"] == "/data"
    url = "unix:/run/dstack/vmm.sock" if made.name in ON_SOCKET else "http://[2001:db8::7]:19060"
    assert settings["DSTACK_URL"] == url
    files = [value for name, value in settings.items() if name.endswith("_FILE")]
    assert {str(Path(file).parent) for file in files} == SECRETS.get(made.name, {}).keys()
    # The comment of a component and the documents create the Secret with the key that it needs.
    for file in files:
        secret = made.volumes[str(Path(file).parent)]["secret"]["secretName"]
        command = f"kubectl -n dstack create secret generic {secret} --from-file={Path(file).name}"
        texts = [path.read_text() for path in (FOLDER / "components").rglob("kustomization.yaml")]
        assert sum(command in text for text in texts) == 1
        assert all(command in (DEPLOY.parent / path).read_text() for path in HANDBOOK)


def test_probes_do_not_depend_on_dstack(made: Manifests) -> None:
    """An outage of DStack neither restarts a pod nor removes it from the Service."""
    assert made.container["startupProbe"]["httpGet"] == made.container["livenessProbe"]["httpGet"]
    assert made.container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "http"}
    assert made.container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}


def test_the_service_routes_to_the_same_node_only(made: Manifests) -> None:
    """A worker gets the status of its own node."""
    spec = made.only("Service")["spec"]
    assert spec["internalTrafficPolicy"] == "Local"
    assert spec["selector"] == made.pod["metadata"]["labels"]
    assert spec["ports"][0]["targetPort"] == made.container["ports"][0]["name"]


def test_all_objects_select_the_same_pods_and_port(made: Manifests) -> None:
    """DaemonSet, PodMonitor and NetworkPolicy use the same labels and port."""
    labels = {"matchLabels": made.pod["metadata"]["labels"]}
    port = made.container["ports"][0]["name"]
    assert made.only("DaemonSet")["spec"]["selector"] == labels
    for policy in made.of_kind("NetworkPolicy"):
        assert policy["spec"]["podSelector"] == labels
        assert all(each["ports"][0]["port"] == port for each in policy["spec"].get("ingress", []))
    for monitor in made.of_kind("PodMonitor"):
        assert monitor["spec"]["selector"] == labels
        assert [each["port"] for each in monitor["spec"]["podMetricsEndpoints"]] == [port]


def test_the_podmonitor_sets_the_job_and_the_instance_of_the_rules() -> None:
    """The job is `dstack-backend`, and the instance is the node, so that series survive a pod."""
    made = manifests("documented")
    monitor = made.only("PodMonitor")["spec"]
    assert made.pod["metadata"]["labels"][monitor["jobLabel"]] == "dstack-backend"
    rules: list[dict[str, Any]] = monitor["podMetricsEndpoints"][0]["relabelings"]
    assert {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "instance"} in rules
    (drop,) = [each["regex"] for each in rules if each.get("action") == "labeldrop"]
    assert re.fullmatch(drop, "pod")


def test_the_rules_of_the_operator_are_those_of_the_files(tmp_path: Path) -> None:
    """`make rules` writes them. Promtool accepts what the operator gives to Prometheus."""
    assert prometheus_rules.OBJECTS.read_text() == prometheus_rules.objects()
    found = {
        each["metadata"]["name"]: each["spec"]
        for each in manifests("documented").of_kind("PrometheusRule")
    }
    assert found.keys() == {"dstack-backend-alerts", "dstack-backend-recording"}
    for name, spec in found.items():
        file = f"{name.removeprefix('dstack-backend-')}.yml"
        assert [spec] == documents(DEPLOY / "prometheus" / file)
        (tmp_path / file).write_text(json.dumps(spec))
    checked = run("promtool", "check", "rules", *map(str, tmp_path.iterdir()))
    assert checked.returncode == 0, checked.stdout + checked.stderr
