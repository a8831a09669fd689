"""A server's side of TLS, for tests."""

import ssl

import trustme

__all__ = ["server_context"]


def server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Give the context of a server that shows this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)  # pyright: ignore[reportUnknownMemberType] - pyOpenSSL's
    return context
