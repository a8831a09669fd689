"""The base package: the wheel and msgspec in an empty environment, without any extra."""

import json
import os
import shutil
import subprocess
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from msgspec import Struct

from dstack_backend.domain import Status
from tests.contract.kit.examples.backend_process import EXAMPLES, running, wait_for
from tests.contract.process.service import free_port

MAX_SIZE = 5_000_000
"""Bytes of site-packages."""

MONITOR = """
import asyncio, sys
from datetime import timedelta
from pathlib import Path

from dstack_backend.adapters.sqlite_history import SqliteHistory
from dstack_backend.adapters.system_clock import SystemClock
from dstack_backend.app.history.log import HistoryLog
from dstack_backend.app.monitoring.monitor import Monitor
from dstack_backend.domain import CheckPolicy, Gpu, GpuInventory, NodeIdentity
from dstack_backend.testing.fakes import FakeGpuSource, RecordingObserver

async def main() -> None:
    clock = SystemClock()
    history = HistoryLog(lambda: SqliteHistory(Path(sys.argv[1])), timedelta(days=1), clock)
    saving = asyncio.create_task(history.run())
    await asyncio.sleep(0)
    gpu = Gpu(slot="3b:00.0", product_id="10de:2335", description="", is_free=True)
    source, seen = FakeGpuSource([GpuInventory(gpus=(gpu,))]), RecordingObserver()
    policy, identity = CheckPolicy(), NodeIdentity()
    monitor = Monitor(source, clock, policy=policy, identity=identity, observers=[seen, history])
    await monitor.check()
    saving.cancel()
    await asyncio.wait({saving})
    print(monitor.response().body.decode())
    assert len(seen.checks) == 1

asyncio.run(main())
others = sys.modules.keys() & {"httpx", "litestar", "granian", "jinja2", "pytest", "hypothesis"}
assert not others, others
"""


class Installed(Struct, frozen=True):
    """An environment with the base package.

    Attributes:
        python: Its interpreter.
        packages: Its site-packages.
    """

    python: Path
    packages: Path

    def run(self, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run its interpreter to the end."""
        return subprocess.run(
            [str(self.python), "-W", "error", *arguments],
            cwd=cwd,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def _copy_distribution(name: str, target: Path) -> None:
    """Copy an installed distribution, as an install from its wheel would do."""
    for file in distribution(name).files or ():
        source = Path(str(file.locate()))
        if source.suffix != ".pyc" and ".." not in file.parts:
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / file)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Return an empty environment with the wheel and msgspec. It needs no network."""
    folder = tmp_path_factory.mktemp("base")
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    _copy_distribution("msgspec", packages)
    return Installed(folder / "bin" / "python", packages)


def test_base_package_requires_msgspec_only(installed: Installed) -> None:
    """Every other requirement belongs to an extra."""
    (metadata,) = installed.packages.glob("dstack_backend-*.dist-info/METADATA")
    lines = metadata.read_text().partition("\n\n")[0].splitlines()
    required = [line for line in lines if line.startswith("Requires-Dist:")]
    extras = {line.split()[1] for line in lines if line.startswith("Provides-Extra:")}
    assert [line for line in required if "extra ==" not in line] == [
        "Requires-Dist: msgspec<0.23,>=0.22"
    ]
    assert {"server", "nostr", "notify", "testing"} <= extras


def test_base_package_is_small(installed: Installed) -> None:
    """Site-packages are smaller than 5 MB before anything is compiled."""
    files = [file for file in installed.packages.rglob("*") if file.suffix != ".pyc"]
    size = sum(file.stat().st_size for file in files if file.is_file())
    assert size < MAX_SIZE, f"{size / 1e6:.1f} MB"


def test_base_package_runs_monitor_fakes_and_history(installed: Installed, tmp_path: Path) -> None:
    """The history file of the monitor can be read by the command `history`."""
    data = tmp_path / "data"
    done = installed.run("-c", MONITOR, str(data), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "available"
    command = ("-m", "dstack_backend", "history", "--data-dir", str(data))
    shown = installed.run(*command, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "1 GPU, 1 free" in shown.stdout


def test_command_without_its_extra_names_the_extra(installed: Installed, tmp_path: Path) -> None:
    """The command is refused in one line."""
    done = installed.run("-m", "dstack_backend", "serve", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "dstack-backend[server]" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_domain_example_needs_the_base_package_and_werkzeug(
    installed: Installed, tmp_path: Path
) -> None:
    """It answers `/health` over HTTP."""
    for name in ("werkzeug", "markupsafe"):
        _copy_distribution(name, tmp_path / "werkzeug")
    file = tmp_path / "gpus.json"
    file.write_text('{"gpus": []}')
    port = free_port()
    command = (str(EXAMPLES / "domain_in_werkzeug.py"), str(file), str(port))
    python, path = str(installed.python), str(tmp_path / "werkzeug")
    with running(port, *command, python=python, PYTHONPATH=path) as url:
        assert wait_for(Status.AVAILABLE, url).topic == "file-gpu-monitor"
