"""Lists of GPUs that are short, in another order, huge or hostile: no false loss, and bounds."""

import itertools
import json
import random
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec
import pytest

from dstack_backend.domain import Gpu
from dstack_backend.testing.faults.behaviours import writes
from dstack_backend.testing.simulated_dstack import EIGHT_H200, Remote, http_answer
from tests.contract.process.service import Service, wait_until
from tests.faults.support.arena import LONGEST_ANSWER
from tests.faults.support.polling import Poller
from tests.faults.support.process import MEGABYTE

Serve = Callable[..., Service]
Poll = Callable[[Service], Poller]

SEVEN = EIGHT_H200[1:]
ONE_SHORT = [EIGHT_H200[:n] + EIGHT_H200[n + 1 :] for n in range(8)]
MANY = 20_000
MAX_GROWTH = 12 * MEGABYTE
"""Of memory, by 30 checks. A list of 20,000 GPUs is 2 MB of JSON, and more as objects."""

HOSTILE_SLOTS = (
    "".join(map(chr, range(0x20))) + "\x7f\x9b31m",
    "\x1b[2J\x1b]0;title\x07",
    "\r\n2026-01-01T00:00:00.000Z INFO    all is well",
    "\u202egnol yrev\u2066\ufeff\u2028",
    "<script>alert(1)</script>\"'",
    "x" * 1_000_000,
    *("", "", "3b:00.0", "3b:00.0", "3b:00.0"),
)


class Listings:
    """Lists that a DStack answers with, one for each request; `None` is an error.

    Attributes:
        times: When it was asked, in seconds.
    """

    def __init__(self, dstack: Remote, lists: Iterable[Sequence[Gpu] | None]) -> None:
        """Answer with them from now on."""
        self._lists = iter(lists)
        self.times: list[float] = []
        dstack.dstack.behaviour = writes(self._answer)

    def _answer(self) -> bytes:
        self.times.append(time.monotonic())
        gpus = next(self._lists)
        return http_answer(400 if gpus is None else 200, msgspec.json.encode({"gpus": gpus}))

    def wait(self, count: int) -> None:
        """Wait until so many requests have come."""
        wait_until(lambda: len(self.times) >= count, seconds=25)


def _hostile(slot: str) -> Gpu:
    return Gpu(slot=slot, product_id=slot[:300], description=slot, is_free=True)


def _assert_no_loss(service: Service) -> None:
    assert "GPU lost" not in service.log
    status = service.status()
    assert (status["degraded"], status["missing"]) == (False, [])


@pytest.mark.parametrize(
    ("lists", "early"),
    [
        (itertools.cycle((EIGHT_H200, EIGHT_H200, SEVEN)), [2, 5, 8]),
        (itertools.chain([EIGHT_H200], itertools.cycle(ONE_SHORT)), [1]),
    ],
    ids=["now-and-then", "each-time-another"],
)
def test_short_lists_lose_no_gpu(
    lists: Iterable[Sequence[Gpu]], early: list[int], dstack: Remote, serve: Serve
) -> None:
    """A short one after one that was not short costs one check at most, which comes 1 s later."""
    interval, count = 1.5, 10
    asked = Listings(dstack, lists)
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL=str(interval))
    asked.wait(count)
    _assert_no_loss(service)
    pauses = [after - before for before, after in itertools.pairwise(asked.times[:count])]
    assert [n for n, pause in enumerate(pauses) if pause < interval - 0.1] == early, pauses
    assert min(pauses) > 0.9


def test_gpus_in_another_order_are_no_change(dstack: Remote, serve: Serve) -> None:
    """Neither a loss nor a replacement, and no extra check."""
    shuffle = random.Random(1)  # noqa: S311 - not for cryptography
    mixed = [*EIGHT_H200, EIGHT_H200[0], msgspec.structs.replace(EIGHT_H200[0], product_id="x")]
    orders = (shuffle.sample(mixed, len(mixed)) for _ in itertools.count())
    asked = Listings(dstack, orders)
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="0.1", LOG_LEVEL="debug")
    asked.wait(60)
    _assert_no_loss(service)
    assert "GPU" not in service.log.replace("10 GPUs", "")


def test_crash_of_dstack_loses_no_gpu(dstack: Remote, serve: Serve) -> None:
    """Nor does a first list after it that is short: lspci may fail while the host starts."""
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="0.3")
    service.wait_for(None)
    for _ in range(4):
        dstack.crash()
        service.wait_for("connection_refused")
        asked = Listings(dstack, itertools.chain([SEVEN], itertools.repeat(EIGHT_H200)))
        dstack.revive()
        service.wait_for(None)
        asked.wait(4)
    _assert_no_loss(service)


