"""Calls the source, and turns each fault of its implementation into a failure."""

import asyncio
import inspect
import logging
from typing import cast

from dstack_backend.domain.backend_info import HealthResponse, NodeIdentity, encode_health
from dstack_backend.domain.check import CheckFailure, CheckResult, Reason
from dstack_backend.domain.inventory import Inventory
from dstack_backend.domain.ports import GpuSource
from dstack_backend.domain.status import assess

__all__ = ["GuardedSource"]

_log = logging.getLogger(__name__)


class _BrokenContractError(Exception):
    """The source did not do what `GpuSource` promises."""


class GuardedSource:
    """A source that may break the contract of `GpuSource`: the log names the fault once."""

    def __init__(self, source: GpuSource, identity: NodeIdentity, limit: float) -> None:
        """Call nothing yet; `limit` is the seconds after which a call is cancelled."""
        self._source = source
        self._identity = identity
        self._limit = limit
        self._logged: type[Exception] | None = None

    async def list_gpus(self) -> tuple[CheckResult, HealthResponse]:
        """Return the result of one call and its response. It never raises."""
        try:
            result = await self._call()
            response = encode_health(assess(result), self._identity)
        except Exception as exc:  # noqa: BLE001 - code of an embedder
            self._log_once(exc)
            result = CheckFailure(Reason.INVALID_RESPONSE, "the source returned no inventory")
            return result, encode_health(assess(result), self._identity)
        self._logged = None
        return result, response

    async def _call(self) -> CheckResult:
        deadline = asyncio.timeout(self._limit)
        try:
            async with deadline:
                call = cast("object", self._source.list_gpus())
                if not inspect.isawaitable(call):
                    raise _BrokenContractError("list_gpus() must be async def")
                result = await call
        except TimeoutError:
            if not deadline.expired():
                raise
            return CheckFailure(Reason.TIMED_OUT, f"no answer within {self._limit:g} s")
        if isinstance(result, (Inventory, CheckFailure)):
            return result
        kind = type(result).__name__
        raise _BrokenContractError(f"list_gpus() returned {kind}, not Inventory or CheckFailure")

    def _log_once(self, error: Exception) -> None:
        if type(error) is self._logged:
            return
        self._logged = type(error)
        name = type(self._source).__name__
        if isinstance(error, _BrokenContractError):
            _log.error("%s: %s", name, error)
        else:
            _log.error("%s: list_gpus() or its inventory raised", name, exc_info=error)
