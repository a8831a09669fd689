"""Who we are to the network: built from the settings at the start, and told by a command."""

import logging
from pathlib import Path

from msgspec import UNSET, Struct, UnsetType
from msgspec.json import encode

from dstack_backend.adapters.ip_address import AUTO, outgoing_address
from dstack_backend.adapters.nostr_keys import MissingLibraryError, create_key, npub, read_key
from dstack_backend.app.config.settings import Settings, setting_error
from dstack_backend.domain.backend_info import DSTACK, DSTACK_TOPIC, NodeIdentity
from dstack_backend.domain.check import CheckFailure, CheckResult
from dstack_backend.domain.gpu import GpuInventory, NoNodeType, node_type

__all__ = ["IdentityReport", "PublicKey", "as_json", "as_text", "node_identity", "report_identity"]

_log = logging.getLogger(__name__)


class PublicKey(Struct, frozen=True, kw_only=True):
    """A public key in both of its forms; `npub` is `None` where the extra is missing."""

    hex: str
    npub: str | None


class IdentityReport(Struct, frozen=True, kw_only=True):
    """What an operator needs to register the node.

    Attributes:
        pubkeys: The public keys that `/health` carries.
        node_type: The node type; `None` where there is none.
        detail: Why there is no node type.
        ip_address: The address that `/health` carries; absent where it carries none.
    """

    pubkeys: tuple[PublicKey, ...]
    node_type: str | None
    detail: str | None
    ip_address: str | UnsetType = UNSET


def node_identity(
    settings: Settings, *, topic: str = DSTACK_TOPIC, source: str = DSTACK
) -> NodeIdentity:
    """Build the identity; of a secret key nothing but its public key is kept.

    Args:
        settings: What the operator says of the node.
        topic: What the backend reports on.
        source: What people call the source of GPUs.

    Raises:
        UserError: There is no usable key in the file, or it cannot be made.
    """
    derived = _derived_keys(settings)
    return NodeIdentity(
        topic=topic,
        source=source,
        pubkeys=tuple(dict.fromkeys((*settings.pubkeys, *derived))),
        ip_address=_ip_address(settings.advertised_ip),
    )


def report_identity(identity: NodeIdentity, result: CheckResult) -> IdentityReport:
    """Put together what the operator needs, from the identity and one check."""
    kind = node_type(result) if isinstance(result, GpuInventory) else result
    return IdentityReport(
        pubkeys=tuple(PublicKey(hex=key, npub=_npub(key)) for key in identity.pubkeys),
        node_type=kind if isinstance(kind, str) else None,
        detail=_why_not(kind),
        ip_address=identity.ip_address,
    )


def as_json(report: IdentityReport) -> str:
    """Give it as one line of JSON."""
    return encode(report).decode()


def as_text(report: IdentityReport) -> str:
    """Give it as lines for people."""
    rows: list[tuple[str, str]] = []
    for key in report.pubkeys:
        rows += [("public key", key.hex), ("", key.npub or "(its npub needs the extra nostr)")]
    if not rows:
        rows = [("public key", "none: set NOSTR_KEY_FILE or PUBKEYS")]
    rows.append(("node type", report.node_type or f"none: {report.detail}"))
    if report.ip_address:
        rows.append(("ip address", report.ip_address))
    return "\n".join(f"{title:<12}{text}" for title, text in rows)


def _derived_keys(settings: Settings) -> tuple[str, ...]:
    file = settings.nostr_key_file
    if file is None:
        if settings.nostr_key_create:
            raise setting_error("NOSTR_KEY_FILE", "it is not set, but NOSTR_KEY_CREATE is")
        return ()
    try:
        return (_key_in(file, create=settings.nostr_key_create),)
    except ValueError as exc:
        raise setting_error("NOSTR_KEY_FILE", str(exc)) from None


def _key_in(file: Path, *, create: bool) -> str:
    made = create and create_key(file)
    key = read_key(file)
    if made:
        _log.info("a Nostr key was made in NOSTR_KEY_FILE; its public key is %s", key.public_key)
    if not key.is_private:
        _log.warning("everybody on this machine may read NOSTR_KEY_FILE; chmod o= ends that")
    return key.public_key


def _ip_address(advertised: str | None) -> str | UnsetType:
    if advertised != AUTO:
        return advertised or UNSET
    found = outgoing_address()
    if found is None:
        _log.warning("ADVERTISED_IP=auto finds no address: there is no default route")
    return found or UNSET


def _why_not(kind: object) -> str | None:
    match kind:
        case NoNodeType():
            return kind.message
        case CheckFailure():
            return kind.message
        case _:
            return None


def _npub(key: str) -> str | None:
    try:
        return npub(key)
    except MissingLibraryError:
        return None
