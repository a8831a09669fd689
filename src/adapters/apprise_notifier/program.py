"""The process that sends one message, or checks addresses. Run by `AppriseTarget`."""

import contextlib
import resource
import signal
import sys
from pathlib import Path

import msgspec
from apprise import (
    Apprise,
    AppriseAsset,
    AppriseResultStatus,
    NotifyFormat,
    NotifyType,
    OverflowMode,
)
from apprise import PersistentStoreMode as Storage

from dstack_backend.adapters.apprise_notifier.order import DONE, NOT_SENT, Order

__all__ = ["main"]

MAX_MEMORY = 128 * 2**20
"""Bytes of data. Apprise needs 40 MB; it reads a response of any size into memory."""


def main() -> int:
    """Do what standard input asks for, and return the exit code."""
    _limit_memory()
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    parsed = [_parse(url, order.sender) for url in order.urls]
    if order.message is None:
        names = [None if each is None else str(each[0].service_name) for each in parsed]
        sys.stdout.buffer.write(msgspec.json.encode(names))
        return DONE
    signal.setitimer(signal.ITIMER_REAL, order.timeout)  # its signal ends the process
    are_sent = [
        each is not None and _is_sent(each, *order.message, NotifyType(order.level))
        for each in parsed
    ]
    return DONE if all(are_sent) else NOT_SENT


def _parse(url: str, sender: str) -> Apprise | None:
    asset = AppriseAsset(
        app_id=sender,
        app_desc=sender,
        app_url="",
        image_url_mask="",
        image_url_logo="",
        storage_mode=Storage.MEMORY,
        http_redirects=False,  # another host would get the message and its secrets
        service_timeout=0,  # the timer of this process is the limit
    )
    try:
        service = Apprise.instantiate(url, asset=asset)  # pyright: ignore[reportUnknownMemberType] - of a dict
    except MemoryError:
        raise  # no fault of the address
    except Exception:  # noqa: BLE001 - each service has its own errors
        return None
    if service is None:
        return None
    service.optional = False  # with `?optional=yes` a failure would count as sent
    if service.overflow_mode == OverflowMode.UPSTREAM:  # the service would refuse a long message
        service.overflow_mode = OverflowMode.TRUNCATE
    return Apprise(service, asset=asset)


def _is_sent(apprise: Apprise, title: str, body: str, kind: NotifyType) -> bool:
    """Send. `Apprise.notify` escapes the text where a service takes markup; its services do not."""
    try:
        result = apprise.notify(  # pyright: ignore[reportUnknownMemberType] - of a dict
            body, title=title, notify_type=kind, body_format=NotifyFormat.TEXT
        )
    except Exception:  # noqa: BLE001 - each service has its own errors
        return False
    return result.status is AppriseResultStatus.SUCCESS


def _limit_memory() -> None:
    """Limit the memory, and let the system end this process first where it is short of memory."""
    with contextlib.suppress(OSError, ValueError):  # the system may deny it
        resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY, MAX_MEMORY))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")


if __name__ == "__main__":
    sys.exit(main())
