"""A program: the service with another source, another clock or intervals below the minimum.

`HARNESS_ORDERS` names a file. Its text is what the source does at the next call:
good, flap, raise, cancel, cancel-task, hang, uncancellable, block SECONDS ORDER.
`HARNESS_SOURCE=dstack` keeps DStack as the source, `HARNESS_INTERVAL` is an interval without a
lower limit, `HARNESS_CLOCK=jumping` changes the wall clock by decades, `HARNESS_CLOCK=FILE` sets
it to an impossible year while the file exists, `HARNESS_DESCRIPTORS` is the limit of open files.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import resource
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from msgspec.structs import replace

from dstack_backend.adapters.system_clock import SystemClock
from dstack_backend.app.config.settings import Settings, load, load_dstack
from dstack_backend.app.container import Container
from dstack_backend.app.monitoring.wakeup import NullWatcher
from dstack_backend.app.server.serve import run
from dstack_backend.domain import CheckFailure, CheckResult, GpuInventory, Reason

YEARS = (1970, 2026, 2100, 2001)
FOREVER = 86400.0


class OrderedSource:
    """A source that does what a file says. Most of it violates the port."""

    def __init__(self, orders: Path) -> None:
        self._orders = orders
        results = (GpuInventory(), CheckFailure(Reason.CONNECTION_REFUSED))
        self._flaps: Iterator[CheckResult] = itertools.cycle(results)

    async def list_gpus(self) -> CheckResult:
        """Read the order and do it."""
        return await self._follow(self._orders.read_text().split())

    async def _follow(self, words: list[str]) -> CheckResult:
        match words:
            case ["flap"]:
                return next(self._flaps)
            case ["raise"]:
                raise RuntimeError("a violation of the port")
            case ["cancel"]:
                raise asyncio.CancelledError
            case ["cancel-task"]:
                task = asyncio.current_task()
                assert task
                task.cancel()
            case ["hang"]:
                await asyncio.sleep(FOREVER)
            case ["uncancellable"]:
                while True:
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.sleep(FOREVER)
            case ["block", seconds, *then]:
                time.sleep(float(seconds))  # noqa: ASYNC251 - that is the fault
                return await self._follow(then)
            case _:
                pass
        await asyncio.sleep(0)
        return GpuInventory()


class JumpingClock(SystemClock):
    """A clock whose wall clock changes at each call."""

    def __init__(self) -> None:
        self._years = itertools.cycle(YEARS)

    def utc(self) -> datetime:
        """Return the first of January of the next of `YEARS`."""
        return datetime(next(self._years), 1, 1, tzinfo=UTC)


class ImpossibleClock(SystemClock):
    """A wall clock at a year that Python cannot represent while a file exists."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark
        logging.setLogRecordFactory(self._record)

    def _read(self) -> None:
        if self._mark.exists():
            raise OverflowError("timestamp too large to convert to C _PyTime_t")

    def _record(self, *arguments: Any, **options: Any) -> logging.LogRecord:
        """Return a record, which contains the time."""
        self._read()
        return logging.LogRecord(*arguments, **options)

    def utc(self) -> datetime:
        """Return the time, or raise what `datetime.now` and `time.time` raise then."""
        self._read()
        return super().utc()


def build(settings: Settings) -> Container:
    """Return the service with the replacements that the environment asks for."""
    providers: dict[str, object] = {}
    if os.environ.get("HARNESS_SOURCE") != "dstack":
        providers["source"] = OrderedSource(Path(os.environ["HARNESS_ORDERS"]))
        providers["watcher"] = NullWatcher()
    if os.environ.get("HARNESS_CLOCK") == "jumping":
        providers["clock"] = JumpingClock()
    elif mark := os.environ.get("HARNESS_CLOCK"):
        providers["clock"] = ImpossibleClock(Path(mark))
    dstack_settings = load_dstack(os.environ, {})
    return Container(settings=settings, dstack_settings=dstack_settings, **providers)


def read_settings() -> Settings:
    """Return the settings, with an interval that may be below the minimum."""
    settings = load(os.environ, {})
    if interval := os.environ.get("HARNESS_INTERVAL"):
        return replace(settings, policy=replace(settings.policy, interval=float(interval)))
    return settings


def main() -> NoReturn:
    """Serve until a signal."""
    if count := os.environ.get("HARNESS_DESCRIPTORS"):
        resource.setrlimit(resource.RLIMIT_NOFILE, (int(count), int(count)))
    run(build(read_settings()))


if __name__ == "__main__":
    main()
