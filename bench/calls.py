"""How many calls DStack gets in a minute from so many pollers, each of which asks every 10 s."""

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
    with contextlib.ExitStack() as stack:
        stages: dict[tuple[str, int], tuple[SimulatedDStack, int]] = {}
        for design in DESIGNS:
            for pollers in POLLERS:
                dstack = SimulatedDStack()
                remote = stack.enter_context(in_thread(dstack))
                running = stack.enter_context(service(design, remote.url))
                stages[design, pollers] = dstack, running.port
        before = {key: dstack.calls for key, (dstack, _) in stages.items()}
        asyncio.run(_poll_all([(port, pollers) for (_, pollers), (_, port) in stages.items()]))
        calls = {key: dstack.calls - before[key] for key, (dstack, _) in stages.items()}
    heading = ["calls of DStack in a minute", *(f"{n} pollers" for n in POLLERS)]
    return [heading, *([d, *(str(calls[d, n]) for n in POLLERS)] for d in DESIGNS)]


async def _poll_all(stages: list[tuple[int, int]]) -> None:
    pollers = [
        _poll(port, number * INTERVAL / count) for port, count in stages for number in range(count)
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
