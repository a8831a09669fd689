"""Runs work in a thread."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["run_in"]

T = TypeVar("T")


async def run_in(thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    """Run a function in a thread, and return its result."""
    return await asyncio.get_running_loop().run_in_executor(thread, work)
