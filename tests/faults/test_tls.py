"""Faults of TLS: handshakes and certificates."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from dstack_backend.domain import Reason
from dstack_backend.testing.faults import CANARY
from dstack_backend.testing.simulated_dstack import SimulatedDStack, in_thread
from tests.contract.process.certificates import server_context
from tests.contract.process.service import Service
from tests.faults.support.arena import Arena
from tests.faults.support.front import (
    Front,
    Treatment,
    before,
    closes,
    forwards,
    hangs,
    resets,
    sends,
)
from tests.faults.support.polling import Poller

Expected = tuple[Reason, str]

FAILED = (Reason.TLS_FAILED, "Connection error: TLS failed")
TIMED_OUT = (Reason.TIMED_OUT, "Connection error: no answer within 1 s")
CLOSED = (
    Reason.CONNECTION_CLOSED,
    "Connection error: connection closed before the answer was complete",
)

_ALERT = b"\x15\x03\x03\x00\x02\x02\x28"
_HALF_HELLO = b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + b"\xaa" * 20
_BAD_REQUEST = f"HTTP/1.1 400 {CANARY}\r\nContent-Length: 0\r\n\r\n".encode()

HANDSHAKES: dict[str, tuple[Treatment, Expected]] = {
    "garbage": (sends(b"\x00\xff\x13\x37" * 500), FAILED),
    "text": (sends(f"220 {CANARY} ESMTP\r\n".encode()), FAILED),
    "http": (sends(_BAD_REQUEST), FAILED),
    "alert": (sends(_ALERT), FAILED),
    "half-a-hello-and-closed": (sends(_HALF_HELLO), CLOSED),
    "closed": (closes, CLOSED),
    "reset": (resets, CLOSED),
    "hang": (hangs, TIMED_OUT),
}

CERTIFICATES: dict[str, str] = {
    "expired": "the certificate has expired",
    "not-yet-valid": "the certificate is not valid yet",
    "untrusted": "the certificate's authority is not trusted",
    "of-another-address": "the certificate is for another address",
    "of-another-host": "the certificate is for another address",
}


def _context(name: str, authority: trustme.CA) -> ssl.SSLContext:
    now, day = datetime.now(UTC), timedelta(days=1)
    match name:
        case "expired":
            certificate = authority.issue_cert("127.0.0.1", not_after=now - day)
        case "not-yet-valid":
            certificate = authority.issue_cert(
                "127.0.0.1", not_before=now + day, not_after=now + 2 * day
            )
        case "untrusted":
            certificate = trustme.CA().issue_cert("127.0.0.1")
        case "of-another-address":
            certificate = authority.issue_cert("127.0.0.9")
        case _:
            certificate = authority.issue_cert(f"{CANARY.partition('-')[0]}.example")
    return server_context(certificate)


@pytest.fixture(scope="module")
def arena_and_front(
    serve_module: Callable[..., Service],
    poll: Callable[[Service], Poller],
    authority: trustme.CA,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Arena, Front]]:
    """A service whose DStack is behind a front that forwards TLS unchanged."""
    ca_file: Path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    tls = server_context(authority.issue_cert("127.0.0.1"))
    with (
        in_thread(SimulatedDStack(), tls=tls) as dstack,
        before(_port(dstack.url), forwards) as front,
    ):
        service = serve_module(
            DSTACK_URL=f"https://127.0.0.1:{front.port}",
            DSTACK_CA_FILE=str(ca_file),
            CHECK_INTERVAL="0.1",
            CHECK_TIMEOUT="1",
        )
        yield Arena(service, poll(service)), front
        service.kill()


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


@pytest.mark.parametrize("name", HANDSHAKES)
def test_failed_handshake_has_its_reason(arena_and_front: tuple[Arena, Front], name: str) -> None:
    """No TLS is `tls_failed`; a break and a hang have the same reasons as without TLS."""
    arena, front = arena_and_front
    treatment, expected = HANDSHAKES[name]
    arena.endure(
        lambda: setattr(front, "treatment", treatment),
        lambda: setattr(front, "treatment", forwards),
        *expected,
    )


@pytest.mark.parametrize("name", CERTIFICATES)
def test_rejected_certificate_has_its_message(
    arena_and_front: tuple[Arena, Front], authority: trustme.CA, name: str
) -> None:
    """The message states the fault, and repeats nothing of the certificate."""
    arena, front = arena_and_front
    right = front.upstream
    with in_thread(SimulatedDStack(), tls=_context(name, authority)) as impostor:
        arena.endure(
            lambda: setattr(front, "upstream", _port(impostor.url)),
            lambda: setattr(front, "upstream", right),
            Reason.TLS_FAILED,
            f"Connection error: TLS failed: {CERTIFICATES[name]}",
        )


def test_client_certificate_that_is_required_closes_the_connection(
    arena_and_front: tuple[Arena, Front], authority: trustme.CA
) -> None:
    """The service has none. DStack closes when its side of the handshake is done."""
    arena, front = arena_and_front
    right = front.upstream
    asking = server_context(authority.issue_cert("127.0.0.1"))
    asking.verify_mode = ssl.CERT_REQUIRED
    with ExitStack() as ends:
        impostor = ends.enter_context(in_thread(SimulatedDStack(), tls=asking))
        arena.endure(
            lambda: setattr(front, "upstream", _port(impostor.url)),
            lambda: setattr(front, "upstream", right),
            *CLOSED,
        )


def test_old_version_of_tls_fails(arena_and_front: tuple[Arena, Front]) -> None:
    """TLS 1.1 and older are not accepted."""
    arena, front = arena_and_front
    old_hello = b"\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x02" + b"\x11" * 32 + b"\x00\x00\x2f\x00"
    arena.endure(
        lambda: setattr(front, "treatment", sends(old_hello)),
        lambda: setattr(front, "treatment", forwards),
        *FAILED,
    )
