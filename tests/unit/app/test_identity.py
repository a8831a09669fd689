"""The node's identity, built from the settings, and the report of `identity`."""

import json
import logging
from pathlib import Path
from socket import gethostname

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from dstack_backend.adapters.ip_address import outgoing_address
from dstack_backend.app.config.settings import load
from dstack_backend.app.errors import UserError
from dstack_backend.app.identity import as_text, node_identity, report_identity
from dstack_backend.domain import (
    CheckFailure,
    Gpu,
    GpuInventory,
    NodeIdentity,
    Reason,
    assess,
    describe,
    encode_health,
)
from dstack_backend.domain.backend_info import encode
from dstack_backend.testing.contracts import check_answer

KEY = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e"
NPUB = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"
SECRET = "67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa"
OTHER = "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d"

H200 = Gpu(slot="3b:00.0", product_id="10de:2335", description="", is_free=True)
EIGHT = GpuInventory(gpus=(H200,) * 8)
REFUSED = CheckFailure(Reason.CONNECTION_REFUSED)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A file with a secret key, for its owner only."""
    file = tmp_path / "key"
    file.write_text(SECRET)
    file.chmod(0o600)
    return file


def test_identity_without_settings_publishes_no_key_and_no_address() -> None:
    """The bytes of `/health` are those of an empty identity."""
    identity = node_identity(load({}, {}))
    assert identity == NodeIdentity(node=gethostname())
    assert encode_health(assess(EIGHT), identity) == encode_health(assess(EIGHT))
    assert b"ip_address" not in encode_health(assess(EIGHT), identity).body


@pytest.mark.parametrize("name", ["gpu-07", "Rack 3 (left)", "机器.七_b"])
def test_the_name_of_the_node_is_not_in_health(name: str) -> None:
    """The bytes are the same, with every name."""
    settings = load({"NODE_NAME": name}, {})
    identity = node_identity(settings, NodeIdentity(service="mine"))
    assert (identity.node, identity.service) == (name, "mine")
    for result in (EIGHT, REFUSED):
        assert encode_health(assess(result), identity) == encode_health(assess(result))


def test_pubkeys_come_before_the_key_of_the_file_without_duplicates(key_file: Path) -> None:
    """The file's key follows those of PUBKEYS, unless it is one of them."""
    files = {"NOSTR_KEY_FILE": str(key_file)}
    assert node_identity(load(files, {})).pubkeys == (KEY,)
    assert node_identity(load({"PUBKEYS": OTHER, **files}, {})).pubkeys == (OTHER, KEY)
    assert node_identity(load({"PUBKEYS": f"{NPUB},{OTHER}", **files}, {})).pubkeys == (KEY, OTHER)


def test_neither_settings_nor_identity_hold_the_secret_key(key_file: Path) -> None:
    """They would show it in a traceback."""
    settings = load({"NOSTR_KEY_FILE": str(key_file)}, {})
    assert SECRET not in repr(settings) + repr(node_identity(settings))


def test_missing_key_file_is_created_only_with_nostr_key_create(tmp_path: Path) -> None:
    """Without it a missing file is an error. With it, a second start has the same key."""
    file = tmp_path / "key"
    with pytest.raises(UserError, match=r"^NOSTR_KEY_FILE .*cannot be read \(no such file"):
        node_identity(load({"NOSTR_KEY_FILE": str(file)}, {}))
    assert not file.exists()
    create = {"NOSTR_KEY_FILE": str(file), "NOSTR_KEY_CREATE": "1"}
    first, second = node_identity(load(create, {})), node_identity(load(create, {}))
    assert first.pubkeys == second.pubkeys
    assert len(first.pubkeys) == 1


def test_nostr_key_create_without_a_file_is_refused() -> None:
    """It would have no effect, without a message."""
    with pytest.raises(UserError, match=r"^NOSTR_KEY_FILE .*it is not set"):
        node_identity(load({"NOSTR_KEY_CREATE": "1"}, {}))


