"""How many calls DStack receives in a minute from pollers that each request every 10 s."""

import asyncio
import contextlib

from bench.harness import DESIGNS, service
from dstack_backend.testing.simulated_dstack import SimulatedDStack, in_thread

__all__ = ["table"]

POLLERS = (0, 1, 100, 1000)
INTERVAL = 10.0
SECONDS = 60.0


def table() -> list[list[str]]:
    """Measure both designs with each number of pollers, all at the same time."""
    cases = [(design, count) for design in DESIGNS for count in POLLERS]
    dstacks = [SimulatedDStack() for _ in cases]
    with contextlib.ExitStack() as stack:
        ports: list[int] = []
        for (design, _), dstack in zip(cases, dstacks, strict=True):
            remote = stack.enter_context(in_thread(dstack))
            ports.append(stack.enter_context(service(design, remote.url)).port)
        before = [dstack.calls for dstack in dstacks]
        asyncio.run(_poll_all(list(zip(ports, (count for _, count in cases), strict=True))))
        calls = [dstack.calls - first for dstack, first in zip(dstacks, before, strict=True)]
    by_case = dict(zip(cases, calls, strict=True))
    heading = ["calls of DStack in a minute", *(f"{count} pollers" for count in POLLERS)]
    return [heading, *([d, *(str(by_case[d, count]) for count in POLLERS)] for d in DESIGNS)]


async def _poll_all(servers: list[tuple[int, int]]) -> None:
    pollers = [
        _poll(port, number * INTERVAL / count) for port, count in servers for number in range(count)
    ]
    await asyncio.gather(*pollers, asyncio.sleep(SECONDS))


async def _poll(port: int, offset: float) -> None:
    await asyncio.sleep(offset)
    for _ in range(round(SECONDS / INTERVAL)):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        await reader.read()
        writer.close()
        await asyncio.sleep(INTERVAL)
