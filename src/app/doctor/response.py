"""What DStack answered to the one question that it was asked: HTTP, auth, JSON, time, version."""

import shlex
from http import HTTPStatus
from typing import cast

from msgspec import Struct

from dstack_backend.adapters.httpx_dstack import DStackAddress
from dstack_backend.app.doctor.finding import Finding, Step, failed, ok, skipped, warning
from dstack_backend.app.doctor.inventory import check_inventory
from dstack_backend.domain.check import CheckFailure, CheckResult, Reason
from dstack_backend.domain.gpu import GpuInventory
from dstack_backend.domain.inventory import Inventory

__all__ = ["ANSWER_STEPS", "ProbeResult", "check_response"]

ANSWER_STEPS = (Step.HTTP, Step.AUTH, Step.JSON, Step.INVENTORY, Step.TIME, Step.VERSION)

NOT_HTTP = "the answer is not HTTP/1.1"
"""What the adapter says where the answer's head is no HTTP; the reason alone does not tell."""

FORBIDDEN = f"{HTTPStatus.FORBIDDEN} "


class ProbeResult(Struct, frozen=True, kw_only=True):
    """The question and what it brought.

    Attributes:
        address: Whom we asked.
        proof: Which setting our token or password came from; `None` where none was sent.
        is_overheard: The proof went unencrypted to another machine.
        timeout: Seconds that the answer may take.
        seconds: Seconds that it took.
        result: What it brought.
    """

    address: DStackAddress
    proof: str | None
    sent_in_cleartext: bool
    timeout: float
    seconds: float
    result: CheckResult


def check_response(asked: ProbeResult) -> list[Finding]:
    """Go through the answer as far as it is good; what comes after is skipped."""
    result = asked.result
    if not isinstance(result, CheckFailure):
        return [
            ok(Step.HTTP, "200 OK"),
            _let_in(asked),
            ok(Step.JSON, "the answer is that of ListGpus"),
            check_inventory(cast("GpuInventory", result)),
            _judge_time(asked),
            _judge_version(result),
        ]
    bad = _failing_step(result)
    environment = ANSWER_STEPS.index(bad)
    told = result.message.removeprefix(f"{result.reason.kind}: ")
    good = {
        Step.HTTP: f"an HTTP server answers: {told if bad is Step.AUTH else '200 OK'}",
        Step.AUTH: _let_in(asked).text,
    }
    return [
        *(ok(step, good[step]) for step in ANSWER_STEPS[:environment]),
        failed(
            bad,
            _refusal(asked, told) if bad is Step.AUTH else told,
            _cures(asked, result),
            result.reason,
        ),
        *(skipped(step, bad) for step in ANSWER_STEPS[environment + 1 :]),
    ]


def _failing_step(failure: CheckFailure) -> Step:
    if failure.reason is Reason.UNAUTHORIZED or failure.detail.startswith(FORBIDDEN):
        return Step.AUTH
    if failure.reason in (Reason.INVALID_RESPONSE, Reason.RESPONSE_TOO_LARGE):
        return Step.HTTP if failure.detail == NOT_HTTP else Step.JSON
    return Step.HTTP


def _let_in(asked: ProbeResult) -> Finding:
    if asked.proof is None:
        return ok(Step.AUTH, "DStack asks for no token")
    text = f"DStack lets us in; {_sent(asked.proof)}"
    if asked.sent_in_cleartext:
        return warning(
            Step.AUTH,
            f"{text}, unencrypted to another machine: anybody on the way can read it, and"
            " it gives full control of the VMM",
            "use https://, DStack's unix socket, or run on DStack's host",
        )
    return ok(Step.AUTH, text)


def _refusal(asked: ProbeResult, told: str) -> str:
    sent = f"{_sent(asked.proof)}, and refused" if asked.proof else "no token was sent"
    return f"{told}: {sent}"


def _sent(proof: str) -> str:
    return f"{proof} {'were' if ' and ' in proof else 'was'} sent"


def _judge_time(asked: ProbeResult) -> Finding:
    text = f"the answer took {_shown(asked.seconds)} of the {asked.timeout:g} s of CHECK_TIMEOUT"
    if asked.seconds <= asked.timeout / 2:
        return ok(Step.TIME, text, asked.seconds)
    cure = f"raise CHECK_TIMEOUT, as in CHECK_TIMEOUT={max(1, round(asked.seconds * 4)):d}"
    return warning(Step.TIME, f"{text}, more than half", cure, seconds=asked.seconds)


def _shown(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _judge_version(inventory: Inventory) -> Finding:
    version = inventory.source_version
    return ok(Step.VERSION, f"DStack {version}" if version else "DStack does not tell its version")


def _cures(asked: ProbeResult, failure: CheckFailure) -> tuple[str, ...]:
    ask = f"see for yourself: {_curl(asked.address)}"
    if _failing_step(failure) is Step.AUTH:
        return (_AUTH_CURES[asked.proof] if asked.proof else _NO_PROOF,)
    if failure.reason is Reason.TIMED_OUT:
        lspci = "DStack runs lspci for each answer, slow on a host with many devices"
        return (f"{lspci}: raise CHECK_TIMEOUT, now {asked.timeout:g}", *_speaks_tls(asked), ask)
    if failure.reason is Reason.HTTP_ERROR:
        return (_by_status(failure.detail), ask)
    if failure.reason in (Reason.INVALID_RESPONSE, Reason.RESPONSE_TOO_LARGE):
        return (
            "is it DStack's VMM that answers there, or another program?",
            *_speaks_tls(asked),
            ask,
        )
    return (*_speaks_tls(asked), "the cause may stand in DStack's log", ask)


_NO_PROOF = "set DSTACK_TOKEN_FILE to a file that holds DStack's token"
_AUTH_CURES = {
    "DSTACK_TOKEN": "correct DSTACK_TOKEN, then start the service again",
    "the token of DSTACK_TOKEN_FILE": "correct the token in the file; the running service takes it"
    " up with its next check",
    "the user and password of DSTACK_URL": "correct user and password in DSTACK_URL (in a password,"
    " / is %2F and @ is %40), then start the service again",
}


def _speaks_tls(asked: ProbeResult) -> tuple[str, ...]:
    if asked.address.is_tls or asked.address.socket:
        return ()
    return ("if that port speaks TLS, DSTACK_URL must begin with https://",)


def _by_status(detail: str) -> str:
    match detail[:3]:
        case "301" | "302" | "303" | "307" | "308":
            return "redirects are not followed: set DSTACK_URL to where it leads"
        case "400":
            return "ListGpus itself failed; the cause stands in DStack's log: often lspci"
        case "404":
            return (
                "DStack knows this path: is it another program, or is a path missing before"
                " /prpc in DSTACK_URL?"
            )
        case _:
            return "the cause may stand in the log of DStack, or of a proxy before it"


def _curl(address: DStackAddress) -> str:
    if address.socket:
        return f"curl --unix-socket {shlex.quote(address.socket)} '{address.url}'"
    return f"curl {shlex.quote(address.url)}"
