"""A service, its DStack and a browser that looks at it."""

import subprocess
from collections.abc import Callable
from functools import cached_property
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

from dstack_backend.testing.simulated_dstack import Remote
from tests.contract.process.service import Service

__all__ = ["READ_TIMEOUT", "SimulatedNode"]

READ_TIMEOUT = 15_000
"""Milliseconds that something may take to show: far more than it needs."""


class SimulatedNode:
    """All three. What the browser complains about fails the test that closes the stage.

    Attributes:
        dstack: The simulated DStack.
        serve: Starts a service beside it.
        start_again: Starts one that has ended, where it was.
        complaints: Errors of the page: scripts, Content-Security-Policy, requests.
        foreign: Requests to anybody but the service.
    """

    def __init__(
        self,
        browser: Browser,
        dstack: Remote,
        serve: Callable[..., Service],
        start_again: Callable[[Service], subprocess.Popen[bytes]],
    ) -> None:
        """Begin with an empty stage; nothing runs yet."""
        self.dstack = dstack
        self.serve = serve
        self.start_again = start_again
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    @cached_property
    def service(self) -> Service:
        """The service, started when it is first needed."""
        return self.serve()

    def open(self, path: str = "/", *, service: Service | None = None, **options: Any) -> Page:
        """Open the page in a context of its own.

        Args:
            path: What is asked for.
            service: The service; by default the stage's own.
            options: How the context is to be, in Playwright's words.
        """
        base = (service or self.service).url("")
        options = {"locale": "en-GB", "timezone_id": "Europe/Berlin"} | options
        context = self._browser.new_context(**options)
        self._contexts.append(context)
        context.set_default_timeout(READ_TIMEOUT)
        page = context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda told: self._hear(told.type, told.text))
        page.on("request", lambda asked: self._watch(asked.url, base))
        page.goto(base + path)
        return page

    def _hear(self, kind: str, text: str) -> None:
        if (
            kind == "error"
            and "ERR_CONNECTION_REFUSED" not in text
            and "ERR_INCOMPLETE" not in text
        ):
            self.complaints.append(text)

    def _watch(self, url: str, base: str) -> None:
        if not url.startswith(base + "/"):
            self.foreign.append(url)

    def close(self) -> None:
        """Close what was opened."""
        for context in self._contexts:
            context.close()
