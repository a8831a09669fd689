"""Contract suites: subclass one in a test module, return what is under test, and run pytest.

For a source of GPUs::

    class TestMyGpus(GpuSourceContract):
        def source(self) -> GpuSource:
            return MyGpus()

All methods are plain functions: no plugin is needed.
"""

import pkgutil

import pytest

# pytest shows the values of an assert only if it has rewritten the module before its import.
pytest.register_assert_rewrite(
    *(f"{__name__}.{each.name}" for each in pkgutil.iter_modules(__path__))
)

from dstack_backend.testing.contracts.backend_info import (
    backend_info_schema,
    check_answer,
    check_backend_info,
)
from dstack_backend.testing.contracts.gpu_source import (
    GpuInventoryContract,
    GpuSourceContract,
    InventoryContract,
    TimeoutContract,
    check_result,
)
from dstack_backend.testing.contracts.health import GpuHealthContract, HealthContract
from dstack_backend.testing.contracts.history import HistoryContract

__all__ = [
    "GpuHealthContract",
    "GpuInventoryContract",
    "GpuSourceContract",
    "HealthContract",
    "HistoryContract",
    "InventoryContract",
    "TimeoutContract",
    "backend_info_schema",
    "check_answer",
    "check_backend_info",
    "check_result",
]
