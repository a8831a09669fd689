"""What is logged of checks and changes: one record for each change, and a bounded number."""

import json
import logging
from collections.abc import Sequence
from datetime import timedelta

import pytest

from dstack_backend.adapters.log_observer import MAX_GPU_LINES, LogObserver
from dstack_backend.adapters.stdlib_logging import JsonFormatter, TextFormatter
from dstack_backend.domain import (
    Change,
    Check,
    CheckFailure,
    CheckResult,
    Gpu,
    GpuInventory,
    Reason,
    Timestamp,
    assess,
)
from dstack_backend.domain.gpu import (
    GpuState,
    MissingGpu,
    StoredGpus,
    forget,
    interrupt,
    restore,
    track,
)
from dstack_backend.testing.fakes import EPOCH

AT = Timestamp(5.0, EPOCH)
STARTING = assess(CheckFailure(Reason.STARTING))
MAX_GAP = 60.0


def gpu_in(slot: str, product_id: str = "10de:2335", *, is_free: bool = True) -> Gpu:
    """Return a GPU, by default a free H200."""
    return Gpu(slot=slot, product_id=product_id, description="NVIDIA", is_free=is_free)


GPU = gpu_in("3b:00.0")
OTHER = gpu_in("5d:00.0")


class Node:
    """Listings, one every 10 s, each of which a log observer observes."""

    def __init__(self, observer: LogObserver | None = None) -> None:
        """Start before the first check."""
        self.observer = observer or LogObserver()
        self._now = AT
        self._state: GpuState | None = None

    def list(self, *gpus: Gpu) -> None:
        """Finish a check that lists GPUs."""
        self._now += 10.0
        self._set(track(self._state, GpuInventory(gpus=gpus), self._now, MAX_GAP))

    def fail(self) -> None:
        """Finish a check that fails."""
        assert self._state
        self._state = interrupt(self._state)

    def lose(self, *gpus: Gpu) -> None:
        """List GPUs once, and only another one from then on."""
        self.list(OTHER, *gpus)
        self.list(OTHER)
        self.list(OTHER)

    def remember(self, missing: Sequence[Gpu]) -> None:
        """Continue an earlier process that lost GPUs an hour ago."""
        lost = tuple(MissingGpu(gpu, EPOCH - timedelta(hours=1)) for gpu in missing)
        self._set(restore(self._state, StoredGpus(missing=lost), EPOCH))

    def forget(self, slot: str) -> None:
        """Forget a missing GPU."""
        assert self._state
        self._set(forget(self._state, [slot]))

    def _set(self, state: GpuState) -> None:
        self._state = state
        self.observer.on_gpus(state)


def seen(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str, str]]:
    """Return level, slot, change and message of the records since the last call."""
    records = [json.loads(JsonFormatter().format(each)) for each in caplog.records]
    caplog.clear()
    return [
        (each["level"], each.get("gpu", ""), each.get("change", ""), each["message"])
        for each in records
    ]


