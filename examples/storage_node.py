"""A storage node: an inventory of the volumes in `$VOLUMES`, with a struct of its own as metadata.

granian --interface asgi --factory --port 8080 --working-dir examples storage_node:create_app
"""

import asyncio
import os
from pathlib import Path
from shutil import disk_usage

from msgspec import Struct

from dstack_backend.adapters.litestar_http import HealthApp
from dstack_backend.app.config.settings import load
from dstack_backend.app.embed import embed
from dstack_backend.domain import CheckFailure, CheckResult, Reason


class VolumeMetadata(Struct, frozen=True):
    """The metadata of `/health`."""

    free_bytes: dict[str, int]


class Volumes(Struct, frozen=True, kw_only=True):
    """Implements `Inventory`: the free bytes of each volume, by name."""

    free_bytes: dict[str, int]
    is_empty: bool
    summary: str
    source_version: str | None = None

    def metadata(self) -> VolumeMetadata:
        """Return the metadata of `/health`."""
        return VolumeMetadata(self.free_bytes)


class VolumeFolder(Struct, frozen=True):
    """A source: each folder in `root` is the mount point of a volume."""

    root: Path

    async def list_gpus(self) -> CheckResult:
        """Return the volumes, or why they cannot be read."""
        try:
            return await asyncio.to_thread(self._read)
        except OSError:
            return CheckFailure(Reason.CONNECTION_FAILED, "the volumes cannot be read")

    def _read(self) -> Volumes:
        free = {path.name: disk_usage(path).free for path in sorted(self.root.iterdir())}
        return Volumes(free_bytes=free, is_empty=not free, summary=f"{len(free)} volumes")


def create_app() -> HealthApp:
    """Return the service."""
    source = VolumeFolder(Path(os.environ.get("VOLUMES", "/srv/volumes")))
    settings = load({"DATA_DIR": "./storage-data", **os.environ}, {})
    return embed(source, settings, topic="storage-monitor", name="volumes").http_app()
