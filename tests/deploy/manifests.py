"""The Kubernetes objects that `kubectl kustomize` makes from the overlays."""

import re
import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from msgspec import Struct

from tests.deploy.programs import DEPLOY, run

__all__ = ["FOLDER", "GUIDES", "OPERATOR", "OVERLAYS", "Manifests", "kustomize", "manifests"]

FOLDER = DEPLOY / "kubernetes"
GUIDES = [DEPLOY.parent / "docs" / name for name in ("fleet.md", "fleet.zh-CN.md")]

OPERATOR = ("PodMonitor", "PrometheusRule")
"""Kinds of the Prometheus operator, whose schemas are not those of Kubernetes."""

DOCUMENTED = "documented"
"""The kustomization in the documents: TCP with a token, and all other components."""

OVERLAYS = [*sorted(path.name for path in (FOLDER / "overlays").iterdir()), DOCUMENTED]


class Manifests(Struct, frozen=True):
    """The objects of one overlay.

    Attributes:
        name: That of the overlay.
        objects: The objects in the order of `kubectl`.
    """

    name: str
    objects: list[dict[str, Any]]

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """Return the objects of a kind."""
        return [each for each in self.objects if each["kind"] == kind]

    def only(self, kind: str) -> dict[str, Any]:
        """Return the only object of a kind."""
        (found,) = self.of_kind(kind)
        return found

    @property
    def pod(self) -> dict[str, Any]:
        """The pod template of the DaemonSet."""
        template: dict[str, Any] = self.only("DaemonSet")["spec"]["template"]
        return template

    @property
    def container(self) -> dict[str, Any]:
        """The only container of the pod."""
        only: dict[str, Any]
        (only,) = self.pod["spec"]["containers"]
        return only

    @property
    def volumes(self) -> dict[str, dict[str, Any]]:
        """The volumes by the paths at which they are mounted."""
        volumes = {each["name"]: each for each in self.pod["spec"]["volumes"]}
        return {
            each["mountPath"]: volumes[each["name"]] | {"readOnly": each.get("readOnly", False)}
            for each in self.container["volumeMounts"]
        }

    def settings(self, **fields: str) -> dict[str, str]:
        """Return the environment, as the kubelet makes it from fields of the pod."""
        environment: dict[str, str] = {}
        for each in self.container["env"]:
            field = each.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            value = fields[field.replace(".", "_")] if field else each["value"]
            # A variable that is defined later is not replaced.
            value = re.sub(r"\$\((\w+)\)", lambda match: environment.get(match[1], match[0]), value)
            environment[each["name"]] = value
        return environment


def kustomize(folder: Path) -> list[dict[str, Any]]:
    """Return the objects of a kustomization; fail where kubectl writes a warning, too."""
    built = run("kubectl", "kustomize", str(folder))
    assert (built.returncode, built.stderr) == (0, ""), built.stderr
    return list(yaml.safe_load_all(built.stdout))


@cache
def manifests(name: str) -> Manifests:
    """Return the objects of an overlay, or of the documented kustomization."""
    if name != DOCUMENTED:
        return Manifests(name, kustomize(FOLDER / "overlays" / name))
    (example,) = {
        block
        for path in GUIDES
        for block in re.findall(r"^```yaml\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)
        if "kind: Kustomization" in block
    }
    with TemporaryDirectory() as folder:
        (Path(folder) / "kustomization.yaml").write_text(example)
        shutil.copytree(FOLDER, Path(folder) / "dstack-backend" / "deploy" / "kubernetes")
        return Manifests(name, kustomize(Path(folder)))
