"""Contract suites: subclass one in a test module, say what is under test, and pytest runs it.

    class TestMyGpus(DStackContract):
        def source(self) -> DStack:
            return MyGpus()

`DStackContract` holds for any source of GPUs. `FaithfulContract` and `HangingContract` add what can
be seen where a test decides what the source has, or that it does not answer. `HealthContract` takes
the address of any running `/health`, `HistoryContract` any store of the past. All methods are plain
functions: no plugin is needed.
"""

from dstack_backend.testing.contracts.backend_info import (
    backend_info_schema,
    check_answer,
    check_backend_info,
)
from dstack_backend.testing.contracts.dstack import (
    DStackContract,
    FaithfulContract,
    HangingContract,
    check_result,
)
from dstack_backend.testing.contracts.health import GpuHealthContract, HealthContract
from dstack_backend.testing.contracts.history import HistoryContract

__all__ = [
    "DStackContract",
    "FaithfulContract",
    "GpuHealthContract",
    "HangingContract",
    "HealthContract",
    "HistoryContract",
    "backend_info_schema",
    "check_answer",
    "check_backend_info",
    "check_result",
]
