"""What the worker sees: BackendInfo's schema, and `/health` in every state that there is."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import jsonschema
import pytest
from hypothesis import given, settings
from litestar import Litestar

from dstack_backend.adapters.httpx_dstack import HttpxDStack, parse_address
from dstack_backend.adapters.litestar_http import HealthApp
from dstack_backend.adapters.prometheus_metrics import PrometheusMetrics
from dstack_backend.app.monitoring.monitor import Monitor
from dstack_backend.domain import (
    BackendInfo,
    CheckFailure,
    CheckPolicy,
    CheckResult,
    GpuInventory,
    Health,
    NodeIdentity,
    Reason,
    Status,
)
from dstack_backend.testing.contracts import GpuHealthContract, check_answer
from dstack_backend.testing.fakes import FakeClock, FakeGpuSource
from dstack_backend.testing.faults import FAULTS, HOSTILE_ANSWERS
from dstack_backend.testing.simulated_dstack import Remote
from dstack_backend.testing.strategies import check_results
from tests.contract.process.service import Service
from tools.schema import SCHEMA, schema

ROOT = Path(__file__).parents[3]
POLICY = CheckPolicy()


@asynccontextmanager
async def _nothing(_: Litestar) -> AsyncGenerator[None, None]:
    yield


async def _worker_reads(health: Health) -> BackendInfo:
    """Poll `/health` as the worker does, and check all that holds for its answer."""
    face = HealthApp(health, PrometheusMetrics().render, _nothing)
    transport = httpx.ASGITransport(cast("Any", face))  # Litestar types ASGI otherwise than httpx
    async with httpx.AsyncClient(transport=transport, base_url="http://me") as me:
        answer = await me.get("/health")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    jsonschema.validate(answer.json(), json.loads((ROOT / SCHEMA).read_bytes()))
    return check_answer(answer.status_code, answer.content)


def _monitor(source: FakeGpuSource, clock: FakeClock) -> Monitor:
    return Monitor(source, clock, policy=POLICY, identity=NodeIdentity())


def _seen(result: CheckResult, silence: float = 0.0) -> BackendInfo:
    async def check_and_read() -> BackendInfo:
        clock = FakeClock()
        monitor = _monitor(FakeGpuSource([result]), clock)
        await monitor.check()
        await clock.advance(silence)
        return await _worker_reads(monitor)

    return asyncio.run(check_and_read())


def test_the_committed_schema_is_the_one_of_the_code() -> None:
    """Whoever changes BackendInfo runs `make schema` and sees what the worker will see."""
    assert (ROOT / SCHEMA).read_bytes() == schema()


def test_the_contract_s_version_is_a_constant_that_is_always_there() -> None:
    """It is not the package's version, no other value is allowed, and it cannot be left out."""
    info = json.loads(schema())["$defs"]["BackendInfo"]
    assert info["properties"]["version"]["enum"] == ["1.0.0"]
    assert "version" in info["required"]


def test_before_the_first_check_the_worker_reads_starting() -> None:
    """A service that knows nothing yet says so."""
    info = asyncio.run(_worker_reads(_monitor(FakeGpuSource(), FakeClock())))
    assert info.status is Status.UNAVAILABLE
    assert info.metadata == "Starting: no check has finished yet"


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_makes_a_well_formed_unavailable(reason: Reason) -> None:
    """The worker reads the reason's sentence, with code 503."""
    info = _seen(CheckFailure(reason))
    assert (info.status, info.metadata) == (Status.UNAVAILABLE, reason.summary)


def test_no_gpus_are_available() -> None:
    """DStack is online: an empty list is no outage."""
    info = _seen(GpuInventory())
    assert info.status is Status.AVAILABLE
    assert json.loads(info.metadata)["gpu_count"] == 0


def test_the_worker_reads_stale_when_no_check_has_finished_for_long() -> None:
    """Three intervals and the timeout after the last check nothing is known any more."""
    assert _seen(GpuInventory(), POLICY.stale_after).status is Status.AVAILABLE
    info = _seen(GpuInventory(), POLICY.stale_after + 2)
    assert info.status is Status.UNAVAILABLE
    assert info.metadata == "Stale: the last check finished 37 s ago"


@settings(max_examples=50, deadline=None)
@given(check_results())
def test_whatever_a_check_brings_the_worker_reads_a_well_formed_answer(result: CheckResult) -> None:
    """Hostile texts in an inventory, details in a failure: the answer keeps its form."""
    _seen(result)


@pytest.mark.parametrize("name", [*HOSTILE_ANSWERS, "json-null", "status-400", "ssh"])
def test_what_dstack_answers_reaches_the_worker_in_good_form(dstack: Remote, name: str) -> None:
    """From DStack's bytes to the worker's, through everything that lies between."""
    dstack.dstack.behaviour = (
        HOSTILE_ANSWERS[name] if name in HOSTILE_ANSWERS else FAULTS[name].behaviour
    )

    async def check_and_read() -> BackendInfo:
        source = HttpxDStack(parse_address(dstack.url), timeout=10.0)
        monitor = Monitor(source, FakeClock(), policy=POLICY, identity=NodeIdentity())
        await monitor.check()
        return await _worker_reads(monitor)

    available = asyncio.run(check_and_read()).status is Status.AVAILABLE
    assert available == (name in HOSTILE_ANSWERS)


class TestRunningAndAvailable(GpuHealthContract):
    """The real process, DStack online."""

    running: Service

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _start(cls, serve_module: Callable[..., Service], dstack_module: Remote) -> None:
        cls.running = serve_module(DSTACK_URL=dstack_module.url)
        cls.running.wait_for(None)

    def url(self) -> str:
        """Give where it runs."""
        return self.running.url("/health")


class TestRunningWithoutDStack(GpuHealthContract):
    """The real process, DStack gone."""

    running: Service

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _start(cls, serve_module: Callable[..., Service]) -> None:
        cls.running = serve_module(DSTACK_URL="http://127.0.0.1:1")
        cls.running.wait_for("connection_refused")

    def url(self) -> str:
        """Give where it runs."""
        return self.running.url("/health")
