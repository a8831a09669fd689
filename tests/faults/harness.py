"""A program: the service with another DStack, another clock or intervals that no setting allows.

`STAGE_ORDERS` names a file; what stands in it is what the DStack does at its next call:
good, raise, cancel, cancel-task, hang, deaf, block SECONDS ORDER.
`STAGE_DSTACK=real` keeps the real DStack, `STAGE_INTERVAL` is an interval without a lower limit,
`STAGE_CLOCK=jumping` sets the wall clock back and forth, `STAGE_DESCRIPTORS` is the limit of them.
"""

import asyncio
import contextlib
import itertools
import os
import resource
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from dependency_injector import providers
from msgspec.structs import replace

from dstack_backend.adapters.system_clock import SystemClock
from dstack_backend.app.config.settings import Settings, load
from dstack_backend.app.container import Container
from dstack_backend.app.monitoring.wakeup import NullWatcher
from dstack_backend.app.server.serve import run
from dstack_backend.domain import CheckResult, GpuInventory

YEARS = (1970, 2026, 2100, 2001)
FOREVER = 86400.0


class OrderedDStack:
    """Does what the file of orders says. Most of that breaks the port's promises."""

    def __init__(self, orders: Path) -> None:
        """Keep where the orders are."""
        self._orders = orders

    async def list_gpus(self) -> CheckResult:
        """Read the order and follow it."""
        return await self._follow(self._orders.read_text().split())

    async def _follow(self, words: list[str]) -> CheckResult:
        match words:
            case ["raise"]:
                raise RuntimeError("a broken promise")
            case ["cancel"]:
                raise asyncio.CancelledError
            case ["cancel-task"]:
                task = asyncio.current_task()
                assert task
                task.cancel()
            case ["hang"]:
                await asyncio.sleep(FOREVER)
            case ["deaf"]:
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
    """A machine's clocks whose wall clock is set anew at each look at it."""

    def __init__(self) -> None:
        """Begin in the past."""
        self._years = itertools.cycle(YEARS)

    def utc(self) -> datetime:
        """Give the first of January of some year."""
        return datetime(next(self._years), 1, 1, tzinfo=UTC)


def build(settings: Settings) -> Container:
    """Build the service, with what the environment asks for in other places."""
    container = Container(settings=settings)
    if os.environ.get("STAGE_DSTACK") != "real":
        dstack = OrderedDStack(Path(os.environ["STAGE_ORDERS"]))
        container.dstack.override(providers.Object(dstack))  # pyright: ignore[reportUnknownMemberType] - the library's
        container.watcher.override(providers.Factory(NullWatcher))  # pyright: ignore[reportUnknownMemberType] - the library's
    if os.environ.get("STAGE_CLOCK") == "jumping":
        container.clock.override(providers.Singleton(JumpingClock))  # pyright: ignore[reportUnknownMemberType] - the library's
    return container


def read_settings() -> Settings:
    """Read the settings, and the interval that they would not allow."""
    settings = load(os.environ, {})
    if interval := os.environ.get("STAGE_INTERVAL"):
        return replace(settings, policy=replace(settings.policy, interval=float(interval)))
    return settings


def main() -> NoReturn:
    """Serve until a signal comes."""
    if count := os.environ.get("STAGE_DESCRIPTORS"):
        resource.setrlimit(resource.RLIMIT_NOFILE, (int(count), int(count)))
    settings = read_settings()
    run(settings, build(settings))


if __name__ == "__main__":
    main()
