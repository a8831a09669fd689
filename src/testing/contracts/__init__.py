"""Contract suites: subclass one in a test module, say what is under test, and pytest runs it.

    class TestMyGpus(DStackContract):
        def source(self) -> DStack:
            return MyGpus()

`DStackContract` holds for any source of GPUs. `FaithfulContract` and `HangingContract` add what can
be seen where a test decides what the source has, or that it does not answer. `HealthContract` takes
the address of any running `/health`, `GpuHealthContract` that of one with our GPU metadata, and
`HistoryContract` any store of the past. All methods are plain functions: no plugin is needed.
"""

import pkgutil

import pytest

# pytest shows what an assert compared only where it has rewritten the module before its import.
pytest.register_assert_rewrite(
    *(f"{__name__}.{each.name}" for each in pkgutil.iter_modules(__path__))
)

from dstack_backend.testing.contracts.backend_info import (  # noqa: E402 - rewritten, see above
    backend_info_schema,
    check_answer,
    check_backend_info,
)
from dstack_backend.testing.contracts.gpu_source import (  # noqa: E402 - rewritten, see above
    GpuSourceContract,
    InventoryContract,
    TimeoutContract,
    check_result,
)
from dstack_backend.testing.contracts.health import (  # noqa: E402 - rewritten, see above
    GpuHealthContract,
    HealthContract,
)
from dstack_backend.testing.contracts.history import (  # noqa: E402 - rewritten, see above
    HistoryContract,
)

__all__ = [
    "GpuHealthContract",
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
