"""The single-flight cache."""

import asyncio

import pytest

from dstack_backend.adapters.litestar_http.cache import SingleFlightCache


class _Computation:
    """Counts its runs; each run waits until it is released."""

    def __init__(self) -> None:
        self.runs = 0
        self.error: Exception | None = None
        self.may_finish = asyncio.Event()

    async def __call__(self) -> int:
        self.runs += 1
        run = self.runs
        await self.may_finish.wait()
        if self.error:
            raise self.error
        return run


def test_concurrent_callers_share_one_computation() -> None:
    """A caller that is cancelled does not cancel it for the others."""

    async def scenario() -> tuple[list[int], int]:
        cache, computation = SingleFlightCache[int](10.0), _Computation()
        callers = [asyncio.create_task(cache.get("key", computation)) for _ in range(5)]
        await asyncio.sleep(0)
        callers[0].cancel()
        computation.may_finish.set()
        return await asyncio.gather(*callers[1:]), computation.runs

    assert asyncio.run(scenario()) == ([1, 1, 1, 1], 1)


@pytest.mark.parametrize(
    ("seconds", "key", "runs"), [(9.9, "key", 1), (10.0, "key", 2), (0.0, "other", 2)]
)
def test_a_value_is_computed_again_when_too_old_or_of_another_key(
    seconds: float, key: str, runs: int
) -> None:
    """The age counts from the start of the computation."""
    times = [100.0]

    async def scenario() -> int:
        cache, computation = SingleFlightCache[int](10.0, lambda: times[0]), _Computation()
        computation.may_finish.set()
        await cache.get("key", computation)
        times[0] += seconds
        return await cache.get(key, computation)

    assert asyncio.run(scenario()) == runs


def test_an_error_is_not_cached() -> None:
    """The next caller computes the value again."""

    async def scenario() -> int:
        cache, computation = SingleFlightCache[int](10.0), _Computation()
        computation.may_finish.set()
        computation.error = ValueError("no value")
        with pytest.raises(ValueError, match="no value"):
            await cache.get("key", computation)
        computation.error = None
        return await cache.get("key", computation)

    assert asyncio.run(scenario()) == 2
