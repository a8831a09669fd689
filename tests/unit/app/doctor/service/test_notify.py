"""Tests of the check of the addresses that get messages."""

import sys

import pytest

from dstack_backend.app.config.settings import load
from dstack_backend.app.doctor.finding import Finding, Verdict
from dstack_backend.app.doctor.service.notify import check_notify

SECRET = "s3cret"


def found(urls: str) -> Finding:
    """Return the finding for addresses, which contains no secret."""
    finding = check_notify(load({"NOTIFY_URLS": urls}, {}))
    assert SECRET not in repr(finding)
    return finding


def test_addresses_are_counted() -> None:
    """Nothing is sent; the text says what sends a message."""
    finding = found(f"json://h/{SECRET} ntfy://h/{SECRET} json://{SECRET}@h")
    assert finding.verdict is Verdict.OK
    assert finding.text == (
        "messages go to 3 addresses (JSON, ntfy) after 1 min of unavailability;"
        " dstack-backend notify --test sends one"
    )


def test_no_address_is_no_fault() -> None:
    """Messages are optional."""
    finding = found("")
    assert finding.verdict is Verdict.OK
    assert "NOTIFY_URLS is not set" in finding.text


def test_bad_address_fails_with_its_position() -> None:
    """The service would not start."""
    finding = found(f"json://h, none://{SECRET}")
    assert finding.verdict is Verdict.FAILED
    assert "address 2" in finding.text
    assert "ntfys://" in finding.remedies[0]


def test_apprise_that_does_not_start_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service runs without it. The addresses are not at fault."""
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    finding = found(f"json://{SECRET}")
    assert finding.verdict is Verdict.WARNING
    assert finding.text == "Apprise does not start: messages cannot be sent"
    assert "memory limit" in finding.remedies[0]
    assert "processes" in finding.remedies[1]
