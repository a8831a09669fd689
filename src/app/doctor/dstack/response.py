"""The checks of DStack's response to ListGpus: HTTP, auth, JSON, inventory, time, version."""

import shlex
from collections.abc import Sequence
from types import NoneType

from dstack_backend.adapters.httpx_dstack import Basic, Bearer, DStackAddress, TokenFile
from dstack_backend.app.config.settings import DStackSettings
from dstack_backend.app.doctor.dstack.inventory import check_inventory
from dstack_backend.app.doctor.environment import DOCKER_HOST, is_local_host
from dstack_backend.app.doctor.finding import Finding, Step
from dstack_backend.domain.check import CheckFailure, CheckResult, FailureCause, Reason
from dstack_backend.domain.gpu import GpuInventory, MissingGpu
from dstack_backend.domain.monitor import CheckPolicy

__all__ = ["RESPONSE_STEPS", "check_response"]

RESPONSE_STEPS = (Step.HTTP, Step.AUTH, Step.JSON, Step.INVENTORY, Step.TIME, Step.VERSION)

_CREDENTIALS: dict[type[object], tuple[str, str]] = {
    NoneType: ("no token was sent", "set DSTACK_TOKEN_FILE to a file with DStack's token"),
    Bearer: ("DSTACK_TOKEN was sent", "correct DSTACK_TOKEN, then restart the service"),
    TokenFile: ("the token of DSTACK_TOKEN_FILE was sent", "correct the token in the file"),
    Basic: ("the user and password of DSTACK_URL were sent", "correct them (/ is %2F, @ is %40)"),
}
"""For each kind of credentials what was sent, and how to correct it."""

_PROGRAM = "is it DStack's VMM that answers there, or another program?"
_REMEDIES: dict[Reason | FailureCause | None, str] = {
    Reason.TIMED_OUT: "raise CHECK_TIMEOUT: DStack's lspci is slow on a host with many devices",
    Reason.INVALID_RESPONSE: _PROGRAM,
    Reason.RESPONSE_TOO_LARGE: _PROGRAM,
    FailureCause.HTTP_REDIRECT: "redirects are not followed: set DSTACK_URL to their target",
    FailureCause.HTTP_BAD_REQUEST: "ListGpus failed, often because of lspci: read DStack's log",
    FailureCause.HTTP_NOT_FOUND: "does DSTACK_URL lack a path before /prpc? Or is it not DStack?",
}
"""The cause of a failure comes first, then its reason."""


def check_response(
    result: CheckResult,
    dstack: DStackSettings,
    seconds: float,
    policy: CheckPolicy,
    missing: Sequence[MissingGpu] = (),
) -> list[Finding]:
    """Return a finding for each of `RESPONSE_STEPS`, up to the one without which there is no next.

    ListGpus returned `result` after `seconds`. The service knows of `missing` GPUs.
    """
    if isinstance(result, CheckFailure):
        return _check_failure(result, dstack)
    if not isinstance(result, GpuInventory):
        raise TypeError("DStack returns a GpuInventory")
    version = result.source_version
    return [
        Step.HTTP.ok("200 OK"),
        _check_auth(dstack),
        Step.JSON.ok("the response is that of ListGpus"),
        check_inventory(result, missing, policy.min_gpus),
        _check_time(seconds, policy.timeout),
        Step.VERSION.ok(f"DStack {version}" if version else "not reported by DStack"),
    ]


def _check_failure(failure: CheckFailure, dstack: DStackSettings) -> list[Finding]:
    reason, detail = failure.reason, failure.detail_text
    if reason is Reason.UNAUTHORIZED or failure.cause is FailureCause.HTTP_FORBIDDEN:
        sent, remedy = _CREDENTIALS[type(dstack.credentials)]
        answers = Step.HTTP.ok(f"an HTTP server answers: {detail}")
        return [answers, Step.AUTH.failed(f"{detail}: {sent}", remedy, reason=reason)]
    remedies = _remedies(failure, dstack.address)
    is_body = reason in (Reason.INVALID_RESPONSE, Reason.RESPONSE_TOO_LARGE)
    if not is_body or failure.cause is FailureCause.NOT_HTTP:
        return [Step.HTTP.failed(detail, *remedies, reason=reason)]
    bad = Step.JSON.failed(detail, *remedies, reason=reason)
    return [Step.HTTP.ok("200 OK"), _check_auth(dstack), bad]


def _check_auth(dstack: DStackSettings) -> Finding:
    if dstack.credentials is None:
        return Step.AUTH.ok("DStack requires no token")
    text = f"DStack accepts the request; {_CREDENTIALS[type(dstack.credentials)][0]}"
    address = dstack.address
    stays_here = is_local_host(address.host) or address.host == DOCKER_HOST
    if address.is_tls or address.socket or stays_here:
        return Step.AUTH.ok(text)
    text += ", unencrypted to another machine; it can be read on the way and fully controls the VMM"
    return Step.AUTH.warning(text, "use https://, DStack's unix socket, or run on DStack's host")


def _check_time(seconds: float, timeout: float) -> Finding:
    text = f"the response took {seconds:.2f} s of the {timeout:g} s of CHECK_TIMEOUT"
    if seconds <= timeout / 2:
        return Step.TIME.ok(text, seconds)
    remedy = f"raise CHECK_TIMEOUT, as in CHECK_TIMEOUT={max(1, round(seconds * 4)):d}"
    return Step.TIME.warning(f"{text}, more than half", remedy, seconds=seconds)


def _remedies(failure: CheckFailure, address: DStackAddress) -> list[str]:
    other = "read the log of DStack, or of a proxy before it"
    remedies = [_REMEDIES.get(failure.cause) or _REMEDIES.get(failure.reason, other)]
    if not (address.is_tls or address.socket or failure.reason is Reason.HTTP_ERROR):
        remedies.append("if that port speaks TLS, DSTACK_URL must begin with https://")
    socket = f"--unix-socket {shlex.quote(address.socket)} " if address.socket else ""
    return [*remedies, f"see for yourself: curl {socket}{shlex.quote(address.url)}"]
