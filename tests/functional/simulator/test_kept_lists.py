"""Price lists that the simulator keeps on disk are those that it would make, and only of the newest day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from spotlake_local.azure.retail import RetailPrices, parse_query
from spotlake_local.azure.world import World

AT = datetime(2025, 12, 15, 10, tzinfo=UTC)
QUERY = parse_query({"$filter": "serviceName eq 'Virtual Machines' and armRegionName eq 'chilecentral'"}, "short")


def started(folder: Path | None, seed: int = 1) -> RetailPrices:
    prices = RetailPrices(World(seed))
    if folder is not None:
        prices.keep_in(folder)
    return prices


def page(prices: RetailPrices, at: datetime = AT) -> bytes:
    return prices.page(QUERY, "http://127.0.0.1:1", at)


def test_a_second_start_serves_the_same_and_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = page(started(None))
    assert page(started(tmp_path / "lists")) == made
    again = started(tmp_path / "lists")
    monkeypatch.setattr(again.prices, "rows", None)  # who makes rows now, fails
    assert page(again) == made


def test_another_world_has_lists_of_its_own(tmp_path: Path) -> None:
    page(started(tmp_path))
    assert page(started(tmp_path, seed=2)) == page(started(None, seed=2))


def test_the_lists_of_the_newest_day_alone_are_kept(tmp_path: Path) -> None:
    prices = started(tmp_path)
    page(prices)
    page(prices, AT + timedelta(days=1))
    assert {file.name[:10] for file in tmp_path.iterdir()} == {"2025-12-16"}


@pytest.mark.parametrize("damage", [b"", b"no gzip"])
def test_a_damaged_list_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    made = page(started(tmp_path))
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage)
    assert page(started(tmp_path)) == made
    assert file.read_bytes() != damage


def test_a_folder_that_cannot_be_written_costs_time_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert page(started(tmp_path / "file/lists")) == page(started(None))
