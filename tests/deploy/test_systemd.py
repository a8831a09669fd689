"""The systemd unit is valid, hardened to a figure, and its settings are ours."""

import re
import sys
from pathlib import Path

import pytest

from dstack_backend.app.config.settings import SETTINGS, load
from tests.deploy.programs import DEPLOY, run

FOLDER = DEPLOY / "systemd"
UNIT = (FOLDER / "dstack-backend.service").read_text()
ENVIRONMENT = (FOLDER / "dstack-backend.env").read_text()

MOST_EXPOSED = 1.3
"""Of 10; below 2 systemd calls it OK. What is left is the network, which is what it is for."""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with a program that is there: pipx has not installed ours on this machine."""
    path = tmp_path / "dstack-backend.service"
    path.write_text(
        re.sub(r"^ExecStart=.*$", f"ExecStart={sys.executable}", UNIT, flags=re.MULTILINE)
    )
    return path


def test_the_unit_is_valid(unit: Path) -> None:
    """Systemd finds neither a fault nor a directive that it does not know."""
    verified = run("systemd-analyze", "verify", "--man=no", str(unit))
    # Units of the machine itself may have faults; ours may not.
    said = [line for line in verified.stderr.splitlines() if unit.name in line]
    assert said == []
    assert verified.returncode == 0, verified.stderr


def test_a_directive_that_is_misspelt_would_be_found(unit: Path) -> None:
    """So that the test above means something."""
    unit.write_text(unit.read_text().replace("ProtectHome=", "ProtectHoem="))
    assert "ProtectHoem" in run("systemd-analyze", "verify", "--man=no", str(unit)).stderr


def test_the_unit_is_hardened(unit: Path) -> None:
    """Its exposure, as systemd reckons it, stays where it is."""
    threshold = f"--threshold={MOST_EXPOSED * 10:.0f}"
    said = run("systemd-analyze", "security", "--offline=true", threshold, "--no-pager", str(unit))
    assert said.returncode == 0, said.stdout + said.stderr
    assert "Overall exposure level" in said.stdout


@pytest.mark.parametrize(
    "line",
    [
        "DynamicUser=yes",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "CapabilityBoundingSet=",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
        "SystemCallFilter=@system-service",
        "StateDirectory=dstack-backend",
        "SupplementaryGroups=dstack",
        "MemoryMax=256M",
        "Restart=on-failure",
        "RestartPreventExitStatus=2",
    ],
)
def test_the_unit_holds_what_the_handbook_promises(line: str) -> None:
    """Each of them word for word."""
    assert f"\n{line}\n" in UNIT


def test_the_state_folder_is_the_data_folder() -> None:
    """What systemd makes for the service is where it keeps its history."""
    assert "Environment=DATA_DIR=%S/dstack-backend" in UNIT


def test_the_example_of_an_environment_is_understood() -> None:
    """What is set in it is a setting of ours with a right value; what stands as a comment, too."""
    known = {setting.variable: setting.default for setting in SETTINGS}
    given = dict(re.findall(r"^([A-Z_]+)=(.+)$", ENVIRONMENT, re.MULTILINE))
    assert given
    load(given, {})
    shown = dict(re.findall(r"^# ([A-Z_]+)=(.+)$", ENVIRONMENT, re.MULTILINE))
    assert shown == {name: known[name] for name in shown}
    assert {"LISTEN_ADDR", "CHECK_INTERVAL", "DSTACK_URL"} <= shown.keys()
    assert "DSTACK_TOKEN=" not in ENVIRONMENT
