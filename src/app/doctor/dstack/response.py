"""The checks of DStack's response to ListGpus: HTTP, auth, JSON, inventory, time, version."""

import shlex

from msgspec import Struct

from dstack_backend.adapters.httpx_dstack import Basic, Bearer, TokenFile
from dstack_backend.app.config.settings import DStackSettings
from dstack_backend.app.doctor.dstack.inventory import check_inventory
from dstack_backend.app.doctor.environment import DOCKER_HOST, is_local_host
from dstack_backend.app.doctor.finding import Finding, Step, detail_of, failed, ok, skipped, warning
from dstack_backend.domain.check import CheckFailure, CheckResult, FailureCause, Reason
from dstack_backend.domain.gpu import GpuInventory

__all__ = ["RESPONSE_STEPS", "ProbeResult", "check_response"]

RESPONSE_STEPS = (Step.HTTP, Step.AUTH, Step.JSON, Step.INVENTORY, Step.TIME, Step.VERSION)


class ProbeResult(Struct, frozen=True):
    """One call of ListGpus: the settings, the seconds it may take and took, and its result."""

    dstack: DStackSettings
    timeout: float
    seconds: float
    result: CheckResult


def check_response(probe: ProbeResult) -> list[Finding]:
    """Return a finding for each of `RESPONSE_STEPS`. The steps after a failed one are skipped."""
    match probe.result:
        case CheckFailure() as failure:
            return _failed_response(probe, failure)
        case GpuInventory() as inventory:
            version = inventory.source_version
            return [
                ok(Step.HTTP, "200 OK"),
                _check_auth(probe.dstack),
                ok(Step.JSON, "the response is that of ListGpus"),
                check_inventory(inventory),
                _check_time(probe),
                ok(Step.VERSION, f"DStack {version}" if version else "not reported by DStack"),
            ]
        case _:
            raise TypeError("DStack returns a GpuInventory")


def _failed_response(probe: ProbeResult, failure: CheckFailure) -> list[Finding]:
    step, detail = _failed_step(failure), detail_of(failure)
    index = RESPONSE_STEPS.index(step)
    status = detail if step is Step.AUTH else "200 OK"
    passed = [ok(Step.HTTP, f"an HTTP server answers: {status}"), _check_auth(probe.dstack)]
    remedies = _remedies(probe, failure)
    if step is Step.AUTH:
        sent, remedy = _sent(probe.dstack)
        detail, remedies = f"{detail}: {sent}", (remedy,)
    return [
        *passed[:index],
        failed(step, detail, *remedies, reason=failure.reason),
        *(skipped(each, step) for each in RESPONSE_STEPS[index + 1 :]),
    ]


def _failed_step(failure: CheckFailure) -> Step:
    if failure.reason is Reason.UNAUTHORIZED or failure.cause is FailureCause.HTTP_FORBIDDEN:
        return Step.AUTH
    if failure.cause is FailureCause.NOT_HTTP:
        return Step.HTTP
    is_body = failure.reason in (Reason.INVALID_RESPONSE, Reason.RESPONSE_TOO_LARGE)
    return Step.JSON if is_body else Step.HTTP


def _check_auth(dstack: DStackSettings) -> Finding:
    if dstack.credentials is None:
        return ok(Step.AUTH, "DStack requires no token")
    text = f"DStack accepts the request; {_sent(dstack)[0]}"
    address = dstack.address
    stays_here = is_local_host(address.host) or address.host == DOCKER_HOST
    if address.is_tls or address.socket or stays_here:
        return ok(Step.AUTH, text)
    text += ", unencrypted to another machine; it can be read on the way and fully controls the VMM"
    remedy = "use https://, DStack's unix socket, or run on DStack's host"
    return warning(Step.AUTH, text, remedy)


def _sent(dstack: DStackSettings) -> tuple[str, str]:
    """Return which credentials were sent, and how to correct them."""
    match dstack.credentials:
        case Bearer():
            return "DSTACK_TOKEN was sent", "correct DSTACK_TOKEN, then restart the service"
        case TokenFile():
            remedy = "correct the token in the file; the service reads it before its next check"
            return "the token of DSTACK_TOKEN_FILE was sent", remedy
        case Basic():
            remedy = "correct them (in a password, / is %2F and @ is %40), then restart the service"
            return "the user and password of DSTACK_URL were sent", remedy
        case _:
            return "no token was sent", "set DSTACK_TOKEN_FILE to a file with DStack's token"


def _check_time(probe: ProbeResult) -> Finding:
    text = f"the response took {probe.seconds:.2f} s of the {probe.timeout:g} s of CHECK_TIMEOUT"
    if probe.seconds <= probe.timeout / 2:
        return ok(Step.TIME, text, probe.seconds)
    remedy = f"raise CHECK_TIMEOUT, as in CHECK_TIMEOUT={max(1, round(probe.seconds * 4)):d}"
    return warning(Step.TIME, f"{text}, more than half", remedy, seconds=probe.seconds)


def _remedies(probe: ProbeResult, failure: CheckFailure) -> tuple[str, ...]:
    address = probe.dstack.address
    socket = f"--unix-socket {shlex.quote(address.socket)} " if address.socket else ""
    curl = f"see for yourself: curl {socket}{shlex.quote(address.url)}"
    is_plain = not (address.is_tls or address.socket)
    tls = ("if that port speaks TLS, DSTACK_URL must begin with https://",) if is_plain else ()
    if failure.reason is Reason.TIMED_OUT:
        lspci = "DStack runs lspci for each call, which is slow on a host with many devices"
        return (f"{lspci}: raise CHECK_TIMEOUT, now {probe.timeout:g}", *tls, curl)
    if failure.reason is Reason.HTTP_ERROR:
        return (_STATUS_REMEDIES.get(failure.cause, _OTHER_STATUS_REMEDY), curl)
    if failure.reason in (Reason.INVALID_RESPONSE, Reason.RESPONSE_TOO_LARGE):
        return ("is it DStack's VMM that answers there, or another program?", *tls, curl)
    return (*tls, "DStack's log may contain the cause", curl)


_OTHER_STATUS_REMEDY = "the log of DStack, or of a proxy before it, may contain the cause"
_STATUS_REMEDIES: dict[FailureCause | None, str] = {
    FailureCause.HTTP_REDIRECT: "redirects are not followed: set DSTACK_URL to their target",
    FailureCause.HTTP_BAD_REQUEST: "ListGpus itself failed, often because of lspci; DStack's log"
    " contains the cause",
    FailureCause.HTTP_NOT_FOUND: "DStack serves this path: is it another program, or is a path"
    " missing before /prpc in DSTACK_URL?",
}
