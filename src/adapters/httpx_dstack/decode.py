"""Decodes DStack's answer to ListGpus, which is not trusted.

Source of the format: `ListGpusResponse` and `GpuInfo` in DStack's vmm_rpc.proto. Unknown fields
are ignored. `allow_attach_all` exists since June 2025.
"""

import re

import msgspec
from msgspec import Struct

from dstack_backend.domain.check import CheckFailure, CheckResult, Reason
from dstack_backend.domain.gpu import Gpu, GpuInventory

__all__ = ["decode_listing", "decode_version"]


class _ListGpusResponse(Struct, frozen=True):
    gpus: tuple[Gpu, ...]
    allow_attach_all: bool = False


_decoder = msgspec.json.Decoder(_ListGpusResponse)

# `v0.5.11 (git:0123abc)`
_VERSION = re.compile(r"v?\d[\w.+-]{0,40}(?: \(git:[\w.+-]{1,50}\))?", re.ASCII)


def decode_listing(body: bytes, source_version: str | None = None) -> CheckResult:
    """Return the inventory in the body of a 200 answer, or a failure. It never raises.

    The messages of msgspec, which are published, name positions and known fields, no value.
    """
    try:
        listing = _decoder.decode(body)
    except msgspec.DecodeError as exc:
        return CheckFailure(Reason.INVALID_RESPONSE, str(exc))
    except UnicodeDecodeError:
        return CheckFailure(Reason.INVALID_RESPONSE, "the answer is not UTF-8")
    except RecursionError:
        return CheckFailure(Reason.INVALID_RESPONSE, "the answer is nested too deep")
    return GpuInventory.from_devices(
        listing.gpus,
        allow_attach_all=listing.allow_attach_all,
        source_version=source_version,
    )


def decode_version(header: str | None) -> str | None:
    """Return the version of `X-App-Version`; `None` where it has not the form of a version."""
    return header if header and _VERSION.fullmatch(header) else None
