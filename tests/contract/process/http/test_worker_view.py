"""The worker's view: the schema of BackendInfo, and `/health` in every state."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
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
    NodeIdentity,
    Reason,
    Status,
)
from dstack_backend.domain.ports import Health
from dstack_backend.testing.contracts import GpuHealthContract, check_answer
from dstack_backend.testing.fakes import (
    EPOCH,
    FakeClock,
    FakeGpuSource,
    FakeHistory,
    FakeNotifier,
)
from dstack_backend.testing.faults import FAULTS, HOSTILE_ANSWERS
from dstack_backend.testing.simulated_dstack import Remote
from dstack_backend.testing.strategies import check_results
from tests.contract.process.service import Service
from tools.schema import SCHEMA, schema

ROOT = Path(__file__).parents[4]
POLICY = CheckPolicy()


@asynccontextmanager
async def _no_lifespan(_: Litestar) -> AsyncGenerator[None, None]:
    yield


async def _read_health(health: Health) -> BackendInfo:
    """Return the body of `/health`, and check it against the contract and the schema."""
    history, notifier, identity = FakeHistory((), EPOCH), FakeNotifier(), NodeIdentity()
    metrics = PrometheusMetrics()
    app = HealthApp(health, metrics.render, _no_lifespan, history, notifier, identity)
    transport = httpx.ASGITransport(cast("Any", app))  # Litestar types ASGI otherwise than httpx
    async with httpx.AsyncClient(transport=transport, base_url="http://me") as client:
        answer = await client.get("/health")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    jsonschema.validate(answer.json(), json.loads((ROOT / SCHEMA).read_bytes()))
    return check_answer(answer.status_code, answer.content)


def _monitor(source: FakeGpuSource, clock: FakeClock) -> Monitor:
    return Monitor(source, clock, policy=POLICY, identity=NodeIdentity())


def _body_after(result: CheckResult, seconds: float = 0.0) -> BackendInfo:
    async def check_and_read() -> BackendInfo:
        clock = FakeClock()
        monitor = _monitor(FakeGpuSource([result]), clock)
        await monitor.check()
        await clock.advance(seconds)
        return await _read_health(monitor)

    return asyncio.run(check_and_read())


def test_the_committed_schema_matches_the_code() -> None:
    """After a change of BackendInfo, run `make schema` and review the difference."""
    assert (ROOT / SCHEMA).read_bytes() == schema()


def test_the_version_of_the_contract_is_a_required_constant() -> None:
    """It is independent of the version of the package."""
    info = json.loads(schema())["$defs"]["BackendInfo"]
    assert info["properties"]["version"]["enum"] == ["1.0.0"]
    assert "version" in info["required"]


def test_health_is_starting_before_the_first_check() -> None:
    """Unavailable, with that reason."""
    info = asyncio.run(_read_health(_monitor(FakeGpuSource(), FakeClock())))
    assert info.status is Status.UNAVAILABLE
    assert info.metadata == "Starting: no check has finished yet"


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_reported_as_unavailable(reason: Reason) -> None:
    """The metadata is the message of the reason."""
    info = _body_after(CheckFailure(reason))
    assert (info.status, info.metadata) == (Status.UNAVAILABLE, reason.summary)


def test_an_empty_list_of_gpus_is_available() -> None:
    """DStack is online, so it is not an outage."""
    info = _body_after(GpuInventory())
    assert info.status is Status.AVAILABLE
    assert json.loads(info.metadata)["gpu_count"] == 0


def test_health_is_stale_when_no_check_has_finished_recently() -> None:
    """Three intervals and the timeout after the last check."""
    assert _body_after(GpuInventory(), POLICY.stale_after).status is Status.AVAILABLE
    info = _body_after(GpuInventory(), POLICY.stale_after + 2)
    assert info.status is Status.UNAVAILABLE
    assert info.metadata == "Stale: the last check finished 37 s ago"


@settings(
    max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(check_results())
def test_any_result_gives_a_valid_body(result: CheckResult) -> None:
    """Whatever texts an inventory or a failure contains."""
    _body_after(result)


@pytest.mark.parametrize("name", [*HOSTILE_ANSWERS, "json-null", "status-400", "ssh"])
def test_any_answer_of_dstack_gives_a_valid_body(dstack: Remote, name: str) -> None:
    """From the bytes of DStack to the bytes of `/health`, through the real code."""
    dstack.dstack.behaviour = (
        HOSTILE_ANSWERS[name] if name in HOSTILE_ANSWERS else FAULTS[name].behaviour
    )

    async def check_and_read() -> BackendInfo:
        source = HttpxDStack(parse_address(dstack.url), timeout=10.0)
        monitor = Monitor(source, FakeClock(), policy=POLICY, identity=NodeIdentity())
        await monitor.check()
        return await _read_health(monitor)

    available = asyncio.run(check_and_read()).status is Status.AVAILABLE
    assert available == (name in HOSTILE_ANSWERS)


class TestRunningAndAvailable(GpuHealthContract):
    """The contract with the real process while DStack is online."""

    running: Service

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _start(cls, serve_module: Callable[..., Service], dstack_module: Remote) -> None:
        cls.running = serve_module(DSTACK_URL=dstack_module.url)
        cls.running.wait_for(None)

    def url(self) -> str:
        """Return the address."""
        return self.running.url("/health")


class TestRunningWithoutDStack(GpuHealthContract):
    """The contract with the real process while DStack is not running."""

    running: Service

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _start(cls, serve_module: Callable[..., Service]) -> None:
        cls.running = serve_module(DSTACK_URL="http://127.0.0.1:1")
        cls.running.wait_for("connection_refused")

    def url(self) -> str:
        """Return the address."""
        return self.running.url("/health")
