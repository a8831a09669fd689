"""`GET /gpus`: each GPU with its state and its use, and those that are missing."""

from litestar import get
from litestar.exceptions import HTTPException, NotFoundException, ServiceUnavailableException
from litestar.handlers import HTTPRouteHandler
from msgspec.structs import replace

from dstack_backend.adapters.litestar_http.cache import SingleFlightCache
from dstack_backend.adapters.litestar_http.examples import GPU_REPORT
from dstack_backend.adapters.litestar_http.openapi import json_spec
from dstack_backend.adapters.litestar_http.schemas import Problem
from dstack_backend.domain.check import Reason
from dstack_backend.domain.gpu import GpuReport, GpuUse, gpu_report
from dstack_backend.domain.ports import Health, HistoryReader

__all__ = ["gpus_handler"]

USE_TTL = 10.0
"""Seconds: the use of 64 GPUs over 30 days takes a thread about 10 ms to compute."""

_UNKNOWN = Problem(503, "no inventory of GPUs is known yet")
_NO_GPUS = Problem(404, "the inventory of this source contains no GPUs")


def gpus_handler(health: Health, history: HistoryReader) -> HTTPRouteHandler:
    """Return the handler."""
    cache: SingleFlightCache[GpuUse] = SingleFlightCache(USE_TTL)

    @get(
        "/gpus",
        responses={
            200: json_spec(GpuReport, "What is known of the GPUs.", degraded=GPU_REPORT),
            404: json_spec(Problem, "The source has no GPUs.", no_gpus=_NO_GPUS),
            503: json_spec(Problem, "No check has returned an inventory yet.", unknown=_UNKNOWN),
        },
        tags=["service"],
    )
    async def gpus() -> GpuReport:
        """Each GPU with its state, since when, and the share of the time in use.

        While the node is unavailable the GPUs are the last known ones.
        """
        state = health.gpus()
        if state is None:
            raise _absence(health)
        found = gpu_report(state, await cache.get(None, history.gpu_use))
        return replace(found, current=found.current and not _is_stale(health))

    return gpus


def _absence(health: Health) -> HTTPException:
    if health.report().last_success is None:
        return ServiceUnavailableException(_UNKNOWN.detail)
    return NotFoundException(_NO_GPUS.detail)


def _is_stale(health: Health) -> bool:
    # First the response: while available, a report of thousands of GPUs is expensive.
    return not health.response().is_available and health.report().reason is Reason.STALE
