"""The real process with every fault and every hostile answer: status, disclosure, memory."""

import asyncio
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dstack_backend.domain import Reason
from dstack_backend.testing.contracts import check_answer
from dstack_backend.testing.faults import CANARY, FAULTS, HOSTILE_ANSWERS
from dstack_backend.testing.simulated_dstack import (
    Behaviour,
    Remote,
    Request,
    SimulatedDStack,
    in_thread,
)
from tests.contract.process.service import Service, wait_until

TOKEN = "token-9f1c-canary"
TIMEOUT = 2.5
LONGEST_LINE = 1500
MEGABYTE = 1024 * 1024
PAGES = ("/", "/health", "/livez", "/readyz", "/status", "/metrics")

# A few of the faults that end by the timeout: test_dstack_faults has all of them.
SLOW = ("trickled-headers", "endless-informational", "endless-tiny-chunks")
BEHAVIOURS: dict[str, tuple[Behaviour, Reason | None]] = {
    **{
        name: (fault.behaviour, fault.reason)
        for name, fault in FAULTS.items()
        if fault.reason is not Reason.TIMED_OUT or name in SLOW
    },
    **{name: (behaviour, None) for name, behaviour in HOSTILE_ANSWERS.items()},
}

# Of the hostile answers' own texts; only `/health` and `/status` show descriptions.
TEXTS = ("<script>", "evil", "all is well", "\x1b", "\u202e", "xxxxxxxxxx", "[[[[")


class Observation:
    """What the service returned while DStack misbehaved.

    Attributes:
        service: The service. DStack works again.
        dstack: The DStack.
        answers: How often `/health` had each message, or `available`.
        pages: All bodies, each with its path.
        most_memory: The largest memory of the service, in bytes.
    """

    def __init__(self, service: Service, dstack: Remote) -> None:
        """Start with nothing seen."""
        self.service = service
        self.dstack = dstack
        self.answers: Counter[str] = Counter()
        self.pages: list[tuple[str, bytes]] = []
        self.most_memory = 0

    def look(self) -> None:
        """Read each page and the memory of the service."""
        answer = self.service.ask("/health")
        info = check_answer(answer.code, answer.body)
        self.answers["available" if answer.code == 200 else info.metadata] += 1
        self.pages.append(("/health", answer.body))
        for page in PAGES:
            if page != "/health":
                self.pages.append((page, self.service.ask(page).body))
        self.most_memory = max(self.most_memory, self.service.memory())


@pytest.fixture(scope="module")
def observation(serve_module: Callable[..., Service]) -> Iterator[Observation]:
    """One service with all of them: each fault in one check, each good answer in eight."""
    over = threading.Event()
    # A good answer is repeated, or a look could miss it.
    to_come = iter(
        [behaviour for behaviour, reason in BEHAVIOURS.values() for _ in range(1 if reason else 8)]
    )

    async def one_after_the_other(request: Request, writer: asyncio.StreamWriter) -> None:
        behave = next(to_come, None)
        if behave is None:
            dstack.behaviour = None
            over.set()
            writer.close()
        else:
            await behave(request, writer)

    dstack = SimulatedDStack()
    dstack.behaviour = one_after_the_other
    with in_thread(dstack) as remote:
        service = serve_module(
            DSTACK_URL=remote.url,
            DSTACK_TOKEN=TOKEN,
            CHECK_INTERVAL="0.1",
            CHECK_TIMEOUT=str(TIMEOUT),
            LOG_LEVEL="debug",
        )
        seen = Observation(service, remote)
        deadline = time.monotonic() + 90
        while not over.is_set() and time.monotonic() < deadline:
            seen.look()
            time.sleep(0.05)
        yield seen
        service.kill()


def _counted(metrics: str) -> dict[str, int]:
    pattern = r'^dstack_backend_checks_total\{reason="(\w*)",result="\w+"\} (\d+)'
    return {reason: int(count) for reason, count in re.findall(pattern, metrics, re.MULTILINE)}


def test_each_fault_is_counted_under_its_reason(observation: Observation) -> None:
    """Each check had one fault, and ended with its reason."""
    wait_until(lambda: observation.service.status()["reason"] is None)
    expected = Counter(str(reason) for _, reason in BEHAVIOURS.values() if reason)
    expected[str(Reason.CONNECTION_CLOSED)] += 1  # the end of the faults
    counted = _counted(observation.service.ask("/metrics").body.decode())
    assert {key: count for key, count in counted.items() if key and count > 0} == expected
    assert counted[""] >= len(HOSTILE_ANSWERS)


def test_service_is_available_again(observation: Observation) -> None:
    """Afterwards the status is right; meanwhile it was both."""
    observation.service.wait_for(None)
    assert observation.service.status()["inventory"]["gpu_count"] == 8
    assert observation.answers["available"] > 0
    assert len(observation.answers) > 5


def test_memory_stays_under_200_megabytes(observation: Observation) -> None:
    """With endless bodies, bombs, deep nesting and 20,000 GPUs."""
    observation.look()
    assert observation.most_memory < 200 * MEGABYTE
    assert observation.service.most_memory() < 200 * MEGABYTE, "nor between two measurements"


def test_text_of_dstack_and_the_token_are_not_disclosed(observation: Observation) -> None:
    """No page contains error bodies, headers, unknown fields, broken answers or the token."""
    address = observation.dstack.url.removeprefix("http://")
    for page, body in observation.pages:
        text = body.decode()
        assert not any(part in text for part in ("canary", "10.66.77", CANARY)), page
        assert TOKEN not in text, page
        assert address not in text, page


def test_texts_of_gpus_are_in_the_inventory_only(observation: Observation) -> None:
    """`/` and `/metrics` have no descriptions."""
    for page, body in observation.pages:
        if page not in ("/health", "/status"):
            assert not any(text in body.decode() for text in TEXTS), page


def test_log_has_whole_lines_without_text_of_dstack(observation: Observation) -> None:
    """Printable lines; the address of DStack once, at the start; no traceback.

    Lines about single GPUs name the slot and the model, up to a length.
    """
    log = observation.service.log
    first, *rest = log.splitlines()
    assert observation.dstack.url in first
    assert all(line.isprintable() for line in rest)
    assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z (DEBUG|INFO|WARNING) ", line) for line in rest)
    unwanted = ("canary", TOKEN, observation.dstack.url, "Traceback", "Error(")
    assert not [line for line in rest if any(part in line for part in unwanted)]
    about_gpus = [line for line in rest if " GPU" in line]
    assert max(map(len, about_gpus)) < LONGEST_LINE
    others = [line for line in rest if line not in about_gpus]
    assert not [line for line in others if any(text in line for text in TEXTS)]


def test_number_of_series_is_bounded(observation: Observation) -> None:
    """At most 64 slots have series of their own: information, three states, two counters."""
    lines = [body.count(b"\n") for page, body in observation.pages if page == "/metrics"]
    assert max(lines) < min(lines) + 64 * 6 + 50


def test_metadata_of_many_gpus_is_complete(observation: Observation) -> None:
    """The largest answer exceeds a megabyte."""
    largest: Any = max((body for page, body in observation.pages if page == "/health"), key=len)
    assert len(largest) > MEGABYTE
