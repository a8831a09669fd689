"""DSTACK_CA_FILE replaced while the service runs."""

from collections.abc import Callable
from pathlib import Path

import trustme

from dstack_backend.testing.simulated_dstack import SimulatedDStack, in_thread
from tests.contract.process.certificates import server_context
from tests.contract.process.service import Service


def test_replaced_ca_file_is_taken_up_without_a_restart(
    authority: trustme.CA, serve: Callable[..., Service], tmp_path: Path
) -> None:
    """As a token file: removed, it is logged once and the last certificates are used."""
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(file)
    server = server_context(authority.issue_cert("127.0.0.1"))
    with in_thread(SimulatedDStack(), tls=server) as dstack:
        service = serve(DSTACK_URL=dstack.url, DSTACK_CA_FILE=str(file), CHECK_INTERVAL="0.2")
        service.wait_for("tls_failed")
        authority.cert_pem.write_to_path(file)
        service.wait_for(None)
        file.unlink()
        calls = dstack.dstack.calls
        while dstack.dstack.calls < calls + 3:
            assert service.status()["reason"] is None
        assert service.log.count("the CA file cannot be read") == 1
        service.end()
