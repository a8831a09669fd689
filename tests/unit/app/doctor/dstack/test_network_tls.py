"""Tests of the check of the TLS handshake."""

from datetime import UTC, datetime, timedelta

import pytest

from dstack_backend.adapters.httpx_dstack import parse_address
from dstack_backend.adapters.httpx_dstack.probe import Certificate, Handshake
from dstack_backend.app.doctor.dstack.network import check_tls
from dstack_backend.app.doctor.finding import Finding, Verdict
from dstack_backend.domain.check import CheckFailure, FailureCause, Reason

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ADDRESS = parse_address("https://dstack.example:19060")
CERTIFICATE_CAUSES = [each for each in FailureCause if each.name.startswith("CERTIFICATE")]


def certificate(days: float) -> Certificate:
    """Return a certificate that expires in so many days."""
    return Certificate(NOW + timedelta(days=days), ("dstack.example",))


def check_failed(cause: FailureCause | None) -> Finding:
    """Check a handshake that failed with this cause; the detail is meaningless."""
    handshake = Handshake(CheckFailure(Reason.TLS_FAILED, "x", cause), None)
    return check_tls(handshake, ADDRESS, NOW)


def test_trusted_certificate_is_shown_with_names_and_expiry() -> None:
    """An operator sees when it must be renewed."""
    found = check_tls(Handshake(None, certificate(90)), ADDRESS, NOW)
    assert found.verdict is Verdict.OK
    assert "for dstack.example; expires 2026-04-01 00:00 UTC" in found.text


def test_certificate_that_expires_soon_is_a_warning() -> None:
    """Two weeks are left for renewing it."""
    assert check_tls(Handshake(None, certificate(13)), ADDRESS, NOW).verdict is Verdict.WARNING


@pytest.mark.parametrize(
    ("cause", "remedy"),
    [
        (FailureCause.CERTIFICATE_EXPIRED, "renew"),
        (FailureCause.CERTIFICATE_NOT_YET_VALID, "renew"),
        (FailureCause.CERTIFICATE_WRONG_HOST, "name of the certificate"),
        (FailureCause.CERTIFICATE_UNTRUSTED, "DSTACK_CA_FILE"),
        (FailureCause.CERTIFICATE_INVALID, "new certificate"),
        (None, "speak TLS"),
    ],
)
def test_each_cause_has_its_remedy(cause: FailureCause | None, remedy: str) -> None:
    """The cause decides, and not the words of the detail."""
    found = check_failed(cause)
    assert (found.verdict, found.reason) == (Verdict.FAILED, Reason.TLS_FAILED)
    assert remedy in found.remedies[0]


@pytest.mark.parametrize("cause", CERTIFICATE_CAUSES)
def test_certificate_failure_never_suggests_plain_http(cause: FailureCause) -> None:
    """A token would be sent unencrypted to any process that answers there."""
    found = check_failed(cause)
    assert found.remedies
    assert not any("http://" in each for each in found.remedies)


def test_certificate_names_are_sanitized() -> None:
    """They are texts of the other side: no control characters, not many, not long."""
    hostile = Certificate(NOW, ("\x1b[2J\n" * 99,) * 99)
    text = check_tls(Handshake(None, hostile), ADDRESS, NOW).text
    assert text.isprintable()
    assert len(text) < 1000
