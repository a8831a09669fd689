"""Every fault and every hostile answer over every transport, with the real process."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from dstack_backend.testing.faults import FAULTS, HOSTILE_ANSWERS
from dstack_backend.testing.simulated_dstack import Remote, SimulatedDStack, in_thread
from tests.contract.process.certificates import server_context
from tests.contract.process.service import Service, wait_until
from tests.faults.support.arena import LONGEST_ANSWER, MOST_MEMORY, Arena
from tests.faults.support.messages import TIMEOUT, message
from tests.faults.support.polling import Poller

Note = Callable[[str], None]
Match = tuple[Arena, Remote]


@pytest.fixture(scope="module", params=["tcp", "unix", "tls"])
def match(
    request: pytest.FixtureRequest,
    serve_module: Callable[..., Service],
    poll: Callable[[Service], Poller],
    authority: trustme.CA,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Match]:
    """A service and its DStack on each transport."""
    folder = tmp_path_factory.mktemp("matrix")
    path: Path | None = folder / "vmm.sock" if request.param == "unix" else None
    env = {"CHECK_INTERVAL": "0.1", "CHECK_TIMEOUT": str(TIMEOUT)}
    tls = None
    if request.param == "tls":
        tls = server_context(authority.issue_cert("127.0.0.1"))
        authority.cert_pem.write_to_path(folder / "ca.pem")
        env["DSTACK_CA_FILE"] = str(folder / "ca.pem")
    with in_thread(SimulatedDStack(), path, tls) as dstack:
        service = serve_module(DSTACK_URL=dstack.url, **env)
        poller = poll(service)
        yield Arena(service, poller), dstack
        poller.close()
        service.kill()


@pytest.mark.parametrize("name", FAULTS)
def test_fault_has_its_reason_and_leaves_no_trace(match: Match, name: str) -> None:
    """Code and message, prompt answers meanwhile, bounded memory, no leak, recovery."""
    arena, dstack = match
    fault = FAULTS[name]
    arena.endure(
        lambda: setattr(dstack.dstack, "behaviour", fault.behaviour),
        lambda: setattr(dstack.dstack, "behaviour", None),
        fault.reason,
        message(name),
    )


@pytest.mark.parametrize("name", HOSTILE_ANSWERS)
def test_hostile_answer_leaves_no_trace(match: Match, name: str) -> None:
    """It counts as an inventory, `/health` stays prompt, memory bounded, nothing stays open."""
    arena, dstack = match
    before = dstack.dstack.calls
    arena.watch(
        lambda: setattr(dstack.dstack, "behaviour", HOSTILE_ANSWERS[name]),
        lambda: wait_until(lambda: dstack.dstack.calls > before + 1),
        lambda: setattr(dstack.dstack, "behaviour", None),
    )


def test_twenty_crashes_and_returns_leave_no_trace(match: Match) -> None:
    """Each crash and each return is seen, and no resource is leaked."""
    arena, dstack = match
    for _ in range(20):
        dstack.crash()
        wait_until(lambda: arena.service.status()["reason"])
        dstack.revive()
        arena.service.wait_for(None)
    arena.watch(lambda: None, lambda: None, lambda: None)


def test_answers_were_prompt_and_memory_was_bounded(match: Match, note: Note) -> None:
    """In all tests above: the slowest answer, and the largest memory of the process."""
    arena, _ = match
    note(
        f"worst answer {arena.worst * 1000:.0f} ms in {arena.worst_of}, "
        f"most memory {arena.service.most_memory() / 1024**2:.0f} MB"
    )
    assert arena.worst < LONGEST_ANSWER
    assert arena.service.most_memory() < MOST_MEMORY
    assert "Traceback" not in arena.service.log
    assert " ERROR " not in arena.service.log
