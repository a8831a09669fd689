"""The body of DStack's answer to ListGpus: JSON of an outside program, trusted for nothing.

Source of the format: `ListGpusResponse` and `GpuInfo` in DStack's vmm_rpc.proto. Fields that are
not known here are ignored. `allow_attach_all` exists since June 2025.
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

# `v0.5.11 (git:0123abc)`. What looks otherwise is not passed on.
_VERSION = re.compile(r"v?\d[\w.+-]{0,40}(?: \(git:[\w.+-]{1,50}\))?", re.ASCII)


def decode_listing(body: bytes, source_version: str | None = None) -> CheckResult:
    """Read the body of a 200 answer. It never raises.

    msgspec's own messages name positions and our own fields, never a value of the body.
    """
    try:
        listing = _decoder.decode(body)
    except msgspec.DecodeError as exc:
        return CheckFailure(Reason.INVALID_RESPONSE, str(exc))
    except UnicodeDecodeError:
        return CheckFailure(Reason.INVALID_RESPONSE, "the answer is not UTF-8")
    except RecursionError:
        return CheckFailure(Reason.INVALID_RESPONSE, "the answer is nested too deep")
    return GpuInventory(
        gpus=listing.gpus,
        allow_attach_all=listing.allow_attach_all,
        source_version=source_version,
    )


def decode_version(header: str | None) -> str | None:
    """Give the version out of `X-App-Version`; `None` where it does not look like one."""
    return header if header and _VERSION.fullmatch(header) else None
