"""How dephy-worker is pointed at us, from where it may run."""

from dstack_backend.app.doctor.place import DOCKER_HOST, KUBERNETES, Place, is_ourselves
from dstack_backend.app.doctor.verdict import Finding, Step, fine, warning
from dstack_backend.app.settings import ListenAddress

__all__ = ["judge_worker"]

ADD_HOST = f"--add-host {DOCKER_HOST}:host-gateway"


def judge_worker(listen: ListenAddress, place: Place) -> Finding:
    """Say what the worker's `--backend` must be."""
    everywhere = f"LISTEN_ADDR=0.0.0.0:{listen.port}"
    if _is_loopback(listen) and place.own_network:
        text = f"on {listen} nobody outside of this container reaches us"
        return warning(Step.WORKER, text, f"set {everywhere}")
    if _is_loopback(listen):
        text = f"on this host only: --backend {_health(str(listen))}"
        cure = f"for a worker in a container, set {everywhere} or start it with --network host"
        return warning(Step.WORKER, text, cure)
    if not is_ourselves(listen.host) and not place.own_network:
        return fine(Step.WORKER, f"--backend {_health(str(listen))}")
    return fine(Step.WORKER, _everywhere(listen.port, place))


def _is_loopback(listen: ListenAddress) -> bool:
    return is_ourselves(listen.host) and listen.host not in ("0.0.0.0", "::")  # noqa: S104 - compared


def _everywhere(port: int, place: Place) -> str:
    on_docker = f"--backend {_health(f'{DOCKER_HOST}:{port}')}"
    if place.container == KUBERNETES:
        return f"--backend {_health(f'SERVICE:{port}')}, SERVICE being the name of our Service"
    if place.own_network:
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
