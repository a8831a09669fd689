"""Implements the port `GpuSource` over HTTP: one request of ListGpus per check.

httpx makes the request. Added here are a deadline for the whole check (`asyncio.timeout`), a limit
for the body, counted while it arrives, and the refusal of compressed answers. Each check has a
connection of its own: no state of one check reaches the next, and DStack never closes an idle
connection just before it is used.
"""

import asyncio
import ssl
import stat
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import httpcore
import httpx

from dstack_backend import __version__
from dstack_backend.adapters.httpx_dstack.address import DStackAddress
from dstack_backend.adapters.httpx_dstack.connection import SingleConnection, open_connection
from dstack_backend.adapters.httpx_dstack.credentials import Credentials
from dstack_backend.adapters.httpx_dstack.decode import decode_listing, decode_version
from dstack_backend.adapters.httpx_dstack.errors import failure_from, http_failure
from dstack_backend.adapters.httpx_dstack.watched_file import WatchedFile
from dstack_backend.domain.check import CheckFailure, CheckResult, FailureCause, Reason

__all__ = ["HttpxDStack", "ssl_context", "ssl_contexts"]

LARGEST_CA_FILE = 4 * 1024 * 1024
"""Bytes: all public authorities have 0.25 MB."""

LARGEST_BODY = 8 * 1024 * 1024
"""Bytes of an answer's body."""

CHUNKS_PER_TURN = 64
"""Chunks after which other tasks run: a body of tiny chunks arrives without a pause."""

_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Connection": "close",
    "User-Agent": f"dstack-backend/{__version__}",
}


def ssl_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Return a TLS context that trusts the authorities of a file; by default, those of certifi.

    Python 3.13 and later check the form of certificates (VERIFY_X509_STRICT). This is switched off
    for a file: `openssl req -x509` makes authorities without keyUsage, which would be refused.

    Raises:
        ValueError: The file cannot be read, or holds no certificate, or OpenSSL cannot be used.
    """
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    except ssl.SSLError:
        raise ValueError("OpenSSL rejects its own configuration; check OPENSSL_CONF") from None
    context = _file_context(ca_file) if ca_file else httpx.create_ssl_context(trust_env=False)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _file_context(ca_file: Path) -> ssl.SSLContext:
    try:
        # A pipe or a device could block or never end.
        if not stat.S_ISREG(ca_file.stat().st_mode):
            raise ValueError("is not a regular file")
        context = ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise ValueError("holds no certificate in PEM form") from None
    except OSError as exc:
        raise ValueError(f"cannot be read ({(exc.strerror or 'failed').lower()})") from None
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def ssl_contexts(ca_file: Path | None = None) -> Callable[[], ssl.SSLContext]:
    """Return a function that returns the TLS context for the present content of a file.

    Without a file it is always the same context. Raises as `ssl_context` does.
    """
    if ca_file:
        return WatchedFile(ca_file, "CA", LARGEST_CA_FILE, lambda _: ssl_context(ca_file)).value
    context = ssl_context()
    return lambda: context


class HttpxDStack:
    """Implements `GpuSource` with the GPUs of one DStack."""

    def __init__(
        self,
        address: DStackAddress,
        *,
        timeout: float = 5.0,
        credentials: Credentials | None = None,
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            address: Where DStack listens. Its login is used unless `credentials` are given.
            timeout: Seconds for one check in total.
            credentials: Makes the Authorization header.
            tls: Returns the context of a check for `https://`; see `ssl_contexts`.
        """
        self._address = address
        self._timeout = timeout
        self._credentials = credentials or address.login
        self._tls = (tls or ssl_contexts()) if address.is_tls else None

    async def list_gpus(self) -> CheckResult:
        """Return the GPUs, or a failure, within the timeout."""
        deadline = asyncio.timeout(self._timeout)
        try:
            tls = self._tls() if self._tls else None
            async with deadline, await open_connection(self._address, tls) as stream:
                return await self._request(SingleConnection(stream))
        except Exception as exc:  # noqa: BLE001 - the port's promise: a failure is a value
            if deadline.expired():
                return CheckFailure(Reason.TIMED_OUT, f"no answer within {self._timeout:g} s")
            return failure_from(exc)

    async def _request(self, connection: SingleConnection) -> CheckResult:
        client = httpx.AsyncClient(
            transport=connection,
            trust_env=False,
            timeout=None,  # noqa: S113 - list_gpus has the deadline
        )
        try:
            async with client.stream("GET", self._address.url, headers=self._headers()) as response:
                return await _result(response)
        except httpcore.RemoteProtocolError:
            if connection.is_closed_by_peer:
                return CheckFailure(Reason.CONNECTION_CLOSED)
            return CheckFailure(
                Reason.INVALID_RESPONSE, "the answer is not HTTP/1.1", FailureCause.NOT_HTTP
            )

    def _headers(self) -> dict[str, str]:
        if self._credentials is None:
            return _HEADERS
        return {**_HEADERS, "Authorization": self._credentials.header()}


async def _result(response: httpx.Response) -> CheckResult:
    if response.status_code != HTTPStatus.OK:
        return http_failure(response.status_code)
    codings = response.headers.get("Content-Encoding", "").split(",")
    if not {each.strip().lower() for each in codings} <= {"", "identity"}:
        return CheckFailure(Reason.INVALID_RESPONSE, "the answer is compressed")
    body = await _body(response)
    if body is None:
        limit = f"{LARGEST_BODY // 1024**2} MiB"
        return CheckFailure(Reason.RESPONSE_TOO_LARGE, f"the answer is larger than {limit}")
    return decode_listing(body, decode_version(response.headers.get("X-App-Version")))


async def _body(response: httpx.Response) -> bytes | None:
    """Return the body; `None` where it is too large."""
    body = bytearray()
    count = 0
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > LARGEST_BODY:
            return None
        count += 1
        if count % CHUNKS_PER_TURN == 0:
            await asyncio.sleep(0)
    return bytes(body)
