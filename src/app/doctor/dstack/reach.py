"""Runs the checks of the way to DStack in order. After a failed one, the rest is skipped."""

import asyncio
from pathlib import Path

from dstack_backend.adapters.httpx_dstack.probe import connect, resolve, tls_handshake
from dstack_backend.adapters.system_clock import SystemClock
from dstack_backend.app.config.settings import DStackSettings, Settings
from dstack_backend.app.container import Container
from dstack_backend.app.doctor.dstack.connection import check_connection
from dstack_backend.app.doctor.dstack.dns import check_dns
from dstack_backend.app.doctor.dstack.response import RESPONSE_STEPS, ProbeResult, check_response
from dstack_backend.app.doctor.dstack.socket_file import check_socket, inspect_path
from dstack_backend.app.doctor.dstack.tls import check_tls
from dstack_backend.app.doctor.environment import RuntimeEnvironment
from dstack_backend.app.doctor.finding import Finding, Step, Verdict, skipped
from dstack_backend.domain.check import CheckFailure

__all__ = ["reach_dstack"]

MAX_ADDRESSES = 8
"""Addresses of one name that are tried; a name server may return thousands."""


async def reach_dstack(
    settings: Settings, dstack: DStackSettings, environment: RuntimeEnvironment
) -> list[Finding]:
    """Connect to DStack and call ListGpus once."""
    connect_steps = _connect_to_socket if dstack.address.socket else _connect_to_host
    findings = await connect_steps(settings, dstack, environment)
    last = findings[-1]
    if last.verdict is not Verdict.FAILED:
        return [*findings, *check_response(await _call(settings, dstack))]
    tried = {each.step for each in findings}
    tls = [Step.TLS] if dstack.address.is_tls else []
    rest = [step for step in (Step.CONNECTION, *tls, *RESPONSE_STEPS) if step not in tried]
    return [*findings, *(skipped(step, last.step) for step in rest)]


async def _connect_to_socket(
    settings: Settings, dstack: DStackSettings, environment: RuntimeEnvironment
) -> list[Finding]:
    path = str(dstack.address.socket)
    result = await connect(dstack.address, "", settings.policy.timeout)
    file = check_socket(inspect_path(Path(path)), result, environment)
    if file.verdict is Verdict.FAILED:
        return [file]
    return [file, check_connection({path: result}, dstack.address, environment)]


async def _connect_to_host(
    settings: Settings, dstack: DStackSettings, environment: RuntimeEnvironment
) -> list[Finding]:
    address, timeout = dstack.address, settings.policy.timeout
    found = await resolve(address, timeout)
    name = check_dns(found, address, environment)
    if isinstance(found, CheckFailure):
        return [name]
    found = found[:MAX_ADDRESSES]
    tries = await asyncio.gather(*(connect(address, each, timeout) for each in found))
    results = dict(zip(found, tries, strict=True))
    connection = check_connection(results, address, environment)
    if connection.verdict is Verdict.FAILED or dstack.tls is None:
        return [name, connection]
    reached = next(to for to, each in results.items() if not isinstance(each, CheckFailure))
    handshake = await tls_handshake(address, reached, dstack.tls, timeout)
    return [name, connection, check_tls(handshake, address, SystemClock().utc())]


async def _call(settings: Settings, dstack: DStackSettings) -> ProbeResult:
    clock = asyncio.get_running_loop().time
    source = Container(settings=settings, dstack_settings=dstack).source()
    started = clock()
    result = await source.list_gpus()
    seconds = round(clock() - started, 6)
    return ProbeResult(dstack, settings.policy.timeout, seconds, result)
