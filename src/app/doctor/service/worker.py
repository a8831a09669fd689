"""The address that dephy-worker needs, depending on where it runs."""

from dstack_backend.app.config.settings import ListenAddress
from dstack_backend.app.doctor import environment as env
from dstack_backend.app.doctor.finding import Finding, Step

__all__ = ["check_worker"]

_ONLY = {"::": "; over IPv6 only", "0.0.0.0": "; over IPv4 only"}  # noqa: S104 - looked up


def check_worker(listen: ListenAddress, environment: env.RuntimeEnvironment) -> Finding:
    """Return the worker's `--backend` for a service that listens on an address."""
    is_any = listen.connect_address != listen
    if env.is_local_host(listen.host) and not is_any:
        text = f"on this host only: {_backend(str(listen))}"
        if environment.own_network:
            text = f"{listen} cannot be reached from outside of this container"
        remedy = f"for a worker elsewhere, set LISTEN_ADDR=*:{listen.port}"
        return Step.WORKER.warning(text, remedy)
    if is_any or environment.own_network:
        return Step.WORKER.ok(_any_address(listen, environment) + _ONLY.get(listen.host, ""))
    return Step.WORKER.ok(_backend(str(listen)))


def _any_address(listen: ListenAddress, environment: env.RuntimeEnvironment) -> str:
    port = listen.port
    if environment.container == env.KUBERNETES:
        return f"{_backend(f'SERVICE:{port}')}, SERVICE being the name of the Service of this pod"
    host = env.DOCKER_HOST
    # Docker's host-gateway is an IPv4 address.
    gateway = "ADDRESS, an IPv6 address of this host" if listen.host == "::" else "host-gateway"
    on_docker = f"{_backend(f'{host}:{port}')} and --add-host {host}:{gateway}"
    if environment.own_network:
        same = f"{_backend(f'dstack-backend:{port}')}, or the name of this container"
        other = f"{on_docker}, with the port that is published, as in -p {port}:{port}"
        return f"worker in a container of the same network: {same}; of another: {other}"
    local = _backend(str(listen.connect_address) if listen.host == "::" else f"localhost:{port}")
    return f"worker in a container: {on_docker}; worker on this host: {local}"


def _backend(netloc: str) -> str:
    return f"--backend http://{netloc}/health"
