"""The baseline: a service that calls DStack for each request, as the Rust service does.

Litestar, granian, httpx and the encoding are those of dstack-backend. There is no monitor.
"""

import asyncio
import os
import signal

from litestar import Litestar, MediaType, Response, get

from dstack_backend.adapters.granian_server import event_loop, listen, max_connections, serve
from dstack_backend.app.config.settings import load, load_dstack
from dstack_backend.app.container import Container
from dstack_backend.domain import assess, encode_health


async def main() -> None:
    """Serve until SIGTERM."""
    settings = load(os.environ, {})
    source = Container(settings=settings, dstack_settings=load_dstack(os.environ, {})).source()

    @get("/health")
    async def health() -> Response[bytes]:
        response = encode_health(assess(await source.list_gpus()))
        code = 200 if response.is_available else 503
        return Response(response.body, media_type=MediaType.JSON, status_code=code)

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await serve(Litestar([health]), listen(*settings.listen), stop, max_connections())


if __name__ == "__main__":
    event_loop().run_until_complete(main())
