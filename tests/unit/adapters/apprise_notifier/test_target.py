"""Addresses that cannot be used, and a process that does not start."""

import sys
from pathlib import Path

import pytest

from dstack_backend.adapters.apprise_notifier import AppriseTarget, StartError, check_urls
from dstack_backend.adapters.apprise_notifier.order import Order


def test_address_that_is_not_printable_is_refused() -> None:
    """It comes from a damaged file."""
    urls = ["json://host/\n", "json://\x1b[2J", "json://\udcff", "json://\u202e"]
    assert check_urls(urls) == [None] * 4


def test_one_process_checks_all_addresses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One for each would delay the start of the service."""
    python, starts = tmp_path / "python", tmp_path / "starts"
    python.write_text(f'#!/bin/sh\necho >> {starts}\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    urls = ["json://host", "none://host", *["ntfys://ntfy.sh/topic"] * 20]
    assert check_urls(urls) == ["JSON", None, *["ntfy"] * 20]
    assert starts.read_text() == "\n"


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is that of an import of Apprise, which happens in another process."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        check_urls(["json://host"])
    assert caught.value.name == "apprise"


@pytest.mark.parametrize("python", ["/no/such/python", "/bin/false"])
def test_process_that_does_not_start_is_no_fault_of_the_address(
    python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example where the system denies programs to the service, or ends them."""
    monkeypatch.setattr(sys, "executable", python)
    with pytest.raises(StartError):
        check_urls(["json://host"])
    assert not AppriseTarget("json://host", "monitor").send("title", "body")


def test_order_prints_no_address() -> None:
    """A traceback may contain it."""
    assert "s3cret" not in repr(Order(("json://s3cret",), "monitor", 1.0))
