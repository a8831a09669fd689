"""How costs grow with the number of GPUs, and with the number of open connections."""

import asyncio
import contextlib
import statistics
import time
import timeit
from functools import partial

from bench.harness import get, pss, service
from dstack_backend.adapters.httpx_dstack.decode import decode_listing
from dstack_backend.domain import CheckFailure, Gpu, assess, encode_health
from dstack_backend.testing.simulated_dstack import SimulatedDStack, in_thread

__all__ = ["check", "connections_table", "gpu", "gpus_table"]

GPUS = (1, 8, 100, 1000, 10_000)
CONNECTIONS = (1, 10, 100, 1000, 2000)
REQUESTS = 200


def gpus_table() -> list[list[str]]:
    """Measure a check's CPU time (decode, assess, encode), the size of `/health`, and memory."""
    rows = [["GPUs", "CPU time of a check", "per GPU", "bytes of /health", "memory"]]
    for count in GPUS:
        dstack = SimulatedDStack([gpu(number) for number in range(count)])
        with in_thread(dstack) as remote, service("dstack-backend", remote.url) as running:
            while get(running.url)[0] != 200:
                time.sleep(0.05)
            _, body = get(running.url)
            listing = get(remote.url + "/prpc/ListGpus?json")[1]
            repeats = max(3, 20_000 // count)
            work = partial(check, listing)
            seconds = min(timeit.repeat(work, number=repeats, repeat=5)) / repeats
            rows.append(
                [
                    f"{count:,}",
                    f"{seconds * 1e6:,.0f} µs",
                    f"{seconds / count * 1e6:.2f} µs",
                    f"{len(body):,}",
                    f"{pss(running.pid):.1f} MB",
                ]
            )
    return rows


def connections_table() -> list[list[str]]:
    """Measure memory and the latency of one poller beside idle connections."""
    rows = [["open connections", "memory", "p50", "p99"]]
    with in_thread(SimulatedDStack()) as remote, service("dstack-backend", remote.url) as running:
        rows += [
            [f"{count:,}", *asyncio.run(_beside(count, running.port, running.pid))]
            for count in CONNECTIONS
        ]
    return rows


async def _beside(count: int, port: int, pid: int) -> list[str]:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(count):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
            writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")  # stays open
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        stack.callback(writer.close)
        seconds: list[float] = []
        for _ in range(REQUESTS):
            start = time.perf_counter()
            writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"}")
            seconds.append(time.perf_counter() - start)
        cuts = statistics.quantiles(seconds, n=100)
        return [f"{pss(pid):.1f} MB", f"{cuts[49] * 1000:.2f} ms", f"{cuts[98] * 1000:.2f} ms"]


def check(listing: bytes) -> None:
    """Do what a check does with an answer of DStack, without tracking."""
    result = decode_listing(listing)
    if isinstance(result, CheckFailure):
        raise TypeError(result.message)
    encode_health(assess(result))


def gpu(number: int) -> Gpu:
    """Return a GPU with a slot of its own."""
    return Gpu(
        slot=f"{number >> 8:04x}:{number & 255:02x}:00.0",
        product_id="10de:2335",
        description="NVIDIA Corporation GH100 [H200 SXM 141GB]",
        is_free=number % 2 == 0,
    )
