"""The real process against every fault and every hostile answer: truthful, tight-lipped, small."""

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
TIMEOUT = 1.5
MEGABYTE = 1024 * 1024
PAGES = ("/", "/health", "/livez", "/readyz", "/status", "/metrics")

# Of what ends by its deadline only a few: the others are told apart in test_dstack_faults.
SLOW = ("trickled-headers", "endless-informational", "endless-tiny-chunks")
MET: dict[str, tuple[Behaviour, Reason | None]] = {
    **{
        name: (fault.behaviour, fault.reason)
        for name, fault in FAULTS.items()
        if fault.reason is not Reason.TIMED_OUT or name in SLOW
    },
    **{name: (behaviour, None) for name, behaviour in HOSTILE_ANSWERS.items()},
}

# Of the hostile answers' own texts; only `/health` and `/status` show descriptions.
TEXTS = ("<script>", "evil", "all is well", "\x1b", "\u202e", "xxxxxxxxxx", "[[[[")


class Ordeal:
    """What was seen from outside while DStack did its worst.

    Attributes:
        service: The service; DStack is well again.
        dstack: That DStack.
        answers: What `/health` said, a sentence or `available`.
        pages: All pages, as they were seen, each with its name.
        most_memory: The most memory that the service had, in bytes.
    """

    def __init__(self, service: Service, dstack: Remote) -> None:
        """Begin to look."""
        self.service = service
        self.dstack = dstack
        self.answers: Counter[str] = Counter()
        self.pages: list[tuple[str, bytes]] = []
        self.most_memory = 0

    def look(self) -> None:
        """Read each page, and how large the service is."""
        answer = self.service.ask("/health")
        info = check_answer(answer.code, answer.body)
        self.answers["available" if answer.code == 200 else info.metadata] += 1
        self.pages.append(("/health", answer.body))
        for page in PAGES:
            if page != "/health":
                self.pages.append((page, self.service.ask(page).body))
        self.most_memory = max(self.most_memory, self.service.memory())


@pytest.fixture(scope="module")
def ordeal(serve_module: Callable[..., Service]) -> Iterator[Ordeal]:
    """One service, put through all of it, each fault in one check, each good answer in eight."""
    over = threading.Event()
    # A good answer stays for some checks, or a look could miss it.
    to_come = iter(
        [behaviour for behaviour, reason in MET.values() for _ in range(1 if reason else 8)]
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
        seen = Ordeal(service, remote)
        deadline = time.monotonic() + 90
        while not over.is_set() and time.monotonic() < deadline:
            seen.look()
            time.sleep(0.05)
        yield seen
        service.kill()


def _counted(metrics: str) -> dict[str, int]:
    pattern = r'^dstack_backend_checks_total\{reason="(\w*)",result="\w+"\} (\d+)'
    return {reason: int(count) for reason, count in re.findall(pattern, metrics, re.MULTILINE)}


def test_each_fault_was_counted_under_its_reason(ordeal: Ordeal) -> None:
    """Each check met one fault, and ended with the reason that is the fault's own."""
    wait_until(lambda: ordeal.service.status()["reason"] is None)
    expected = Counter(str(reason) for _, reason in MET.values() if reason)
    expected[str(Reason.CONNECTION_CLOSED)] += 1  # the end of the row
    counted = _counted(ordeal.service.ask("/metrics").body.decode())
    assert {key: count for key, count in counted.items() if key and count > 0} == expected
    assert counted[""] >= len(HOSTILE_ANSWERS)


def test_it_is_alive_truthful_and_healthy_again(ordeal: Ordeal) -> None:
    """After all of it the service says what is, and has said both before."""
    ordeal.service.wait_for(None)
    assert ordeal.service.status()["inventory"]["gpu_count"] == 8
    assert ordeal.answers["available"] > 0
    assert len(ordeal.answers) > 5


def test_it_stays_under_200_megabytes(ordeal: Ordeal) -> None:
    """Endless bodies, bombs, deep nesting and 20,000 GPUs cost no memory to speak of."""
    ordeal.look()
    assert ordeal.most_memory < 200 * MEGABYTE
    assert ordeal.service.most_memory() < 200 * MEGABYTE, "nor between two looks"


def test_nothing_that_dstack_said_of_itself_is_shown(ordeal: Ordeal) -> None:
    """Error bodies, headers, unknown fields and broken answers go nowhere; nor does our token."""
    address = ordeal.dstack.url.removeprefix("http://")
    for page, body in ordeal.pages:
        text = body.decode()
        assert not any(part in text for part in ("canary", "10.66.77", CANARY)), page
        assert TOKEN not in text, page
        assert address not in text, page


def test_texts_of_gpus_are_shown_with_the_gpus_only(ordeal: Ordeal) -> None:
    """Descriptions stand in the inventory; `/` and `/metrics` have none of them."""
    for page, body in ordeal.pages:
        if page not in ("/health", "/status"):
            assert not any(text in body.decode() for text in TEXTS), page


def test_the_log_is_clean(ordeal: Ordeal) -> None:
    """Whole printable lines of our own; DStack's address once, at the start; no traceback."""
    log = ordeal.service.log
    first, *rest = log.splitlines()
    assert ordeal.dstack.url in first
    assert all(line.isprintable() for line in rest)
    assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z (DEBUG|INFO|WARNING) ", line) for line in rest)
    unwanted = ("canary", TOKEN, ordeal.dstack.url, "Traceback", "Error(", *TEXTS)
    assert not [line for line in rest if any(part in line for part in unwanted)]


def test_series_are_bounded(ordeal: Ordeal) -> None:
    """No answer makes series without end: the largest page is hardly larger than the smallest."""
    lines = [body.count(b"\n") for page, body in ordeal.pages if page == "/metrics"]
    assert max(lines) < min(lines) + 20


def test_a_metadata_of_many_gpus_is_served_whole(ordeal: Ordeal) -> None:
    """The largest answer that was seen is complete."""
    largest: Any = max((body for page, body in ordeal.pages if page == "/health"), key=len)
    assert len(largest) > MEGABYTE
