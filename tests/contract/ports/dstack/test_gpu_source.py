"""One suite for every implementation of the port `GpuSource`."""

import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from dstack_backend.adapters.httpx_dstack import Bearer, HttpxDStack, parse_address, ssl_contexts
from dstack_backend.domain import GpuInventory, GpuSource
from dstack_backend.testing.contracts import (
    GpuInventoryContract,
    GpuSourceContract,
    TimeoutContract,
)
from dstack_backend.testing.fakes import FakeClock, FakeGpuSource
from dstack_backend.testing.faults import FAULTS
from dstack_backend.testing.simulated_dstack import Remote, SimulatedDStack, in_thread
from tests.contract.process.certificates import server_context


class TestFakeGpuSource(GpuInventoryContract):
    """The fake."""

    def source_of(self, inventory: GpuInventory) -> GpuSource:
        """Return a source with one scripted result."""
        return FakeGpuSource([inventory], clock=FakeClock())


class OverHttpx(GpuInventoryContract, TimeoutContract):
    """The httpx adapter; a subclass chooses the transport."""

    deadline = 1.0
    remote: Remote
    tls: Callable[[], ssl.SSLContext] | None = None

    def source_of(self, inventory: GpuInventory) -> GpuSource:
        """Return the adapter for a DStack with these GPUs."""
        self.remote.dstack.gpus = inventory.gpus
        self.remote.dstack.allow_attach_all = inventory.allow_attach_all
        return self._adapter()

    def hanging_source(self) -> GpuSource:
        """Return the adapter for a DStack that hangs."""
        self.remote.dstack.behaviour = FAULTS["hang-in-body"].behaviour
        return self._adapter()

    def _adapter(self) -> GpuSource:
        address = parse_address(self.remote.url)
        return HttpxDStack(address, timeout=self.deadline, tls=self.tls)


class TestOverTcp(OverHttpx):
    """DStack on a TCP port."""

    @pytest.fixture(autouse=True)
    def _listen(self) -> Iterator[None]:
        with in_thread(SimulatedDStack()) as self.remote:
            yield


class TestOverUnixSocket(OverHttpx):
    """DStack on a unix socket, which is its default."""

    @pytest.fixture(autouse=True)
    def _listen(self, tmp_path: Path) -> Iterator[None]:
        with in_thread(SimulatedDStack(), tmp_path / "vmm.sock") as self.remote:
            yield


class TestOverTls(OverHttpx):
    """DStack over TLS, with a private authority."""

    @pytest.fixture(autouse=True)
    def _listen(self, authority: trustme.CA, tmp_path: Path) -> Iterator[None]:
        server = server_context(authority.issue_cert("127.0.0.1"))
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        self.tls = ssl_contexts(tmp_path / "ca.pem")
        with in_thread(SimulatedDStack(), tls=server) as self.remote:
            yield


# Without the variable there is no test, rather than a skipped one.
if real := os.environ.get("DSTACK_CONTRACT_URL", ""):

    class TestOverARealDStack(GpuSourceContract):
        """The DStack that DSTACK_CONTRACT_URL names, with DSTACK_CONTRACT_TOKEN if it is set."""

        def source(self) -> GpuSource:
            """Return the adapter for it."""
            token = os.environ.get("DSTACK_CONTRACT_TOKEN")
            credentials = Bearer(token) if token else None
            return HttpxDStack(parse_address(real), timeout=5.0, credentials=credentials)
