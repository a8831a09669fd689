"""Runs the checks in their order. After a failed step on the way to DStack, the rest is skipped."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from dstack_backend.adapters.httpx_dstack.probe import connect, resolve, tls_handshake
from dstack_backend.adapters.system_clock import SystemClock
from dstack_backend.app.container import Container
from dstack_backend.app.doctor import environment as env
from dstack_backend.app.doctor.dstack.inventory import missing_from
from dstack_backend.app.doctor.dstack.network import check_connection, check_dns, check_tls
from dstack_backend.app.doctor.dstack.response import RESPONSE_STEPS, check_response
from dstack_backend.app.doctor.dstack.socket_file import check_socket, inspect_path
from dstack_backend.app.doctor.finding import Diagnosis, Finding, Step, Verdict, skip_rest
from dstack_backend.app.doctor.service.history import check_history, probe_history, read_stored
from dstack_backend.app.doctor.service.listen import check_listen, probe_listen
from dstack_backend.app.doctor.service.notify import check_notify
from dstack_backend.app.doctor.service.worker import check_worker
from dstack_backend.app.doctor.settings import LoadedSettings, check_settings, load_settings
from dstack_backend.app.monitoring.clock import read
from dstack_backend.domain.check import CheckFailure
from dstack_backend.domain.gpu import GpuInventory, MissingGpu

__all__ = ["diagnose"]

MAX_ADDRESSES = 8  # of one name: a name server may return thousands


async def diagnose(
    environ: Mapping[str, str], options: Mapping[str, str], root: Path = Path("/")
) -> Diagnosis:
    """Return the findings of all checks. DStack is called at most once.

    `/proc`, `/sys` and the marks of a container are read below `root`.
    """
    loaded = load_settings(environ, options)
    settings, address, unknown = loaded.settings, loaded.dstack.address, loaded.unknown_steps
    has_address, timeout = Step.CONNECTION not in unknown, settings.policy.timeout
    environment = env.detect_environment(root, environ)
    findings = [
        check_settings(environ, options, loaded.errors),
        env.check_environment(environment, address if has_address else None),
    ]
    if has_address:
        findings += await _check_dstack(loaded, environment)
    listen = None
    if Step.LISTEN not in unknown:
        listen = await probe_listen(settings.listen, root, timeout)
        findings.append(check_listen(listen))
        findings.append(check_worker(listen.actual_address, environment))
    if Step.HISTORY not in unknown:
        folder, is_running = settings.history_folder, listen is None or listen.service is not None
        history = await probe_history(folder, root, timeout) if folder else None
        findings.append(check_history(history, environment, is_running=is_running))
    if Step.NOTIFY not in unknown:
        findings.append(check_notify(settings))
    findings = skip_rest(findings, unknown - {Step.TLS}, Step.SETTINGS)
    findings.sort(key=lambda each: list(Step).index(each.step))
    return Diagnosis(dstack=address.shown if has_address else None, findings=findings)


async def _check_dstack(
    loaded: LoadedSettings, environment: env.RuntimeEnvironment
) -> list[Finding]:
    steps = [Step.CONNECTION, *([Step.TLS] if loaded.dstack.tls else []), *RESPONSE_STEPS]
    findings: list[Finding] = []
    async for finding in _reach_dstack(loaded, environment):
        if finding.step in loaded.unknown_steps:
            continue  # it is the result for another value of a setting
        findings.append(finding)
        is_last = finding.step is not Step.INVENTORY  # what follows it needs only the response
        if finding.verdict is Verdict.FAILED and is_last:
            return skip_rest(findings, steps, finding.step)
    return skip_rest(findings, steps, Step.SETTINGS)


async def _reach_dstack(
    loaded: LoadedSettings, environment: env.RuntimeEnvironment
) -> AsyncIterator[Finding]:
    """Connect to DStack and call ListGpus once. The caller stops at the first failed step."""
    settings, dstack = loaded.settings, loaded.dstack
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
        if Step.TLS in loaded.unknown_steps:
            return  # another certificate could be trusted, and would receive the token
        reached = next(to for to, each in results.items() if not isinstance(each, CheckFailure))
        handshake = await tls_handshake(address, reached, dstack.tls(), timeout)
        yield check_tls(handshake, address, SystemClock().utc())
    clock = asyncio.get_running_loop().time
    source, started = Container(settings=settings, dstack_settings=dstack).source(), clock()
    result = await source.list_gpus()
    seconds = round(clock() - started, 6)
    missing: Sequence[MissingGpu] = ()
    if isinstance(result, GpuInventory) and Step.HISTORY not in loaded.unknown_steps:
        stored = await read_stored(settings.history_folder, timeout)
        missing = missing_from(result, stored, read(SystemClock()))
    for finding in check_response(result, dstack, seconds, settings.policy, missing):
        yield finding
