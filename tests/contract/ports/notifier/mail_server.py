"""A mail server that records messages."""

import contextlib
import email
import ssl
from collections.abc import Awaitable, Callable, Generator
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from msgspec import Struct

from tests.contract.process.service import free_port

__all__ = ["MailServer", "mail_server", "mail_url"]

Answer = Callable[[], Awaitable[str]]


class MailServer(Struct):
    """Where it listens, and what it got."""

    port: int
    messages: list[EmailMessage]

    @property
    def url(self) -> str:
        """The URL of a mailbox on it."""
        return mail_url(self.port)


def mail_url(port: int, password: str = "secret", schema: str = "mailto") -> str:
    """Return the URL of a mailbox."""
    query = "smtp=127.0.0.1&from=node@sender.example&to=operator@mail.example"
    return f"{schema}://user:{password}@127.0.0.1:{port}?{query}"


async def _accept() -> str:
    return "250 OK"


class _Mailbox:
    def __init__(self, recipient: Answer, data: Answer) -> None:
        self.messages: list[EmailMessage] = []
        self._recipient = recipient
        self._data = data

    async def handle_RCPT(  # noqa: N802 - of aiosmtpd
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _o: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return await self._recipient()

    async def handle_DATA(  # noqa: N802 - of aiosmtpd
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        self.messages.append(email.message_from_bytes(envelope.content, policy=default))
        return await self._data()


def _login(_server: SMTP, _s: Session, _e: Envelope, _name: str, data: object) -> AuthResult:
    is_right = isinstance(data, LoginPassword) and data.password == b"secret"
    return AuthResult(success=is_right, handled=False, auth_data=True)


@contextlib.contextmanager
def mail_server(
    recipient: Answer = _accept, data: Answer = _accept, tls: ssl.SSLContext | None = None
) -> Generator[MailServer]:
    """Run one in a thread. `recipient` and `data` answer the commands RCPT and DATA."""
    mailbox = _Mailbox(recipient, data)
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=free_port(),
        ready_timeout=20,
        authenticator=_login,
        auth_require_tls=False,
        tls_context=tls,
    )
    controller.start()
    try:
        yield MailServer(controller.port, mailbox.messages)
    finally:
        controller.stop()
