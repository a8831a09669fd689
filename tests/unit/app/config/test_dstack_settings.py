"""The settings of DStack: credentials, certificates, and that no secret is repeated."""

from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.adapters.httpx_dstack import Basic, Bearer, TokenFile
from dstack_backend.app.config.settings import load_dstack
from tests.setting_texts import setting_texts
from tests.unit.app.config.refusals import CANARY, assert_is_helpful, load_all, refused


def test_defaults_of_an_empty_environment() -> None:
    """DStack's port in its guides, without credentials and without TLS."""
    dstack = load_dstack({}, {})
    assert dstack.address.url == "http://localhost:19060/prpc/ListGpus?json"
    assert (dstack.credentials, dstack.tls) == (None, None)


@given(setting_texts())
def test_password_in_the_address_is_never_repeated(noise: str) -> None:
    """Neither by a message nor by the settings as a log or a traceback shows them."""
    environ = {"DSTACK_URL": f"http://user:{CANARY}{noise}@h"}
    assert CANARY not in (refused(environ) or load_all(environ))


@given(st.text(max_size=5), st.text(max_size=5))
def test_token_is_never_repeated(before: str, after: str) -> None:
    """A message about a token that fits no header shows nothing of it."""
    environ = {"DSTACK_TOKEN": before + CANARY + after}
    assert CANARY not in (refused(environ) or load_all(environ))


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"DSTACK_TOKEN": CANARY, "DSTACK_TOKEN_FILE": "FILE"}, "DSTACK_TOKEN_FILE"),
        ({"DSTACK_URL": f"http://u:{CANARY}@h", "DSTACK_TOKEN": CANARY}, "DSTACK_TOKEN"),
        ({"DSTACK_URL": f"http://u:{CANARY}@h", "DSTACK_TOKEN_FILE": "FILE"}, "DSTACK_TOKEN_FILE"),
    ],
)
def test_two_credentials_are_refused(
    environ: dict[str, str], variable: str, tmp_path: Path
) -> None:
    """Which of them was meant cannot be known. Neither is repeated."""
    file = tmp_path / "token"
    file.write_text(CANARY)
    given = {name: value.replace("FILE", str(file)) for name, value in environ.items()}
    message = refused(given)
    assert message is not None
    assert CANARY not in message
    assert "keep one of the two" in message
    assert_is_helpful(message, variable)


def test_credentials_are_the_token_the_files_token_or_the_login_of_the_address(
    tmp_path: Path,
) -> None:
    """Each of the three ways gives its own kind."""
    file = tmp_path / "token"
    file.write_text("b")
    assert load_dstack({"DSTACK_TOKEN": "a"}, {}).credentials == Bearer("a")
    assert load_dstack({"DSTACK_URL": "http://u:p@h"}, {}).credentials == Basic("u", "p")
    credentials = load_dstack({"DSTACK_TOKEN_FILE": str(file)}, {}).credentials
    assert isinstance(credentials, TokenFile)
    assert credentials.header() == "Bearer b"


def test_own_certificates_replace_the_public_ones(tmp_path: Path) -> None:
    """With `https://` and a file, only the file's certificates are trusted."""
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    own = load_dstack({"DSTACK_URL": "https://h", "DSTACK_CA_FILE": str(file)}, {}).tls
    public = load_dstack({"DSTACK_URL": "https://h"}, {}).tls
    assert own is not None
    assert public is not None
    assert len(own().get_ca_certs()) == 1
    assert len(public().get_ca_certs()) > 1


def test_without_https_there_is_no_tls_context(tmp_path: Path) -> None:
    """A file of certificates is checked all the same, and then not used."""
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    assert load_dstack({"DSTACK_CA_FILE": str(file)}, {}).tls is None
