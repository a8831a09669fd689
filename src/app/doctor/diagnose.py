"""The examination: each step after the other, as far as it makes sense."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from dstack_backend.adapters.httpx_dstack import Basic, Bearer, DStackAddress, TokenFile
from dstack_backend.adapters.httpx_dstack.probe import connect, resolve, tls_handshake
from dstack_backend.adapters.nostr_keys import would_create
from dstack_backend.app.config.settings import (
    SETTINGS,
    DStackSettings,
    Settings,
    load,
    load_dstack,
    setting_error,
)
from dstack_backend.app.container import Container
from dstack_backend.app.doctor.connection import check_connection, check_tls
from dstack_backend.app.doctor.dns import check_dns
from dstack_backend.app.doctor.environment import (
    DOCKER_HOST,
    RuntimeEnvironment,
    check_environment,
    detect_environment,
    is_ourselves,
)
from dstack_backend.app.doctor.finding import (
    Diagnosis,
    Finding,
    Step,
    Verdict,
    failed,
    ok,
    skipped,
)
from dstack_backend.app.doctor.history import examine_history
from dstack_backend.app.doctor.listen import examine_listen
from dstack_backend.app.doctor.response import ANSWER_STEPS, ProbeResult, check_response
from dstack_backend.app.doctor.socket_file import check_socket, look_at, process_user
from dstack_backend.app.doctor.worker import check_worker
from dstack_backend.app.errors import UserError
from dstack_backend.app.identity import node_identity
from dstack_backend.domain.check import CheckFailure

__all__ = ["diagnose"]

MOST_ADDRESSES = 8
"""Addresses of one name that are tried; a name server could send thousands."""

ROOT = Path("/")


async def diagnose(
    environ: Mapping[str, str], options: Mapping[str, str], root: Path = ROOT
) -> Diagnosis:
    """Go through all steps. DStack is asked at most once.

    Args:
        environ: The environment's variables.
        options: The command line's options.
        root: The root of the file system that tells where we run and who listens.
    """
    try:
        settings = load(environ, options)
        dstack = load_dstack(environ, options)
        _try_identity(settings)
    except UserError as exc:
        fault, _, cure = str(exc).partition("; for example ")
        bad = failed(Step.SETTINGS, fault, (f"set it right, for example {cure}",))
        rest = (
            Step.CONTAINER,
            Step.CONNECTION,
            *ANSWER_STEPS,
            Step.LISTEN,
            Step.HISTORY,
            Step.WORKER,
        )
        return Diagnosis(
            dstack=None, findings=(bad, *(skipped(step, Step.SETTINGS) for step in rest))
        )
    environment = detect_environment(root, environ)
    listening = await examine_listen(settings.listen, root, settings.policy.timeout)
    findings = [
        _judge_settings(environ, options),
        check_environment(environment, dstack.address),
        *await _reach(settings, dstack, environment),
        listening.finding,
        await examine_history(settings.history_folder, environment, settings.policy.timeout),
        check_worker(listening.at, environment),
    ]
    return Diagnosis(dstack=dstack.address.shown, findings=tuple(findings))


def _try_identity(settings: Settings) -> None:
    """See whether the start would take the key file; a doctor makes none.

    Raises:
        UserError: It would not.
    """
    file = settings.nostr_key_file
    try:
        will_be_made = settings.nostr_key_create and file and would_create(file)
    except ValueError as exc:
        raise setting_error("NOSTR_KEY_FILE", str(exc)) from None
    if not will_be_made:
        node_identity(settings)


def _judge_settings(environ: Mapping[str, str], options: Mapping[str, str]) -> Finding:
    names = [each.variable for each in SETTINGS]
    given = [name for name in names if options.get(name) or environ.get(name)]
    shown = f"set: {', '.join(given)}; the others" if given else "none is set: all"
    return ok(Step.SETTINGS, f"{shown} have their defaults")


async def _reach(
    settings: Settings, dstack: DStackSettings, environment: RuntimeEnvironment
) -> list[Finding]:
    """Go towards DStack step by step; after the first that fails, skip the others."""
    found = await _connect(settings, dstack, environment)
    last = found[-1]
    if last.verdict is Verdict.FAILED:
        order = list(Step)
        rest = [Step.CONNECTION, *([Step.TLS] if dstack.address.is_tls else []), *ANSWER_STEPS]
        later = (step for step in rest if order.index(step) > order.index(last.step))
        return [*found, *(skipped(step, last.step) for step in later)]
    return [*found, *check_response(await _ask(settings, dstack))]


async def _connect(
    settings: Settings, dstack: DStackSettings, environment: RuntimeEnvironment
) -> list[Finding]:
    address, timeout = dstack.address, settings.policy.timeout
    if address.socket:
        file = check_socket(look_at(Path(address.socket)), process_user(), environment)
        if file.verdict is Verdict.FAILED:
            return [file]
        tries = {address.socket: await connect(address, "", timeout)}
        return [file, check_connection(tries, address, environment)]
    addresses = await resolve(address, timeout)
    name = check_dns(addresses, address, environment)
    if isinstance(addresses, CheckFailure):
        return [name]
    some = addresses[:MOST_ADDRESSES]
    seconds = await asyncio.gather(*(connect(address, each, timeout) for each in some))
    results = dict(zip(some, seconds, strict=True))
    connection = check_connection(results, address, environment)
    if connection.verdict is Verdict.FAILED or dstack.tls is None:
        return [name, connection]
    opened = next(to for to, took in results.items() if not isinstance(took, CheckFailure))
    handshake = await tls_handshake(address, opened, dstack.tls, timeout)
    container = Container(settings=settings, dstack_settings=dstack)
    return [name, connection, check_tls(handshake, address, container.clock().utc())]


async def _ask(settings: Settings, dstack: DStackSettings) -> ProbeResult:
    clock = asyncio.get_running_loop().time
    source = Container(settings=settings, dstack_settings=dstack).source()
    started = clock()
    result = await source.list_gpus()
    return ProbeResult(
        address=dstack.address,
        proof=_proof(dstack),
        sent_in_cleartext=_sent_in_cleartext(dstack.address),
        timeout=settings.policy.timeout,
        seconds=round(clock() - started, 6),
        result=result,
    )


def _proof(settings: DStackSettings) -> str | None:
    """Name the setting that our token or password came from; never its value."""
    match settings.credentials:
        case Bearer():
            return "DSTACK_TOKEN"
        case TokenFile():
            return "the token of DSTACK_TOKEN_FILE"
        case Basic():
            return "the user and password of DSTACK_URL"
        case _:
            return None


def _sent_in_cleartext(address: DStackAddress) -> bool:
    running_service = is_ourselves(address.host) or address.host == DOCKER_HOST
    return not (address.is_tls or address.socket or running_service)
