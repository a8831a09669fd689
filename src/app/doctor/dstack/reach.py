"""Runs the checks of the way to DStack in order. After a failed one, the rest is skipped."""

import asyncio
from pathlib import Path

from dstack_backend.adapters.httpx_dstack import DStackAddress
from dstack_backend.adapters.httpx_dstack.probe import connect, resolve, tls_handshake
from dstack_backend.adapters.system_clock import SystemClock
from dstack_backend.app.config.settings import DStackSettings, Settings
from dstack_backend.app.container import Container
from dstack_backend.app.doctor.dstack.connection import check_connection
from dstack_backend.app.doctor.dstack.dns import check_dns
from dstack_backend.app.doctor.dstack.response import RESPONSE_STEPS, ProbeResult, check_response
from dstack_backend.app.doctor.dstack.socket_file import check_socket, inspect_path
from dstack_backend.app.doctor.dstack.tls import check_tls
from dstack_backend.app.doctor.environment import (
    DOCKER_HOST,
    RuntimeEnvironment,
    is_local_host,
    process_user,
)
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
    tls = [Step.TLS] if dstack.address.is_tls else []
    tried = {each.step for each in findings}
    rest = [step for step in (Step.CONNECTION, *tls, *RESPONSE_STEPS) if step not in tried]
    return [*findings, *(skipped(step, last.step) for step in rest)]


async def _connect_to_socket(
    settings: Settings, dstack: DStackSettings, environment: RuntimeEnvironment
) -> list[Finding]:
    path = str(dstack.address.socket)
    result = await connect(dstack.address, "", settings.policy.timeout)
    file = check_socket(inspect_path(Path(path)), result, process_user(), environment)
    if file.verdict is Verdict.FAILED:
        return [file]
    return [file, check_connection({path: result}, dstack.address, environment)]


async def _connect_to_host(
    settings: Settings, dstack: DStackSettings, environment: RuntimeEnvironment
) -> list[Finding]:
    address, timeout = dstack.address, settings.policy.timeout
    numeric = await resolve(address, timeout)
    name = check_dns(numeric, address, environment)
    if isinstance(numeric, CheckFailure):
        return [name]
    numeric = numeric[:MAX_ADDRESSES]
    results = await asyncio.gather(*(connect(address, each, timeout) for each in numeric))
    connection = check_connection(dict(zip(numeric, results, strict=True)), address, environment)
    if connection.verdict is Verdict.FAILED or dstack.tls is None:
        return [name, connection]
    reached = next(
        each
        for each, result in zip(numeric, results, strict=True)
        if not isinstance(result, CheckFailure)
    )
    handshake = await tls_handshake(address, reached, dstack.tls, timeout)
    return [name, connection, check_tls(handshake, address, SystemClock().utc())]


async def _call(settings: Settings, dstack: DStackSettings) -> ProbeResult:
    clock = asyncio.get_running_loop().time
    source = Container(settings=settings, dstack_settings=dstack).source()
    started = clock()
    result = await source.list_gpus()
    return ProbeResult(
        address=dstack.address,
        credentials=type(dstack.credentials),
        sent_in_cleartext=_is_cleartext(dstack.address),
        timeout=settings.policy.timeout,
        seconds=round(clock() - started, 6),
        result=result,
    )


def _is_cleartext(address: DStackAddress) -> bool:
    """Return whether requests leave this machine unencrypted."""
    stays_here = is_local_host(address.host) or address.host == DOCKER_HOST
    return not (address.is_tls or address.socket or stays_here)
