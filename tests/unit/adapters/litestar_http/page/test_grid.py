"""Many GPUs: a dense grid by model, and a table with the details."""

import pytest
from msgspec.structs import replace

from dstack_backend.domain import Gpu, GpuInventory
from tests.unit.adapters.litestar_http.harness import GPU, ParsedPage
from tests.unit.adapters.litestar_http.page.rendering import page_after, page_of

H200, B200 = "H200 SXM 141GB", "B200"


def gpus(count: int, product_id: str = GPU.product_id, first: int = 0) -> tuple[Gpu, ...]:
    """Return so many GPUs of a model; every third is in use."""
    return tuple(
        replace(GPU, slot=f"{n:02x}:00.0", product_id=product_id, is_free=n % 3 > 0)
        for n in range(first, first + count)
    )


def lists(page: str) -> list[str]:
    """Return the classes of the lists of GPUs."""
    found = [
        str(attributes.get("class")) for tag, attributes in ParsedPage(page).tags if tag == "ul"
    ]
    return [each for each in found if each.startswith("gpus")]


@pytest.mark.parametrize(("count", "expected"), [(15, ["gpus"]), (16, ["gpus dense"])])
def test_from_16_gpus_on_the_grid_is_dense(count: int, expected: list[str]) -> None:
    """Fewer are cards with all their details."""
    assert lists(page_of(GpuInventory(gpus=gpus(count)))) == expected


def test_the_dense_grid_has_a_heading_with_counts_for_each_model() -> None:
    """In the order of the slots; all unknown models are one group."""
    many = (*gpus(10), *gpus(6, "10de:2901", 16), *gpus(2, "10de:ffff", 32))
    page = page_of(GpuInventory(gpus=many))
    assert lists(page) == ["gpus dense"] * 3
    text = ParsedPage(page).text
    places = [
        text.index(f"{H200} 10 in total, 6 free, 4 in use"),
        text.index(f"{B200} 6 in total, 4 free, 2 in use"),
        text.index("Unknown model 2 in total, 1 free, 1 in use"),
    ]
    assert places == sorted(places)


def test_the_table_has_what_the_cells_leave_out() -> None:
    """Since when, the use, and product id and description of an unknown model."""
    inventory = GpuInventory(gpus=(*gpus(16), *gpus(1, "10de:ffff", 32)))
    text = ParsedPage(page_of(inventory)).text
    table = text.partition("Details of each GPU")[2]
    assert "00:00.0 In use for 0 s" in table
    assert "Free for 0 s 10de:ffff NVIDIA" in table


def test_a_missing_gpu_is_in_the_dense_grid() -> None:
    """Among those of its model, with when it was last seen."""
    before, after = GpuInventory(gpus=gpus(20)), GpuInventory(gpus=gpus(20)[1:])
    page = page_after(before, after, after)
    text = ParsedPage(page).text
    assert f"{H200} 19 in total, 13 free, 6 in use, 1 missing" in text
    assert "00:00.0 Missing last seen 2026-01-01 00:00:00 UTC" in text
    assert page.count('<li class="missing">') == 1


def test_groups_of_a_shortened_list_have_no_counts() -> None:
    """They would be those of the shown ones."""
    text = ParsedPage(page_of(GpuInventory(gpus=gpus(70)))).text
    assert "and 6 more" in text
    assert text.count("in total") == 1
