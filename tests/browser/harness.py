"""A service, its simulated DStack and a browser."""

import subprocess
from collections.abc import Callable
from functools import cached_property
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

from dstack_backend.testing.simulated_dstack import Remote
from tests.contract.process.service import Service

__all__ = ["READ_TIMEOUT", "SimulatedNode"]

READ_TIMEOUT = 15_000
"""Milliseconds within which a change is visible; far more than it takes."""


class SimulatedNode:
    """All three. Errors of the page fail the test.

    Attributes:
        dstack: The simulated DStack.
        serve: Starts a service for it.
        restart: Starts a service that has ended, at the same address.
        errors: Errors of the page: scripts, Content-Security-Policy, requests.
        foreign_requests: Requests to other hosts.
    """

    def __init__(
        self,
        browser: Browser,
        dstack: Remote,
        serve: Callable[..., Service],
        restart: Callable[[Service], subprocess.Popen[bytes]],
    ) -> None:
        """Start nothing yet."""
        self.dstack = dstack
        self.serve = serve
        self.restart = restart
        self.errors: list[str] = []
        self.foreign_requests: list[str] = []
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    @cached_property
    def service(self) -> Service:
        """The service, started with the first use."""
        return self.serve()

    def open(self, path: str = "/", *, service: Service | None = None, **options: Any) -> Page:
        """Open the page in a context of its own.

        Args:
            path: Path of the page.
            service: The service; by default `self.service`.
            options: Options of Playwright's `new_context`.
        """
        base = (service or self.service).url("")
        options = {"locale": "en-GB", "timezone_id": "Europe/Berlin"} | options
        context = self._browser.new_context(**options)
        self._contexts.append(context)
        context.set_default_timeout(READ_TIMEOUT)
        page = context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self._on_console(message.type, message.text))
        page.on("request", lambda request: self._on_request(request.url, base))
        page.goto(base + path)
        return page

    def _on_console(self, kind: str, text: str) -> None:
        if (
            kind == "error"
            and "ERR_CONNECTION_REFUSED" not in text
            and "ERR_INCOMPLETE" not in text
        ):
            self.errors.append(text)

    def _on_request(self, url: str, base: str) -> None:
        if not url.startswith(base + "/"):
            self.foreign_requests.append(url)

    def close(self) -> None:
        """Close all contexts."""
        for context in self._contexts:
            context.close()
