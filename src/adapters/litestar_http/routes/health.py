"""`GET /health` and the probes `/livez` and `/readyz`."""

from http import HTTPStatus

from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler

from dstack_backend.adapters.litestar_http.openapi import status as openapi
from dstack_backend.adapters.litestar_http.schemas import Liveness, Readiness
from dstack_backend.domain.backend_info import BackendInfo, NodeIdentity
from dstack_backend.domain.ports import Health

__all__ = ["health_handlers"]


def health_handlers(health: Health, identity: NodeIdentity) -> list[HTTPRouteHandler]:
    """Return the handlers."""

    @get("/health", responses=openapi.health_responses(identity), tags=["worker"])
    async def backend_info() -> Response[BackendInfo]:
        """BackendInfo for dephy-worker, from memory: never waits for a check."""
        response = health.response()
        return Response(
            response.body,  # type: ignore[arg-type]  # the encoded form of a BackendInfo
            media_type=MediaType.JSON,
            status_code=_status_code(is_ok=response.is_available),
        )

    @get("/livez", responses=openapi.LIVENESS, tags=["probes"])
    async def liveness() -> Liveness:
        """This process works. An outage of the source has no effect."""
        return Liveness(alive=True)

    @get("/readyz", responses=openapi.READINESS, tags=["probes"])
    async def readiness() -> Response[Readiness]:
        """A first check has finished, whatever its result."""
        is_ready = health.is_ready()
        return Response(Readiness(is_ready), status_code=_status_code(is_ok=is_ready))

    return [backend_info, liveness, readiness]


def _status_code(*, is_ok: bool) -> int:
    return HTTPStatus.OK if is_ok else HTTPStatus.SERVICE_UNAVAILABLE