def test_error_between_two_short_lists_begins_anew(dstack: Remote, serve: Serve) -> None:
    """A loss counts after two good checks in a row."""
    lists = (EIGHT_H200, SEVEN, None, SEVEN, EIGHT_H200)
    asked = Listings(dstack, itertools.cycle(lists))
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="0.2")
    asked.wait(6 * len(lists))
    assert service.log.count("unavailable (http_error)") > 3
    _assert_no_loss(service)


def test_20000_gpus_with_other_slots_at_each_check_are_bounded(
    dstack: Remote, serve: Serve, poll: Poll, note: Callable[[str], None]
) -> None:
    """In memory, in the log and in `/status`. Changes of the status stay in the history."""
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="0.3")
    service.wait_for(None)
    dstack.crash()
    service.wait_for("connection_refused")
    gpu = {**msgspec.structs.asdict(EIGHT_H200[0]), "slot": "SLOT"}
    slots = [f"NUMBER{number:04x}:00:00.0" for number in range(MANY)]
    text = json.dumps({"gpus": [{**gpu, "slot": slot} for slot in slots]}).encode()
    times: list[float] = []

    def answer() -> bytes:
        times.append(time.monotonic())
        return http_answer(200, text.replace(b"NUMBER", b"%x" % (len(times) % 4096)))

    dstack.dstack.behaviour = writes(answer)
    dstack.revive()
    poller = poll(service)
    wait_until(lambda: len(times) > 10, seconds=15)
    before = service.memory()
    wait_until(lambda: len(times) > 40, seconds=20)
    grown = service.memory() - before
    seen = poller.seen()
    note(f"{grown / MEGABYTE:.1f} MB more after 30 checks; /health within {seen.worst:.3f} s")
    seen.assert_prompt(LONGEST_ANSWER)
    assert grown < MAX_GROWTH
    assert len(service.status()["missing"]) <= 1024
    assert service.log.count("\n") < 20 * len(times) + 20
    assert "more changes of GPUs" in service.log
    dstack.dstack.behaviour = None
    assert _statuses(service) == ["available", "unavailable", "available"]


def _statuses(service: Service) -> list[str]:
    """Return the changes of the status in the history, the last one first."""
    found: list[str] = []
    path: str | None = "history?limit=1000"
    while path:
        page = service.ask(f"/{path}").json()
        found += [each["after"] for each in page["entries"] if each["after"]]
        path = page["next"]
    return found


def test_hostile_slots_reach_no_output_as_they_are(
    dstack: Remote, serve: Serve, tmp_path: Path
) -> None:
    """Lost, remembered over a `kill -9`, and listed again: text is bounded and printable."""
    (data := tmp_path / "data").mkdir()
    env = {"HISTORY": "on", "DATA_DIR": str(data), "CHECK_INTERVAL": "0.2"}
    hostile = [*EIGHT_H200, *map(_hostile, HOSTILE_SLOTS)]
    dstack.dstack.gpus = hostile
    first = serve(DSTACK_URL=dstack.url, **env)
    first.wait_for(None)
    dstack.dstack.gpus = SEVEN
    missing = len(HOSTILE_SLOTS) + 1
    wait_until(lambda: len(first.status()["missing"]) == missing)
    _assert_clean(first)
    wait_until(lambda: _is_saved(data))
    first.kill()
    second = serve(DSTACK_URL=dstack.url, **env)
    wait_until(lambda: len(second.status().get("missing", ())) == missing)
    wait_until(lambda: "GPUs still missing since before this start" in second.log)
    _assert_clean(second)
    dstack.dstack.gpus = hostile
    wait_until(lambda: not second.status()["missing"])
    assert "GPU returned" in second.log
    dstack.dstack.gpus = SEVEN
    wait_until(lambda: second.status()["missing"])
    _assert_clean(second)


def _is_saved(data: Path) -> bool:
    """Return whether the file of the history, or its log, has a missing GPU."""
    return any(b'"last_seen":' in file.read_bytes() for file in data.iterdir())


def _assert_clean(service: Service) -> None:
    lines = service.log.splitlines()
    assert all(line.isprintable() and len(line) < 20_000 for line in lines)
    assert all(line.split()[1] in {"INFO", "WARNING"} for line in lines), lines
    for path in ("/status", "/history", "/gpus", "/metrics"):
        body = service.ask(path).body
        assert len(body) < 200_000, path
        assert all(byte >= ord(" ") or byte == ord("\n") for byte in body), path
