"""Whatever a source lists: bodies are valid for the OpenAPI document, and bounded."""

import asyncio
import json
from collections.abc import Sequence

import hypothesis.strategies as st
from hypothesis import given, settings

from dstack_backend.domain import CheckResult
from dstack_backend.domain.gpu import GpuChange, GpuChangeKind
from dstack_backend.domain.gpu.state import bounded
from dstack_backend.domain.history import EntryKind, entry_for_gpu
from dstack_backend.testing.fakes import EPOCH
from dstack_backend.testing.strategies import failures, gpus, inventories, nasty_texts
from tests.unit.adapters.litestar_http.documents import validate
from tests.unit.adapters.litestar_http.harness import AppClient
from tests.unit.adapters.litestar_http.nodes import Node

APP = AppClient()
TEXTS = nasty_texts() | st.text(st.characters(codec=None), max_size=4)
"""Texts, also with surrogates, which UTF-8 cannot encode."""


@given(st.lists(inventories(TEXTS) | failures(), max_size=6))
def test_gpus_are_valid_after_any_checks(results: Sequence[CheckResult]) -> None:
    """In `/gpus`, `/status` and `/events`, which agree with each other."""
    asyncio.run(_check(results))
    status, body = (validate(APP.client, path) for path in ("/status", "/gpus"))
    event = json.loads(APP.get("/events").text.partition("data: ")[2])
    assert event.get("degraded") == status.get("degraded") == body.get("degraded")
    assert event.get("missing") == (len(body["missing"]) if "missing" in body else None)
    assert status.get("missing") == body.get("missing")
    for gpu in (*body.get("gpus", ()), *body.get("missing", ())):
        assert len(gpu["slot"]) <= 40
        assert len(gpu["product_id"]) <= 200
        assert len(gpu.get("description", "")) <= 200


async def _check(results: Sequence[CheckResult]) -> None:
    node = Node()
    await node.check(*results)
    node.publish(APP.health)


def _changes() -> st.SearchStrategy[GpuChange]:
    gpu = gpus(TEXTS).map(bounded)
    times = st.none() | st.just(EPOCH)
    return st.builds(GpuChange, st.sampled_from(GpuChangeKind), st.just(EPOCH), gpu, times, gpu)


@settings(max_examples=5)  # each makes an application
@given(st.lists(_changes(), min_size=20, max_size=50))
def test_changes_of_gpus_are_valid_in_the_history(changes: Sequence[GpuChange]) -> None:
    """Their messages are one bounded line."""
    app = AppClient(entries=[entry_for_gpu(change) for change in changes])
    query = "&".join(f"kind={kind}" for kind in EntryKind)
    entries = validate(app.client, "/history", f"?{query}")["entries"]
    assert len(entries) == len(changes)
    for entry in entries:
        assert entry["message"].isprintable()
        assert len(entry["message"]) <= 500
