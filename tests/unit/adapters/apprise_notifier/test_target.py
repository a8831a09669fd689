"""Addresses that cannot be used, found without a process of Apprise."""

import sys

import pytest

from dstack_backend.adapters.apprise_notifier import AppriseTarget


@pytest.mark.parametrize(
    "url", ["json://host/\n", "json://\x1b[2J", "json://\udcff", "json://\u202e"]
)
def test_address_that_is_not_printable_is_refused(url: str) -> None:
    """It comes from a damaged file."""
    with pytest.raises(ValueError, match="Apprise has no service for this kind of URL"):
        AppriseTarget(url, "monitor")


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is that of an import of Apprise, which happens in another process."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        AppriseTarget("json://host", "monitor")
    assert caught.value.name == "apprise"


def test_process_that_does_not_start_is_no_fault_of_the_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For example where the system denies programs to the service."""
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(ValueError, match="Apprise cannot be started"):
        AppriseTarget("json://host", "monitor")
