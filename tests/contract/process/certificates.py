"""TLS contexts of servers, for tests; `cryptography` is installed with trustme."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ["plain_authority", "server_context"]


def server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return the context of a server with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)  # pyright: ignore[reportUnknownMemberType] - pyOpenSSL's
    return context


def plain_authority(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Return the file of an authority, and the context of a server with a certificate of it.

    The authority has no keyUsage, as with `openssl req -x509`. The certificate is for 127.0.0.1.
    """
    authority_key, key = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP256R1()),
    )
    authority = _certificate("authority", authority_key.public_key())
    authority = authority.add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    host = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    leaf = _certificate("dstack", key.public_key()).add_extension(host, critical=False)
    ca_file, chain = folder / "ca.pem", folder / "chain.pem"
    ca_file.write_bytes(_pem(authority.sign(authority_key, hashes.SHA256())))
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    chain.write_bytes(_pem(leaf.sign(authority_key, hashes.SHA256())) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return ca_file, context


def _certificate(name: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    subject, issuer = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, each)])
        for each in (name, "authority")
    )
    number = x509.random_serial_number()
    yesterday, tomorrow = now - timedelta(days=1), now + timedelta(days=1)
    return x509.CertificateBuilder(issuer, subject, key, number, yesterday, tomorrow)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
