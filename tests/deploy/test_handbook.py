"""The documents for operators agree with the files of `deploy/`."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.manifests import kustomize, manifests
from tests.deploy.programs import DEPLOY, HANDBOOK, RUNBOOK, documents

ROOT = DEPLOY.parent
INSTALLATION = ("docs/installation.md", "docs/installation.zh-CN.md")


def _text(name: str) -> str:
    return (ROOT / name).read_text()


@pytest.mark.parametrize("name", HANDBOOK)
def test_each_alert_has_a_heading_and_the_severity_of_its_rule(name: str) -> None:
    """Headings and rules are the same set, and the first word is the severity."""
    (rules,) = documents(DEPLOY / "prometheus" / "alerts.yml")
    expected = {
        rule["alert"]: rule["labels"]["severity"]
        for group in rules["groups"]
        for rule in group["rules"]
    }
    assert (
        dict(re.findall(r"^### (Dstack\w+)\n\n(\w+)[.。]", _text(name), re.MULTILINE)) == expected
    )


@pytest.mark.parametrize("name", [*HANDBOOK, *INSTALLATION])
def test_paths_and_make_targets_exist(name: str) -> None:
    """Files below `deploy/`, and targets of the Makefile."""
    text = _text(name)
    paths = set(re.findall(r"\bdeploy/[\w./-]*\w", text))
    assert paths
    assert [path for path in paths if "$" not in path and not (ROOT / path).exists()] == []
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)
    assert all(f"\n{target}:" in makefile for target in targets)


@pytest.mark.parametrize("name", HANDBOOK)
def test_runbook_becomes_an_absolute_url_with_the_command_of_the_document(
    name: str, tmp_path: Path
) -> None:
    """Each alert then has `runbook_url` and no `runbook`."""
    (command,) = re.findall(r"`(sed -i 's\|runbook[^`]+)`", _text(name))
    rules = tmp_path / "alerts.yml"
    shutil.copy(DEPLOY / "prometheus" / "alerts.yml", rules)
    subprocess.run(["/bin/sh", "-ec", command], cwd=tmp_path, check=True, timeout=20)
    for rule in [rule for group in documents(rules)[0]["groups"] for rule in group["rules"]]:
        url = f"https://git.example/dstack-backend/{RUNBOOK}{rule['alert'].lower()}"
        assert rule["annotations"]["runbook_url"] == url
        assert "runbook" not in rule["annotations"]


def test_each_kubectl_command_of_the_documents_has_objects() -> None:
    """Of the Prometheus operator, too, without the other manifests."""
    folders = {
        path
        for name in HANDBOOK
        for path in re.findall(r"kubectl apply .*-k (deploy/[\w./-]*\w)", _text(name))
    }
    assert len(folders) == 2
    assert all(kustomize(ROOT / path) for path in folders)


def test_figures_are_those_of_the_manifests() -> None:
    """Memory, exposure, users and groups are the same in the documents and in `deploy/`."""
    daemonset = str(manifests("unix-socket").only("DaemonSet"))
    for figure in ("10001", "10002", "192Mi", "'maxUnavailable': '5%'", "'minReadySeconds': 30"):
        assert figure in daemonset
    for name in INSTALLATION:
        assert all(figure in _text(name) for figure in ("10001", "1.3"))
    for name in HANDBOOK:
        assert all(figure in _text(name) for figure in ("10001", "10002", "192 MB", "5 %", "30 "))
