"""The wheel and the sdist contain what they should, and the wheel works without the tree."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[4]

PROGRAM = """
import sys
from dstack_backend.domain import Gpu, GpuInventory, assess, encode_health
gpu = Gpu(slot="3b:00.0", product_id="10de:2335", description="NVIDIA Corporation", is_free=True)
health = encode_health(assess(GpuInventory(gpus=(gpu,), allow_attach_all=True)))
sys.stdout.buffer.write(health.body)
import dstack_backend
print(dstack_backend.__file__, file=sys.stderr)
heavy = {"httpx", "litestar", "granian", "prometheus_client", "dependency_injector", "asyncio"}
assert not heavy & sys.modules.keys(), "the domain imports one of them"
"""


def _modules() -> set[str]:
    files = (path for path in (ROOT / "src").rglob("*") if path.is_file())
    return {path.relative_to(ROOT / "src").as_posix() for path in files if path.suffix != ".pyc"}


def test_wheel_contains_the_package_only(wheel: Path) -> None:
    """It has every module, the type marker and the licence, and neither `src` nor tests."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    inside = {name for name in names if ".dist-info/" not in name}
    assert inside == {f"dstack_backend/{module}" for module in _modules()}
    assert any(name.endswith("dist-info/licenses/LICENSE") for name in names)
    assert any(name.endswith("dist-info/entry_points.txt") for name in names)


def test_sdist_contains_sources_and_tests(built: Path) -> None:
    """The package can be built and tested from the sdist."""
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"src/{module}" for module in _modules()} <= names
    assert {"pyproject.toml", "README.md", "LICENSE"} <= names
    assert "tests/contract/kit/packaging/test_package.py" in names
    unwanted = ("build", "dstack_backend", "dist", ".venv", ".git/", ".env")
    assert not [name for name in names if name.startswith(unwanted)]


def test_wheel_turns_an_inventory_into_bytes_in_a_few_lines(wheel: Path, tmp_path: Path) -> None:
    """The domain of the wheel needs msgspec only."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")  # noqa: S202 - it is this project's wheel
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stderr.strip()).is_relative_to(tmp_path)
    assert done.stdout == (
        '{"version":"1.0.0","topic":"dstack-gpu-monitor","pubkeys":[],"status":"available",'
        '"metadata":"{\\"gpu_count\\":1,\\"gpus\\":[{\\"slot\\":\\"3b:00.0\\",'
        '\\"product_id\\":\\"10de:2335\\",\\"description\\":\\"NVIDIA Corporation\\",'
        '\\"is_free\\":true,\\"model\\":\\"H200 SXM 141GB\\"}],\\"allow_attach_all\\":true,'
        '\\"free_gpu_count\\":1}"}'
    )
