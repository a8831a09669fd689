"""The address that dephy-worker needs, depending on where it runs."""

from dstack_backend.app.config.settings import ListenAddress
from dstack_backend.app.doctor.environment import (
    DOCKER_HOST,
    KUBERNETES,
    RuntimeEnvironment,
    is_local_host,
)
from dstack_backend.app.doctor.finding import Finding, Step, ok, warning

__all__ = ["check_worker"]

ADD_HOST = f"--add-host {DOCKER_HOST}:host-gateway"


def check_worker(listen: ListenAddress, environment: RuntimeEnvironment) -> Finding:
    """Return the worker's `--backend` for a service that listens on an address."""
    everywhere = f"LISTEN_ADDR=0.0.0.0:{listen.port}"
    is_unspecified = listen.connect_address != listen
    if is_local_host(listen.host) and not is_unspecified:
        if environment.own_network:
            text = f"{listen} cannot be reached from outside of this container"
            return warning(Step.WORKER, text, f"set {everywhere}")
        remedy = f"for a worker in a container, set {everywhere} or start it with --network host"
        return warning(Step.WORKER, f"on this host only: {_backend(str(listen))}", remedy)
    if not is_unspecified and not environment.own_network:
        return ok(Step.WORKER, _backend(str(listen)))
    return ok(Step.WORKER, _any_address(listen.port, environment))


def _any_address(port: int, environment: RuntimeEnvironment) -> str:
    on_docker = f"{_backend(f'{DOCKER_HOST}:{port}')} and {ADD_HOST}"
    if environment.container == KUBERNETES:
        return f"{_backend(f'SERVICE:{port}')}, SERVICE being the name of the Service of this pod"
    if environment.own_network:
        return (
            f"worker in a container of the same network: {_backend(f'dstack-backend:{port}')}, or"
            f" the name of this container; of another: {on_docker}, with the port that -p"
            f" publishes, as in -p {port}:{port}"
        )
    local = _backend(f"localhost:{port}")
    return f"worker in a container: {on_docker}; worker on this host: {local}"


def _backend(netloc: str) -> str:
    return f"--backend http://{netloc}/health"
