"""What the real process remembers of the GPUs: killed, restarted, on a full disk."""

import contextlib
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dstack_backend.adapters.sqlite_history import read_history, request_forget
from dstack_backend.domain.gpu import StoredGpus
from dstack_backend.domain.history import EntryKind, HistoryEntry, HistoryError
from dstack_backend.testing.simulated_dstack import EIGHT_H200, Remote
from tests.contract.process.service import Service, wait_until

HEARTBEAT = 10.0
LOST = EIGHT_H200[3]
OTHERS = tuple(gpu for gpu in EIGHT_H200 if gpu is not LOST)


class Node:
    """The service on one folder, started again and again."""

    def __init__(self, serve: Callable[..., Service], dstack: Remote, data: Path) -> None:
        self.data = data
        self.simulated = dstack.dstack
        self._serve = serve
        self._settings = {"DSTACK_URL": dstack.url, "DATA_DIR": str(data)}

    def start(self, history: str = "on") -> Service:
        """Start the service, and wait until it is available."""
        self.service = self._serve(CHECK_INTERVAL="0.2", HISTORY=history, **self._settings)
        self.service.wait_for(None)
        return self.service

    def lose(self) -> None:
        """Take a GPU away."""
        self.simulated.gpus = OTHERS

    def check(self, count: int = 4) -> None:
        """Wait for so many checks."""
        calls = self.simulated.calls
        wait_until(lambda: self.simulated.calls >= calls + count)

    def saved(self, *missing: str, count: int = 7) -> bool:
        """Return whether these GPUs are missing and so many present, as is saved."""
        with contextlib.suppress(HistoryError):
            gpus = read_history(self.data).gpus or StoredGpus()
            found = [each.gpu.slot for each in gpus.missing]
            return found == list(missing) and len(gpus.present) == count
        return False

    def events(self) -> list[HistoryEntry]:
        """Return the entries of GPUs that are saved."""
        return [each for each in read_history(self.data).entries if each.gpu]


@pytest.fixture
def node(serve: Callable[..., Service], dstack: Remote, tmp_path: Path) -> Node:
    """A node with eight GPUs whose service has not started."""
    return Node(serve, dstack, tmp_path / "data")


def test_lost_gpu_is_remembered_after_kill_9(node: Node) -> None:
    """With one entry for the loss, and one for the return in a later process."""
    service = node.start()
    wait_until(lambda: node.saved(count=8))
    node.lose()
    wait_until(lambda: node.saved(LOST.slot))
    service.kill()
    service = node.start()
    node.check()
    assert node.saved(LOST.slot)
    service.kill()
    node.simulated.gpus = EIGHT_H200
    node.start()
    wait_until(lambda: node.saved(count=8))
    lost, found = node.events()
    assert (lost.kind, found.kind) == (EntryKind.GPU_LOST, EntryKind.GPU_FOUND)
    assert lost.gpu
    assert found.gpu
    assert lost.gpu.last_seen == found.gpu.last_seen


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_gpu_that_is_gone_after_a_stop_is_lost(node: Node, how: signal.Signals) -> None:
    """It was last seen when the earlier process last was: it had been listed until then."""
    service = node.start()
    wait_until(lambda: node.saved(count=8))
    ended = time.time()
    service.end(how)
    node.lose()
    node.start()
    wait_until(lambda: node.saved(LOST.slot))
    (lost,) = node.events()
    assert lost.gpu
    assert lost.gpu.last_seen
    precision = HEARTBEAT if how == signal.SIGKILL else 1.0
    assert ended - precision <= lost.gpu.last_seen.timestamp() <= ended + 3.0


def test_outage_of_dstack_loses_no_gpu(node: Node, dstack: Remote) -> None:
    """Nor does a restart of the service during it."""
    service = node.start()
    wait_until(lambda: node.saved(count=8))
    dstack.crash()
    service.wait_for("connection_refused")
    dstack.revive()
    service.wait_for(None)
    node.check()
    dstack.crash()
    service.wait_for("connection_refused")
    service.kill()
    dstack.revive()
    service = node.start()
    node.check()
    service.end()
    assert node.saved(count=8)
    assert node.events() == []


def test_missing_gpu_is_forgotten_while_the_service_runs(node: Node) -> None:
    """Within a heartbeat; it neither returns after a restart nor is lost again."""
    service = node.start()
    wait_until(lambda: node.saved(count=8))
    node.lose()
    wait_until(lambda: node.saved(LOST.slot))
    request_forget(node.data, LOST.slot)
    wait_until(node.saved, HEARTBEAT + 5)
    assert read_history(node.data).forget_requests == ()
    service.kill()
    service = node.start()
    node.check()
    service.end()
    assert node.saved()
    assert [each.kind for each in node.events()] == [EntryKind.GPU_LOST]
    assert "WARNING" not in service.log


def test_missing_gpu_is_forgotten_by_the_next_start(node: Node) -> None:
    """The request waits in the file."""
    service = node.start()
    wait_until(lambda: node.saved(count=8))
    node.lose()
    wait_until(lambda: node.saved(LOST.slot))
    service.end()
    request_forget(node.data, LOST.slot)
    assert read_history(node.data).forget_requests == (LOST.slot,)
    node.start()
    wait_until(node.saved)
    assert read_history(node.data).forget_requests == ()


def test_history_off_remembers_until_the_end(node: Node) -> None:
    """A missing GPU is reported by this process alone, and nothing is written."""
    for missing in ([LOST.slot], []):
        service = node.start(history="off")
        node.lose()
        node.check(10)
        assert [each["slot"] for each in service.status()["missing"]] == missing
        service.kill()
    assert not node.data.exists()


def test_full_disk_forgets_no_gpu(node: Node) -> None:
    """The loss is saved once there is room, so that a process after a kill knows it."""
    service = node.start()
    wait_until(lambda: node.saved(count=8))
    _, limit = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (4096, limit))
    node.lose()
    wait_until(lambda: "the history cannot be saved" in service.log)
    node.check(10)
    assert node.saved(count=8)
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (limit, limit))
    wait_until(lambda: node.saved(LOST.slot), HEARTBEAT + 5)
    service.kill()
    service = node.start()
    node.check()
    service.end()
    assert node.saved(LOST.slot)
    assert [each.kind for each in node.events()] == [EntryKind.GPU_LOST]
