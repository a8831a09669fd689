"""The DStack port over HTTP.

What httpx does not do, this does: a deadline for the whole check (`asyncio.timeout`), a limit for
the body (counted while it streams), and no answer that is compressed. Each check has a client and
a connection of its own: nothing can leak from one check into the next, and DStack, which closes
idle connections after 10 s, never closes one that we are about to use.
"""

import asyncio
import ssl
import stat
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpcore
import httpx

from dstack_backend import __version__
from dstack_backend.adapters.httpx_dstack.address import DStackAddress
from dstack_backend.adapters.httpx_dstack.credentials import Credentials
from dstack_backend.adapters.httpx_dstack.decode import decode_listing, decode_version
from dstack_backend.adapters.httpx_dstack.errors import failure_from, http_failure
from dstack_backend.domain.check import CheckFailure, CheckResult, Reason

__all__ = ["HttpxDStack", "ssl_context"]

LARGEST_BODY = 8 * 1024 * 1024
"""Bytes of an answer's body."""

CHUNKS_BETWEEN_BREATHS = 64
"""A body of tiny chunks arrives without a pause; after so many others get their turn."""

_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Connection": "close",
    "User-Agent": f"dstack-backend/{__version__}",
}


def ssl_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Make the TLS context: certificates of `ca_file`, or the usual ones (certifi's).

    From Python 3.13 on a context is strict about the form of certificates (VERIFY_X509_STRICT). It
    would refuse an own authority as `openssl req -x509` makes it, without keyUsage; whoever names
    its file has decided to trust it. The public authorities keep to the form.

    Raises:
        ValueError: The file cannot be read, or holds no certificate.
    """
    if ca_file is None:
        return httpx.create_ssl_context(trust_env=False)
    try:
        # A pipe or a device could block or never end.
        if not stat.S_ISREG(ca_file.stat().st_mode):
            raise ValueError("is not a regular file")
        tls = ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise ValueError("holds no certificate in PEM form") from None
    except OSError as exc:
        raise ValueError(f"cannot be read ({(exc.strerror or 'failed').lower()})") from None
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return tls


class HttpxDStack:
    """Asks one DStack for its GPUs."""

    def __init__(
        self,
        address: DStackAddress,
        *,
        timeout: float = 5.0,
        credentials: Credentials | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Keep what a check needs; nothing is opened yet.

        Args:
            address: Where DStack listens. User and password in it are used unless `credentials`
                are given.
            timeout: Seconds for one check in total.
            credentials: What the Authorization header says.
            tls: Whom to trust for `https://`; by default the usual certificates.
        """
        self._address = address
        self._timeout = timeout
        self._credentials = credentials or address.login
        if address.is_tls:
            self._tls = tls or ssl_context()
        else:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used, but httpx wants one

    async def list_gpus(self) -> CheckResult:
        """Ask once. It never raises and never takes longer than the timeout."""
        deadline = asyncio.timeout(self._timeout)
        connections = _Connections()
        try:
            async with deadline:
                return await self._ask(connections)
        except Exception as exc:  # noqa: BLE001 - the port's promise: a failure is a value
            if deadline.expired():
                return CheckFailure(Reason.TIMED_OUT, f"no answer within {self._timeout:g} s")
            return failure_from(exc)
        finally:
            await connections.close()

    async def _ask(self, connections: "_Connections") -> CheckResult:
        transport = httpx.AsyncHTTPTransport(
            verify=self._tls, uds=self._address.socket, trust_env=False
        )
        client = httpx.AsyncClient(
            transport=transport,
            trust_env=False,
            timeout=None,  # noqa: S113 - list_gpus holds the deadline
        )
        request = client.stream(
            "GET",
            self._address.url,
            headers=self._headers(),
            extensions={"trace": connections.trace},
        )
        async with client, request as got:
            if got.status_code != HTTPStatus.OK:
                return http_failure(got.status_code)
            if _is_compressed(got.headers.get("Content-Encoding", "")):
                return CheckFailure(Reason.INVALID_RESPONSE, "the answer is compressed")
            body = await _read(got)
            version = decode_version(got.headers.get("X-App-Version"))
        return body if isinstance(body, CheckFailure) else decode_listing(body, version)

    def _headers(self) -> dict[str, str]:
        if self._credentials is None:
            return _HEADERS
        return {**_HEADERS, "Authorization": self._credentials.header()}


class _Connections:
    """Closes what httpcore opened: cancelled within a TLS handshake, it leaves its socket open."""

    def __init__(self) -> None:
        self._streams: list[httpcore.AsyncNetworkStream] = []

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event in _OPENED:
            self._streams.append(info["return_value"])

    async def close(self) -> None:
        for stream in self._streams:
            await stream.aclose()


_OPENED = ("connection.connect_tcp.complete", "connection.connect_unix_socket.complete")


def _is_compressed(codings: str) -> bool:
    return not {each.strip().lower() for each in codings.split(",")} <= {"", "identity"}


async def _read(response: httpx.Response) -> bytes | CheckFailure:
    body = bytearray()
    count = 0
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > LARGEST_BODY:
            limit = f"{LARGEST_BODY // 1024**2} MiB"
            return CheckFailure(Reason.RESPONSE_TOO_LARGE, f"the answer is larger than {limit}")
        count += 1
        if count % CHUNKS_BETWEEN_BREATHS == 0:
            await asyncio.sleep(0)
    return bytes(body)
