"""The workflows agree with the project. Their form is checked by `make workflows`."""

import re
from pathlib import Path
from typing import Any

import yaml

from tools.lock import supported_pythons

ROOT = Path(__file__).parents[4]
WORKFLOWS = {path.name: path.read_text() for path in (ROOT / ".github" / "workflows").glob("*.yml")}


def _jobs(workflow: str) -> dict[str, Any]:
    jobs: dict[str, Any] = yaml.safe_load(WORKFLOWS[workflow])["jobs"]
    return jobs


def test_ci_runs_with_each_supported_python() -> None:
    """A release of Python is added to the classifiers and to the matrix."""
    assert _jobs("ci.yml")["check"]["strategy"]["matrix"]["python"] == supported_pythons()


def test_workflows_run_targets_of_the_makefile() -> None:
    """What a job runs is written once, and a renamed target is noticed here."""
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        target
        for text in WORKFLOWS.values()
        for target in re.findall(r"run: make (?:--silent )?([a-z0-9-]+)", text)
    }
    named.update(_jobs("faults.yml")["tests"]["strategy"]["matrix"]["target"])
    assert {"check", "build", "release-check", "faults", "bench"} <= named
    assert named <= targets


def test_only_a_tag_can_publish() -> None:
    """No job of another workflow may write, get an identity or read a secret."""
    assert yaml.safe_load(WORKFLOWS["release.yml"])[True] == {"push": {"tags": ["v*"]}}  # `on:`
    for name in WORKFLOWS.keys() - {"release.yml"}:
        for job in _jobs(name).values():
            assert job["permissions"] == {"contents": "read"}, name
            assert "environment" not in job, name
    assert not [name for name, text in WORKFLOWS.items() if "secrets." in text]


def _artifacts(job: dict[str, Any], action: str) -> list[str | None]:
    steps = [step for step in job.get("steps", ()) if f"/{action}@" in step.get("uses", "")]
    return [step.get("with", {}).get("name") for step in steps]


def test_each_download_names_an_artifact_of_a_job_before_it() -> None:
    """Without a name all are downloaded, and Docker's build record is none that can be."""
    jobs = _jobs("release.yml")
    downloads = {name: _artifacts(job, "download-artifact") for name, job in jobs.items()}
    assert downloads["pypi"]
    assert downloads["release"]
    for name, artifacts in downloads.items():
        before = [_artifacts(jobs[each], "upload-artifact") for each in jobs[name].get("needs", ())]
        assert set(artifacts) <= {each for uploaded in before for each in uploaded}, name
