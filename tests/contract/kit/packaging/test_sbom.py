"""The bill of materials: what the image installs, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from dstack_backend import __version__
from tools.lock import SERVICE
from tools.sbom import write


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the file."""
    output = tmp_path_factory.mktemp("sbom") / "new" / "sbom.json"
    write(output)
    return output.read_bytes()


@pytest.fixture(scope="module")
def sbom(written: bytes) -> Any:
    """Return its content."""
    return json.loads(written)


def _locked() -> dict[str, str]:
    """Return the version of each package that the lock installs on this machine."""
    lines = [each for each in SERVICE.read_text().splitlines() if "==" in each]
    locked = [Requirement(each.rstrip("\\ ")) for each in lines]
    return {
        each.name: str(each.specifier).removeprefix("==")
        for each in locked
        if each.marker is None or each.marker.evaluate()
    }


def test_contains_each_package_of_the_image(sbom: Any) -> None:
    """Its package URL is what scanners look up."""
    found = {each["purl"] for each in sbom["components"]}
    assert found == {f"pkg:pypi/{name}@{version}" for name, version in _locked().items()}


def test_describes_the_service(sbom: Any) -> None:
    """Its main component is the service, with what it needs directly."""
    main = sbom["metadata"]["component"]
    assert (main["name"], main["version"]) == ("dstack-backend", __version__)
    assert [each["license"]["id"] for each in main["licenses"]] == ["MIT"]
    needs = {each["ref"]: each.get("dependsOn", []) for each in sbom["dependencies"]}
    assert f"msgspec=={_locked()['msgspec']}" in needs[main["bom-ref"]]


def test_is_the_same_each_time(written: bytes, tmp_path: Path) -> None:
    """A difference between two files is a difference between two locks."""
    write(tmp_path / "again.json", is_validated=False)
    assert (tmp_path / "again.json").read_bytes() == written
