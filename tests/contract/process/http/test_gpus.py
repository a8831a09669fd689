"""GPUs that are lost and return, as `/gpus`, `/status`, `/health` and `/history` show it."""

import http.client
import json
import time
from collections.abc import Callable
from contextlib import closing
from statistics import median
from typing import Any

from msgspec.structs import replace

from dstack_backend.domain import Gpu
from dstack_backend.testing.simulated_dstack import EIGHT_H200, Remote
from tests.contract.process.service import Service, wait_until

LOST = EIGHT_H200[2]
SEVEN = (*EIGHT_H200[:2], *EIGHT_H200[3:])
NVSWITCH = Gpu(slot="05:00.0", product_id="10de:22a3", description="NVIDIA", is_free=True)


def _gpus(service: Service) -> Any:
    return service.ask("/gpus").json()


def _kinds(service: Service, query: str = "") -> list[tuple[str, str]]:
    entries = service.ask(f"/history{query}").json()["entries"]
    return [(each["kind"], each["gpu"]["slot"]) for each in reversed(entries) if each["gpu"]]


def test_a_lost_gpu_is_missing_until_it_returns(service: Service, dstack: Remote) -> None:
    """The node stays available for the worker; the history has both changes."""
    dstack.dstack.gpus = SEVEN
    wait_until(lambda: _gpus(service)["missing"])
    body, status = _gpus(service), service.status()
    assert (body["degraded"], body["current"], len(body["gpus"])) == (True, True, 7)
    (missing,) = body["missing"]
    assert (missing["slot"], missing["model"]) == (LOST.slot, "H200 SXM 141GB")
    assert (status["status"], status["degraded"]) == ("available", True)
    assert status["missing"] == [missing]
    health = service.ask("/health")
    assert health.code == 200
    assert json.loads(health.json()["metadata"])["gpu_count"] == 7
    dstack.dstack.gpus = EIGHT_H200
    wait_until(lambda: not _gpus(service)["degraded"])
    assert _kinds(service) == [("gpu_lost", LOST.slot), ("gpu_found", LOST.slot)]
    (lost,) = service.ask("/history?kind=gpu_lost").json()["entries"]
    assert lost["gpu"]["last_seen"] == missing["last_seen"] < lost["at"]


def test_use_is_in_the_history_where_it_is_asked_for(service: Service, dstack: Remote) -> None:
    """In the order in which it happened."""
    *others, free = EIGHT_H200
    assert free.is_free
    dstack.dstack.gpus = (*others, replace(free, is_free=False))
    wait_until(lambda: _kinds(service, "?kind=gpu_allocated"))
    dstack.dstack.gpus = EIGHT_H200
    query = "?kind=gpu_allocated,gpu_released"
    wait_until(lambda: len(_kinds(service, query)) == 2)
    assert _kinds(service, query) == [("gpu_allocated", free.slot), ("gpu_released", free.slot)]
    assert _kinds(service) == []


def test_the_last_known_gpus_stay_during_an_outage(service: Service, dstack: Remote) -> None:
    """Marked as not current. None of them is lost by it."""
    dstack.crash()
    service.wait_for("connection_refused")
    body = _gpus(service)
    assert (len(body["gpus"]), body["current"], body["degraded"]) == (8, False, False)
    dstack.revive()
    service.wait_for(None)
    assert _gpus(service)["current"] is True
    assert _kinds(service) == []


def test_nvswitches_are_other_devices(service: Service, dstack: Remote) -> None:
    """In `/gpus` and `/status`; `/health` has only GPUs."""
    before = service.ask("/health").body
    dstack.dstack.gpus = (*EIGHT_H200, NVSWITCH)
    wait_until(lambda: _gpus(service)["other_devices"])
    for body in (_gpus(service), service.status()):
        (other,) = body["other_devices"]
        assert (other["slot"], body["degraded"]) == (NVSWITCH.slot, False)
    assert service.ask("/health").body == before


def test_twenty_thousand_gpus_do_not_delay_other_requests(
    serve: Callable[..., Service], dstack: Remote
) -> None:
    """While a client asks for them without a pause, `/health` answers fast."""
    dstack.dstack.gpus = [
        Gpu(slot=f"{n:05x}", product_id="10de:2335", description="NVIDIA", is_free=True)
        for n in range(20_000)
    ]
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="60")
    service.wait_for(None)
    delays: list[float] = []
    with closing(http.client.HTTPConnection(service.host, service.port, timeout=10)) as connection:
        for _ in range(20):
            connection.request("GET", "/gpus")
            started = time.monotonic()
            assert service.ask("/livez").code == 200
            delays.append(time.monotonic() - started)
            with connection.getresponse() as response:
                assert response.status == 200
                assert len(json.loads(response.read())["gpus"]) == 1024
    assert median(delays) < 0.5  # some may be long because of other programs on the machine
