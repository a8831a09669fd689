"""Runs the checks in their order. After a failed step on the way to DStack, the rest is skipped."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from dstack_backend.adapters.httpx_dstack.probe import connect, resolve, tls_handshake
from dstack_backend.adapters.system_clock import SystemClock
from dstack_backend.app.config.settings import DStackSettings, Settings
from dstack_backend.app.container import Container
from dstack_backend.app.doctor import environment as env
from dstack_backend.app.doctor.dstack.network import check_connection, check_dns, check_tls
from dstack_backend.app.doctor.dstack.response import RESPONSE_STEPS, check_response
from dstack_backend.app.doctor.dstack.socket_file import check_socket, inspect_path
from dstack_backend.app.doctor.finding import Diagnosis, Finding, Step, Verdict, skip_rest
from dstack_backend.app.doctor.service.history import check_history, probe_history
from dstack_backend.app.doctor.service.listen import check_listen, probe_listen
from dstack_backend.app.doctor.service.worker import check_worker
from dstack_backend.app.doctor.settings import check_settings, load_settings
from dstack_backend.app.errors import UserError
from dstack_backend.domain.check import CheckFailure

__all__ = ["diagnose"]

MAX_ADDRESSES = 8  # of one name: a name server may return thousands


async def diagnose(
    environ: Mapping[str, str], options: Mapping[str, str], root: Path = Path("/")
) -> Diagnosis:
    """Return the findings of all checks. DStack is called at most once.

    `/proc`, `/sys` and the marks of a container are read below `root`.
    """
    try:
        settings, dstack = load_settings(environ, options)
    except UserError as exc:
        invalid = check_settings(environ, options, exc)
        steps = [step for step in Step if step not in (Step.NAME, Step.SOCKET, Step.TLS)]
        return Diagnosis(dstack=None, findings=skip_rest([invalid], steps))
    environment, timeout = env.detect_environment(root, environ), settings.policy.timeout
    listen = await probe_listen(settings.listen, root, timeout)
    folder = settings.history_folder
    history = await probe_history(folder, timeout) if folder else None
    findings = [
        check_settings(environ, options),
        env.check_environment(environment, dstack.address),
        *await _check_dstack(settings, dstack, environment),
        check_listen(listen),
        check_history(history, environment, is_running=listen.service is not None),
        check_worker(listen.actual_address, environment),
    ]
    return Diagnosis(dstack=dstack.address.shown, findings=findings)


async def _check_dstack(
    settings: Settings, dstack: DStackSettings, environment: env.RuntimeEnvironment
) -> list[Finding]:
    tls = [Step.TLS] if dstack.address.is_tls else []
    findings: list[Finding] = []
    async for finding in _reach_dstack(settings, dstack, environment):
        findings.append(finding)
        if finding.verdict is Verdict.FAILED:
            return skip_rest(findings, [Step.CONNECTION, *tls, *RESPONSE_STEPS])
    return findings


async def _reach_dstack(
    settings: Settings, dstack: DStackSettings, environment: env.RuntimeEnvironment
) -> AsyncIterator[Finding]:
    """Connect to DStack and call ListGpus once. The caller stops at the first failed step."""
    address, timeout = dstack.address, settings.policy.timeout
    if address.socket:
        hosts: tuple[str, ...] = (address.socket,)
    else:
        found = await resolve(address, timeout)
        yield check_dns(found, address, environment)
        hosts = () if isinstance(found, CheckFailure) else found[:MAX_ADDRESSES]
    tries = await asyncio.gather(*(connect(address, each, timeout) for each in hosts))
    if address.socket:
        yield check_socket(inspect_path(Path(address.socket)), tries[0], environment)
    results = dict(zip(hosts, tries, strict=True))
    yield check_connection(results, address, environment)
    if dstack.tls:
        reached = next(to for to, each in results.items() if not isinstance(each, CheckFailure))
        handshake = await tls_handshake(address, reached, dstack.tls(), timeout)
        yield check_tls(handshake, address, SystemClock().utc())
    clock = asyncio.get_running_loop().time
    source, started = Container(settings=settings, dstack_settings=dstack).source(), clock()
    result = await source.list_gpus()
    for finding in check_response(result, dstack, round(clock() - started, 6), timeout):
        yield finding
