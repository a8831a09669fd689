"""The addresses of the settings, and an Apprise that does not start."""

import sys

import pytest

from dstack_backend.app.config.settings import load
from dstack_backend.app.errors import UserError
from dstack_backend.app.notify.command import run
from dstack_backend.app.notify.open import open_notifications
from dstack_backend.app.notify.sender import Notifications
from dstack_backend.domain import NodeIdentity
from dstack_backend.testing.fakes import FakeClock

SECRET = "s3cret"


def opened(urls: str, identity: NodeIdentity | None = None) -> Notifications | None:
    """Return what the service would send with."""
    settings = load({"NOTIFY_URLS": urls}, {})
    return open_notifications(settings, identity or NodeIdentity(), FakeClock())


@pytest.mark.parametrize(
    ("urls", "text"),
    [
        (f"json://{SECRET}", "1 address (JSON)"),
        (f"json://{SECRET} ntfy://h/{SECRET} json://h", "3 addresses (JSON, ntfy)"),
    ],
)
def test_start_tells_where_messages_go(
    urls: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """In one line, without an address."""
    caplog.set_level("INFO")
    assert opened(urls)
    assert [each.getMessage() for each in caplog.records] == [f"messages go to {text}"]


@pytest.mark.parametrize(
    ("identity", "hint"),
    [(NodeIdentity(), "; see dstack-backend doctor"), (NodeIdentity(source="Pool"), "")],
)
def test_service_starts_where_apprise_does_not(
    identity: NodeIdentity,
    hint: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Memory may be short for a moment. One warning tells it, and sending is tried anyway."""
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    caplog.set_level("INFO")
    assert opened(f"json://{SECRET} ntfy://h/{SECRET}", identity)
    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        ("WARNING", f"messages cannot be sent: Apprise does not start{hint}")
    ]


def test_bad_address_is_refused_with_its_position() -> None:
    """With exit code 2, without the address."""
    with pytest.raises(UserError, match="address 2: Apprise has no service") as caught:
        opened(f"json://h none://{SECRET}")
    assert caught.value.exit_code == 2
    assert SECRET not in str(caught.value)


def test_test_message_needs_apprise(monkeypatch: pytest.MonkeyPatch) -> None:
    """The addresses are not at fault."""
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(UserError, match=r"^Apprise does not start; see ") as caught:
        run({"NOTIFY_URLS": f"json://{SECRET}"}, {"test": ""})
    assert caught.value.exit_code == 1