@pytest.mark.parametrize(
    ("mode", "warnings"), [(0o600, 0), (0o440, 0), (0o640, 0), (0o604, 1), (0o644, 1)]
)
def test_key_file_that_every_user_can_read_is_logged_as_a_warning(
    key_file: Path, mode: int, warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It is used all the same. A group may read it, as systemd and Kubernetes mount files so."""
    key_file.chmod(mode)
    assert node_identity(load({"NOSTR_KEY_FILE": str(key_file)}, {})).pubkeys == (KEY,)
    logged = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(logged) == warnings
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:DB8:0::7", "2001:db8::7"),
        *((each, each) for each in ("10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1")),
        *((each, each) for each in ("1.0.0.0", "223.255.255.255", "::2", "fd00::1")),
        ("", UNSET),
    ],
)
def test_advertised_address_is_published_in_its_canonical_form(text: str, address: object) -> None:
    """It is IPv4 or IPv6. Without the setting no address is published."""
    assert node_identity(load({"ADVERTISED_IP": text}, {})).ip_address == address


@pytest.mark.parametrize(
    "text",
    [
        *("localhost", "10.0.0", "10.0.0.1:80", " ", "fd00::1%eth0"),
        *("0.0.0.0", "0.1.2.3", "127.0.0.1", "127.9.9.9", "169.254.1.1"),
        *("224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:203.0.113.7"),
    ],
)
def test_address_that_other_machines_cannot_reach_is_refused(text: str) -> None:
    """The message names the variable and an example."""
    with pytest.raises(UserError, match=r"^ADVERTISED_IP .*for example ADVERTISED_IP="):
        load({"ADVERTISED_IP": text}, {})


def test_auto_publishes_the_address_of_the_default_route_or_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without a default route the field is absent, with a warning in the log."""
    found = outgoing_address()
    assert node_identity(load({"ADVERTISED_IP": "Auto"}, {})).ip_address == (found or UNSET)
    assert ("no default route" in caplog.text) == (found is None)


@given(st.ip_addresses())
def test_ip_address_is_the_last_field_of_health(address: object) -> None:
    """Available or not, the body passes the check of the contract."""
    identity = NodeIdentity(pubkeys=(KEY,), ip_address=str(address))
    for result, code in ((EIGHT, 200), (REFUSED, 503)):
        body = encode(describe(assess(result), identity))
        assert list(json.loads(body))[-2:] == ["metadata", "ip_address"]
        assert check_answer(code, body).ip_address == str(address)


@pytest.mark.parametrize("address", [None, 7, "", "localhost", "10.0.0.1:80"])
def test_contract_check_refuses_an_invalid_ip_address(address: object) -> None:
    """The field may be absent, but not wrong."""
    info = json.loads(encode_health(assess(EIGHT)).body)
    with pytest.raises(Exception, match=r"."):
        check_answer(200, json.dumps({**info, "ip_address": address}).encode())


def test_report_of_an_available_node() -> None:
    """Both forms of the key, the node type and the address."""
    identity = NodeIdentity(pubkeys=(KEY,), ip_address="203.0.113.7")
    report = report_identity(identity, EIGHT)
    assert as_text(report).splitlines() == [
        f"public key  {KEY}",
        f"            {NPUB}",
        "node type   node-H200x8",
        "ip address  203.0.113.7",
    ]
    assert json.loads(msgspec.json.encode(report)) == {
        "pubkeys": [{"hex": KEY, "npub": NPUB}],
        "node_type": "node-H200x8",
        "detail": None,
        "ip_address": "203.0.113.7",
    }


@pytest.mark.parametrize(
    ("result", "detail"),
    [(REFUSED, "Connection error: connection refused"), (GpuInventory(), "there are no GPUs")],
)
def test_report_has_the_reason_where_there_is_no_node_type(
    result: GpuInventory | CheckFailure, detail: str
) -> None:
    """It also shows that no key is set. An address that is not published is not in the JSON."""
    report = report_identity(NodeIdentity(), result)
    assert as_text(report).splitlines() == [
        "public key  none: set NOSTR_KEY_FILE or PUBKEYS",
        f"node type   none: {detail}",
    ]
    assert json.loads(msgspec.json.encode(report)) == {
        "pubkeys": [],
        "node_type": None,
        "detail": detail,
    }
