"""`/gpus`, and the GPUs of `/status`."""

from typing import Any

import pytest
from msgspec.structs import replace

from dstack_backend.domain import CheckResult, Gpu, GpuInventory
from dstack_backend.domain.gpu import GpuUse, MissingGpu, StoredGpus, TrackedGpu, UseShare
from dstack_backend.testing.fakes import EPOCH
from tests.unit.adapters.inventories import DiskInventory
from tests.unit.adapters.litestar_http.harness import UNAVAILABLE, AppClient
from tests.unit.adapters.litestar_http.nodes import NVSWITCH, ONE_LOST, TWO_GPUS, Node, app_after

MISSING = {
    "slot": "3b:00.0",
    "product_id": "10de:2335",
    "model": "H200 SXM 141GB",
    "last_seen": "2026-01-01T00:00:00Z",
}


def _gpus(app: AppClient) -> Any:
    response = app.get("/gpus")
    assert response.status_code == 200
    return response.json()


def _slots(body: Any) -> tuple[list[str], list[str]]:
    return [each["slot"] for each in body["gpus"]], [each["slot"] for each in body["missing"]]


@pytest.mark.parametrize(
    ("results", "code", "detail"),
    [
        ((), 503, "no inventory of GPUs is known yet"),
        ((UNAVAILABLE,), 503, "no inventory of GPUs is known yet"),
        ((DiskInventory(),), 404, "the inventory of this source contains no GPUs"),
        ((DiskInventory(), UNAVAILABLE), 404, "the inventory of this source contains no GPUs"),
    ],
)
def test_without_gpus_the_problem_is_named(
    results: tuple[CheckResult, ...], code: int, detail: str
) -> None:
    """503 until an inventory is known; 404 where it has no GPUs."""
    response = app_after(*results).get("/gpus")
    assert response.status_code == code
    assert response.json() == {"status_code": code, "detail": detail}


def test_each_gpu_has_its_state_and_its_use() -> None:
    """With the use of all together; a window has the share of the known time."""
    app = app_after(replace(TWO_GPUS, other_devices=(NVSWITCH,)))
    share = {"24h": UseShare(60.0, 20.0, 20.0)}
    app.history.use = GpuUse(node={"24h": UseShare()}, slots={"4b:00.0": share})
    body = _gpus(app)
    first, second = body.pop("gpus")
    assert first | {"slot": "4b:00.0", "state": "in_use", "use": second["use"]} == second
    assert second == {
        "slot": "4b:00.0",
        "product_id": "10de:2335",
        "description": "NVIDIA",
        "model": "H200 SXM 141GB",
        "state": "in_use",
        "since": "2026-01-01T00:00:00Z",
        "use": {"24h": {"in_use_percent": 75.0, "unknown_percent": 20.0}},
    }
    assert (first["state"], first["use"]) == ("free", {})
    assert body == {
        "degraded": False,
        "current": True,
        "seen_at": "2026-01-01T00:00:00Z",
        "use": {"24h": {"in_use_percent": None, "unknown_percent": 100.0}},
        "missing": [],
        "other_devices": [
            {
                "slot": "05:00.0",
                "product_id": "10de:22a3",
                "description": "[H100 NVSwitch]",
                "is_free": True,
                "model": "H100 NVSwitch",
            }
        ],
    }


def test_a_lost_gpu_is_missing_from_the_second_check_until_it_returns() -> None:
    """The node is degraded in `/gpus` and in `/status`, but available."""
    once, twice, back = (
        app_after(TWO_GPUS, *after)
        for after in ([ONE_LOST], [ONE_LOST, ONE_LOST], [ONE_LOST, ONE_LOST, TWO_GPUS])
    )
    assert _slots(_gpus(once)) == (["3b:00.0", "4b:00.0"], [])
    assert _slots(_gpus(twice)) == (["4b:00.0"], ["3b:00.0"])
    assert _gpus(twice)["missing"] == twice.get("/status").json()["missing"] == [MISSING]
    assert _slots(_gpus(back)) == (["3b:00.0", "4b:00.0"], [])
    for app, is_degraded in ((once, False), (twice, True), (back, False)):
        status = app.get("/status").json()
        assert _gpus(app)["degraded"] == status["degraded"] == is_degraded
        assert app.get("/health").status_code == 200


def test_an_empty_list_is_degraded() -> None:
    """A node without GPUs has nothing to offer."""
    app = app_after(GpuInventory())
    assert _slots(_gpus(app)) == ([], [])
    assert _gpus(app)["degraded"] is app.get("/status").json()["degraded"] is True


def test_the_last_known_gpus_stay_while_the_node_is_unavailable() -> None:
    """They are marked as not current: after a failed check, and where checks have stopped."""
    failed, stale = app_after(TWO_GPUS, UNAVAILABLE), app_after(TWO_GPUS, later=60.0)
    for app, reason in ((failed, "connection_refused"), (stale, "stale")):
        assert app.get("/status").json()["reason"] == reason
        body = _gpus(app)
        assert _slots(body) == (["3b:00.0", "4b:00.0"], [])
        assert (body["current"], body["seen_at"]) == (False, "2026-01-01T00:00:00Z")


def test_the_gpus_of_an_earlier_process_are_known_at_the_start() -> None:
    """Before the first check, and not as current."""
    node, app = Node(), AppClient()
    present = TrackedGpu(TWO_GPUS.gpus[1], EPOCH)
    missing = MissingGpu(TWO_GPUS.gpus[0], EPOCH)
    node.monitor.restore_gpus(StoredGpus((present,), (missing,)), EPOCH)
    node.publish(app.health)
    body, status = _gpus(app), app.get("/status").json()
    assert _slots(body) == (["4b:00.0"], ["3b:00.0"])
    assert (body["degraded"], body["current"]) == (True, False)
    assert (status["reason"], status["degraded"]) == ("starting", True)


def test_status_of_other_inventories_has_nothing_of_gpus() -> None:
    """Neither before the first check nor for an inventory without GPUs."""
    for app in (app_after(), app_after(DiskInventory())):
        assert not {"degraded", "missing", "other_devices"} & set(app.get("/status").json())


def test_the_use_is_computed_once_for_some_seconds() -> None:
    """It takes longer than the rest of the response."""
    app = app_after(TWO_GPUS)
    with app.client:  # one event loop for all requests
        for _ in range(9):
            _gpus(app)
    assert app.history.calls == 1


def test_responses_are_bounded_for_thousands_of_devices() -> None:
    """With long texts: 1,024 GPUs are tracked, and some other devices are listed."""
    many = GpuInventory(
        gpus=tuple(
            Gpu(slot=f"{n:x}:00.0", product_id="x" * 999, description="y" * 999, is_free=True)
            for n in range(20_000)
        ),
        other_devices=tuple(replace(NVSWITCH, description="z" * 999) for _ in range(20_000)),
    )
    app = app_after(many)
    response = app.get("/gpus")
    assert len(response.content) < 1_000_000
    assert len(response.json()["gpus"]) == 1024
    for path in ("/gpus", "/status"):
        others = app.get(path).json()["other_devices"]
        assert len(others) == 64
        assert {len(each["description"]) for each in others} == {200}
