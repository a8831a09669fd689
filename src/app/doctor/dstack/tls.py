"""The check of the TLS handshake with DStack."""

from datetime import datetime, timedelta

from dstack_backend.adapters.httpx_dstack import DStackAddress
from dstack_backend.adapters.httpx_dstack.probe import Certificate, Handshake
from dstack_backend.app.doctor import finding
from dstack_backend.app.doctor.finding import Finding, Step, detail_of, sanitize
from dstack_backend.domain.check import CheckFailure, FailureCause

__all__ = ["check_tls"]

EXPIRES_SOON = timedelta(days=14)
MAX_NAMES = 5


def check_tls(handshake: Handshake, address: DStackAddress, now: datetime) -> Finding:
    """Return whether the certificate is trusted, and until when."""
    certificate, failure = handshake.certificate, handshake.failure
    shown = f" ({_describe(certificate)})" if certificate else ""
    if failure:
        text, remedies = detail_of(failure) + shown, _remedies(failure, address)
        return finding.failed(Step.TLS, text, *remedies, reason=failure.reason)
    text = f"the certificate is trusted{shown}"
    if certificate and certificate.expires - now < EXPIRES_SOON:
        return finding.warning(Step.TLS, text, "renew DStack's certificate before it expires")
    return finding.ok(Step.TLS, text)


def _describe(certificate: Certificate) -> str:
    names = ", ".join(sanitize(name) for name in certificate.names[:MAX_NAMES]) or "no name"
    more = " and more" if len(certificate.names) > MAX_NAMES else ""
    return f"for {names}{more}; expires {certificate.expires:%Y-%m-%d %H:%M} UTC"


def _remedies(failure: CheckFailure, address: DStackAddress) -> tuple[str, ...]:
    host = f"{address.host}:{address.port}"
    show = f"show it: openssl s_client -connect {host} </dev/null"
    match failure.cause:
        case FailureCause.CERTIFICATE_EXPIRED | FailureCause.CERTIFICATE_NOT_YET_VALID:
            clock = "is the clock of this machine right? Try: date -u"
            return ("renew DStack's certificate", clock)
        case FailureCause.CERTIFICATE_WRONG_HOST:
            return ("put a name of the certificate into DSTACK_URL, or renew it with this one",)
        case FailureCause.CERTIFICATE_UNTRUSTED:
            trust = "set DSTACK_CA_FILE to the authority's certificate (PEM)"
            return (f"{trust}, or to the certificate itself where it is self-signed", show)
        case FailureCause.CERTIFICATE_INVALID:  # the port speaks TLS: http:// would expose a token
            return ("issue a new certificate for DStack, or for its authority", show)
        case _:
            return (f"does that port speak TLS at all? Try DSTACK_URL=http://{host}",)
