"""A pytest plugin with which `import httpx` imports httpx2: see `make httpx2`."""

import httpx2

__all__: list[str] = []

httpx2.alias_httpx()  # raises where httpx is already imported


def pytest_report_header() -> str:
    """Return the line in the header of the report."""
    return f"httpx is httpx2 {httpx2.__version__}"
