"""The node's identity: built from the settings at the start, and reported by `identity`."""

import logging
from socket import gethostname

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from dstack_backend.adapters.ip_address import AUTO, outgoing_address
from dstack_backend.adapters.nostr_keys import create_key, npub, read_key
from dstack_backend.app.config.settings import Settings, setting_error
from dstack_backend.domain.backend_info import NodeIdentity
from dstack_backend.domain.check import CheckFailure, CheckResult
from dstack_backend.domain.gpu import GpuInventory, NoNodeType, node_type

__all__ = ["IdentityReport", "PublicKey", "as_text", "node_identity", "node_name"]
__all__ += ["report_identity"]

_log = logging.getLogger(__name__)


class PublicKey(Struct, frozen=True, kw_only=True):
    """A public key in both forms; `npub` is `None` where the extra is not installed."""

    hex: str
    npub: str | None


class IdentityReport(Struct, frozen=True, kw_only=True):
    """What an operator needs to register the node. `detail` is why there is no node type."""

    pubkeys: tuple[PublicKey, ...]
    node_type: str | None
    detail: str | None
    ip_address: str | UnsetType = UNSET


def node_identity(settings: Settings, base: NodeIdentity | None = None) -> NodeIdentity:
    """Return `base` with the keys and the address of the settings. It holds no secret key.

    Raises:
        UserError: The key file cannot be used or created.
    """
    return replace(
        base or NodeIdentity(),
        node=node_name(settings),
        pubkeys=tuple(dict.fromkeys((*settings.pubkeys, *_file_keys(settings)))),
        ip_address=_ip_address(settings.advertised_ip),
    )


def node_name(settings: Settings) -> str:
    """Return the name of the node for people."""
    return settings.node_name or gethostname()


def report_identity(identity: NodeIdentity, result: CheckResult) -> IdentityReport:
    """Return the report for an identity and the result of a check."""
    kind, detail = _node_type(result)
    return IdentityReport(
        pubkeys=tuple(PublicKey(hex=key, npub=npub(key)) for key in identity.pubkeys),
        node_type=kind,
        detail=detail,
        ip_address=identity.ip_address,
    )


def as_text(report: IdentityReport) -> str:
    """Return the report as lines for people."""
    rows: list[tuple[str, str]] = []
    for key in report.pubkeys:
        rows += [("public key", key.hex), ("", key.npub or "(the npub needs the extra nostr)")]
    if not rows:
        rows = [("public key", "none: set NOSTR_KEY_FILE or PUBKEYS")]
    rows.append(("node type", report.node_type or f"none: {report.detail}"))
    if report.ip_address:
        rows.append(("ip address", report.ip_address))
    return "\n".join(f"{title:<12}{text}" for title, text in rows)


def _file_keys(settings: Settings) -> tuple[str, ...]:
    file = settings.nostr_key_file
    if file is None:
        if settings.nostr_key_create:
            raise setting_error("NOSTR_KEY_FILE", "it is not set, but NOSTR_KEY_CREATE is")
        return ()
    try:
        is_new = settings.nostr_key_create and create_key(file)
        key = read_key(file)
    except ValueError as exc:
        raise setting_error("NOSTR_KEY_FILE", str(exc)) from None
    if is_new:
        _log.info("created a Nostr key in NOSTR_KEY_FILE; its public key is %s", key.public_key)
    if not key.is_private:
        _log.warning("every user can read NOSTR_KEY_FILE; change that with chmod o=")
    return (key.public_key,)


def _ip_address(advertised: str | None) -> str | UnsetType:
    if advertised != AUTO:
        return advertised or UNSET
    address = outgoing_address()
    if address is None:
        _log.warning("ADVERTISED_IP=auto: no address found, as there is no default route")
    return address or UNSET


def _node_type(result: CheckResult) -> tuple[str | None, str | None]:
    """Return the node type, or why there is none."""
    if isinstance(result, CheckFailure):
        return None, result.message
    if not isinstance(result, GpuInventory):
        return None, "the inventory has no GPUs"
    kind = node_type(result)
    return (None, kind.message) if isinstance(kind, NoNodeType) else (kind, None)