@pytest.mark.parametrize(
    ("after", "level", "line"),
    [
        (
            CheckFailure(Reason.TIMED_OUT, "no answer within 5 s"),
            "WARNING",
            "unavailable (timed_out): Connection error: no answer within 5 s",
        ),
        (GpuInventory(gpus=(GPU,)), "INFO", "available: 1 GPU, 1 free"),
        (GpuInventory(), "WARNING", f"available: {assess(GpuInventory()).message}"),
    ],
)
def test_change_is_logged_with_its_reason(
    after: CheckResult, level: str, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As a warning where the node is unavailable, or available without a GPU."""
    caplog.set_level(logging.INFO, "dstack_backend")
    LogObserver().on_change(Change(AT, STARTING, assess(after)))
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == (level, line)
    fields = json.loads(JsonFormatter().format(record))
    assert (fields["status"], fields["reason"]) == (assess(after).status, assess(after).reason)


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (GpuInventory(), "check finished in 2.000 s: ok"),
        (
            CheckFailure(Reason.TIMED_OUT),
            f"check finished in 2.000 s: {Reason.TIMED_OUT.summary}",
        ),
    ],
)
def test_check_is_logged_at_level_debug(
    result: CheckResult, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A failure may repeat every few seconds."""
    caplog.set_level(logging.DEBUG, "dstack_backend")
    LogObserver().on_check(Check(result=result, started=3.0, finished=AT))
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("DEBUG", line)


def test_loss_and_return_are_logged_once_each(caplog: pytest.LogCaptureFixture) -> None:
    """The loss is a warning, with when the GPU was last seen. A check without a change is none."""
    caplog.set_level(logging.INFO, "dstack_backend")
    node = Node()
    node.lose(GPU)
    node.list(OTHER)
    assert seen(caplog) == [
        (
            "warning",
            "3b:00.0",
            "lost",
            "GPU lost: H200 SXM 141GB in 3b:00.0, last seen 2026-01-01 00:00:10 UTC",
        )
    ]
    node.list(OTHER, GPU)
    node.list(OTHER, GPU)
    assert seen(caplog) == [
        (
            "info",
            "3b:00.0",
            "found",
            "GPU returned: H200 SXM 141GB in 3b:00.0, missing since 2026-01-01 00:00:10 UTC",
        )
    ]


@pytest.mark.parametrize(
    ("after", "level", "change", "start"),
    [
        ([GPU, OTHER], "info", "found", "GPU found: H200 SXM 141GB in 5d:00.0"),
        ([gpu_in("3b:00.0", "10de:2330")], "warning", "replaced", "GPU replaced: H100 SXM5 80GB"),
        ([gpu_in("3b:00.0", is_free=False)], "debug", "allocated", "GPU allocated: H200 SXM"),
    ],
)
def test_other_changes_have_the_level_of_their_kind(
    after: list[Gpu], level: str, change: str, start: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Another model in a slot is a warning: the node type may differ. Use is at level debug."""
    caplog.set_level(logging.DEBUG, "dstack_backend")
    node = Node()
    node.list(GPU)
    node.list(*after)
    ((*codes, message),) = seen(caplog)
    assert codes == [level, after[-1].slot, change]
    assert message.startswith(start)


def test_lines_about_gpus_are_bounded_for_each_check(caplog: pytest.LogCaptureFixture) -> None:
    """The most severe come first, and one line counts the others."""
    caplog.set_level(logging.DEBUG, "dstack_backend")
    many = [gpu_in(f"{number:02x}:01.0") for number in range(100)]
    node = Node()
    node.list(OTHER, *many)
    node.list(OTHER, *many[:80])
    node.list(gpu_in("5d:00.0", is_free=False), *many[:80])
    records = seen(caplog)
    assert [each[:3] for each in records[:-1]] == [
        ("warning", gpu.slot, "lost") for gpu in many[80 : 80 + MAX_GPU_LINES]
    ]
    assert records[-1] == ("warning", "", "", "and 5 more changes of GPUs")


def test_use_that_is_not_logged_does_not_count(caplog: pytest.LogCaptureFixture) -> None:
    """At level info a busy node has no line for its allocations, and none that counts them."""
    caplog.set_level(logging.INFO, "dstack_backend")
    slots = [f"{number:02x}:00.0" for number in range(100)]
    node = Node()
    node.list(*map(gpu_in, slots))
    node.list(*(gpu_in(slot, is_free=False) for slot in slots))
    assert seen(caplog) == []


@pytest.mark.parametrize("checks_before", [0, 1])
def test_gpus_that_an_earlier_process_lost_are_named_once(
    checks_before: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether the history is read before or after the first check. What is back is not missing."""
    caplog.set_level(logging.INFO, "dstack_backend")
    node = Node()
    for _ in range(checks_before):
        node.list(OTHER)
    node.remember([GPU, OTHER])
    for _ in range(3):
        node.list(OTHER)
    records = seen(caplog)
    assert sorted(each[:3] for each in records) == [
        ("info", "5d:00.0", "found"),
        ("warning", "", ""),
    ]
    (warning,) = (message for level, *_, message in records if level == "warning")
    assert warning == (
        "GPUs still missing since before this start: "
        "H200 SXM 141GB in 3b:00.0, last seen 2025-12-31 23:00:00 UTC"
    )


def test_warning_about_earlier_losses_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """It names some, and counts the others."""
    caplog.set_level(logging.WARNING, "dstack_backend")
    node = Node()
    node.remember([gpu_in(f"{number:02x}:01.0") for number in range(1000)])
    node.list(OTHER)
    ((level, *_, message),) = seen(caplog)
    assert level == "warning"
    assert message.count("H200") == MAX_GPU_LINES
    assert message.endswith("; and 984 more")


def test_forgotten_gpus_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Also while the checks fail: then the next good one shows it."""
    caplog.set_level(logging.INFO, "dstack_backend")
    node = Node()
    node.lose(GPU)
    seen(caplog)
    node.forget("3b:00.0")
    forgotten = "GPU forgotten: H200 SXM 141GB in 3b:00.0, last seen 2026-01-01 00:00:10 UTC"
    assert seen(caplog) == [("info", "3b:00.0", "forgotten", forgotten)]
    node.lose(GPU)
    seen(caplog)
    node.fail()
    node.forget("3b:00.0")
    node.list(OTHER)
    node.list(OTHER)
    assert [each[:3] for each in seen(caplog)] == [("info", "3b:00.0", "forgotten")]


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
@pytest.mark.parametrize("slot", ["", "\x1b[2J\r\n\x00", "\u202egnol", "x" * 1_000_000])
def test_hostile_slots_stay_one_short_printable_line(
    slot: str, formatter: logging.Formatter, caplog: pytest.LogCaptureFixture
) -> None:
    """In the message and in the fields."""
    caplog.set_level(logging.WARNING, "dstack_backend")
    Node().lose(gpu_in(slot, slot))
    (record,) = caplog.records
    line = formatter.format(record)
    assert line.isprintable()
    assert len(line) < 1000
