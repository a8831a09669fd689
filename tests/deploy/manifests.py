"""The Kubernetes manifests that the kustomization lists."""

from typing import Any

from tests.deploy.programs import DEPLOY, documents

__all__ = ["FILES", "KUSTOMIZATION", "OBJECTS", "container", "of_kind", "pod"]

FOLDER = DEPLOY / "kubernetes"
FILES = sorted(FOLDER.glob("*.yaml"))
(KUSTOMIZATION,) = documents(FOLDER / "kustomization.yaml")
OBJECTS: list[dict[str, Any]] = [
    each for name in KUSTOMIZATION["resources"] for each in documents(FOLDER / name)
]


def of_kind(kind: str) -> dict[str, Any]:
    """Return the only object of a kind."""
    (found,) = [each for each in OBJECTS if each["kind"] == kind]
    return found


def pod() -> dict[str, Any]:
    """Return the pod template of the DaemonSet."""
    template: dict[str, Any] = of_kind("DaemonSet")["spec"]["template"]
    return template


def container() -> dict[str, Any]:
    """Return the only container of the pod."""
    only: dict[str, Any]
    (only,) = pod()["spec"]["containers"]
    return only
