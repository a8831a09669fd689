"""Variables that libraries read neither break the service nor redirect it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from dstack_backend.testing.simulated_dstack import Remote, SimulatedDStack, in_thread
from tests.contract.process.certificates import server_context
from tests.contract.process.service import Service, run_command

NOWHERE = "http://127.0.0.1:9"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")

ENVIRONMENTS: dict[str, dict[str, str]] = {
    "key log": {"SSLKEYLOGFILE": "/no/such/file"},
    "proxies": {**dict.fromkeys(PROXIES, NOWHERE), "NO_PROXY": "[::"},
    "certificates": {
        **dict.fromkeys(("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"), "/no/such/file"),
        **dict.fromkeys(("OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES"), "/no/such/file"),
    },
    "metrics": {"PROMETHEUS_MULTIPROC_DIR": "/no/such/folder"},
    "metrics, old name": {"prometheus_multiproc_dir": "/no/such/folder"},
    "web framework": {"LITESTAR_DEBUG": "1", "LITESTAR_PDB": "1", "LITESTAR_APP": "x:y"},
    "server": {"GRANIAN_WORKERS": "3", "GRANIAN_INTERFACE": "wsgi", "GRANIAN_PORT": "1"},
    "system": {
        "TMPDIR": "/no/such/folder",
        "HOME": "/no/such/folder",
        "TZ": "No/Zone",
        "LC_ALL": "C",
    },
}


@pytest.fixture
def dstack_tls(authority: trustme.CA, tmp_path: Path) -> Iterator[tuple[Remote, dict[str, str]]]:
    """A simulated DStack with TLS, and the settings that reach it."""
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    tls = server_context(authority.issue_cert("127.0.0.1"))
    with in_thread(SimulatedDStack(), tls=tls) as remote:
        yield remote, {"DSTACK_URL": remote.url, "DSTACK_CA_FILE": str(ca_file)}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_environment_of_libraries_changes_nothing(
    name: str, serve: Callable[..., Service], dstack_tls: tuple[Remote, dict[str, str]]
) -> None:
    """The service gets its inventory over TLS, answers, and logs no warning."""
    service = serve(**dstack_tls[1], **ENVIRONMENTS[name])
    service.wait_for(None)
    codes = [service.ask(path).code for path in ("/health", "/metrics", "/", "/no-such-path")]
    assert codes == [200, 200, 200, 404]
    assert service.end()[0] == 0
    assert all(" INFO " in line for line in service.log.splitlines()), service.log


def test_neither_tls_keys_nor_metrics_are_written_to_files(
    serve: Callable[..., Service], dstack_tls: tuple[Remote, dict[str, str]], tmp_path: Path
) -> None:
    """With the keys, a recorded connection and the token in it could be read."""
    keys, metrics = tmp_path / "keys", tmp_path / "metrics"
    metrics.mkdir()
    env = {"SSLKEYLOGFILE": str(keys), "PROMETHEUS_MULTIPROC_DIR": str(metrics)}
    service = serve(**dstack_tls[1], **env)
    service.wait_for(None)
    assert service.ask("/metrics").code == 200
    assert not keys.exists()
    assert list(metrics.iterdir()) == []


@pytest.mark.parametrize("setting", ["DSTACK_CA_FILE", "DSTACK_URL"])
def test_configuration_of_openssl_that_cannot_be_used_is_named(
    setting: str, dstack_tls: tuple[Remote, dict[str, str]], tmp_path: Path
) -> None:
    """Operators choose it on purpose, for FIPS for example, so it is not ignored."""
    conf = tmp_path / "openssl.cnf"
    conf.write_text("openssl_conf=a\n[a]\nproviders=b\n[b]\nnone=c\n[c]\nactivate=1\n")
    env = {"DSTACK_URL": dstack_tls[1]["DSTACK_URL"], setting: dstack_tls[1][setting]}
    done = run_command("check", **env, OPENSSL_CONF=str(conf))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"dstack-backend: {setting} ")
    assert "OPENSSL_CONF" in done.stderr
    assert done.stderr.count("\n") == 1
