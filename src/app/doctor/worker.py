"""How dephy-worker is pointed at us, from where it may run."""

from dstack_backend.app.config.settings import ListenAddress
from dstack_backend.app.doctor.environment import (
    DOCKER_HOST,
    KUBERNETES,
    RuntimeEnvironment,
    is_ourselves,
)
from dstack_backend.app.doctor.finding import Finding, Step, ok, warning

__all__ = ["check_worker"]

ADD_HOST = f"--add-host {DOCKER_HOST}:host-gateway"


def check_worker(listen: ListenAddress, environment: RuntimeEnvironment) -> Finding:
    """Say what the worker's `--backend` must be."""
    everywhere = f"LISTEN_ADDR=0.0.0.0:{listen.port}"
    if _is_loopback(listen) and environment.own_network:
        text = f"on {listen} nobody outside of this container reaches us"
        return warning(Step.WORKER, text, f"set {everywhere}")
    if _is_loopback(listen):
        text = f"on this host only: --backend {_health(str(listen))}"
        cure = f"for a worker in a container, set {everywhere} or start it with --network host"
        return warning(Step.WORKER, text, cure)
    if not is_ourselves(listen.host) and not environment.own_network:
        return ok(Step.WORKER, f"--backend {_health(str(listen))}")
    return ok(Step.WORKER, _everywhere(listen.port, environment))


def _is_loopback(listen: ListenAddress) -> bool:
    return is_ourselves(listen.host) and listen.host not in ("0.0.0.0", "::")  # noqa: S104 - compared


def _everywhere(port: int, environment: RuntimeEnvironment) -> str:
    on_docker = f"--backend {_health(f'{DOCKER_HOST}:{port}')}"
    if environment.container == KUBERNETES:
        return f"--backend {_health(f'SERVICE:{port}')}, SERVICE being the name of our Service"
    if environment.own_network:
        return (
            f"worker in a container of the same network: --backend"
            f" {_health(f'dstack-backend:{port}')}, or whatever this container's name is; of"
            f" another: {on_docker} and {ADD_HOST}, with the port that -p publishes, as in"
            f" -p {port}:{port}"
        )
    return (
        f"worker in a container: {on_docker} and {ADD_HOST}; worker on this host:"
        f" --backend {_health(f'localhost:{port}')}"
    )


def _health(netloc: str) -> str:
    return f"http://{netloc}/health"
