"""Whatever the attempts were: the archive answers as the snapshots say, value by value, at any moment."""

from __future__ import annotations

import csv
import gzip
import io
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from spotlake import keys
from spotlake.archive.archive import Archive, open_archive
from spotlake.stores.objects import MemoryObjects
from tests.functional.history.conftest import keep
from tests.functional.history.test_exact import SIZES, attempts_at, merged
from tests.functional.merge.conftest import REGION, World
from tests.functional.reading.conftest import to_folder

# The world's slot 0 is 2025-12-15 10:00. Here are the last two days of November, midnights, New Year, and a year later.
NUMBERS = (-2100, -2029, -2028, 0, 1, 83, 84, 85, 227, 228, 2387, 2388, 2400, 6900, 54700)


def told(world: World, number: int) -> dict[tuple[str, str], tuple[str, ...]]:
    stored = world.objects.get(keys.snapshot(world.run(number).slot_at))
    assert stored is not None
    rows = csv.DictReader(io.StringIO(gzip.decompress(stored.body).decode()))
    return {
        (row["ArmSkuName"], row["AvailabilityZone"]): (
            row["SpotPrice"],
            row["OndemandPrice"],
            row["IF"],
            row["T2"],
            row["T3"],
        )
        for row in rows
    }


def _number(value: Any) -> str:
    return "-1" if value is None else f"{value:g}"


def answered(rows: Any) -> dict[tuple[str, str], tuple[str, ...]]:
    return {
        (row["instance_type"], row["zone"]): (
            _number(row["spot_price_usd_per_hour"]),
            _number(row["ondemand_price_usd_per_hour"]),
            "-1" if row["interruption_frequency"] is None else f"{row['interruption_frequency']:.1f}",
            _number(row["t2"]),
            _number(row["t3"]),
        )
        for row in rows
        if row.get("live", True)
    }


def archive_of(world: World, folder: Path) -> Archive:
    assert isinstance(world.objects, MemoryObjects)
    to_folder(world.objects, folder)
    return open_archive(str(folder))


def check(archive: Archive, expected: dict[tuple[str, str], tuple[str, ...]], moment: datetime) -> None:
    assert answered(archive.at(moment)) == expected
    assert answered(archive.at(moment, times=True)) == expected
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for size in SIZES:
        found |= answered(archive.history(size, REGION, since=moment, until=moment))
    assert found == expected
    for zone in ("1", "2", "Single", "N/A"):
        got = answered(archive.history(SIZES[0], REGION, zone, since=moment, until=moment))
        assert got == {key: values for key, values in expected.items() if key == (SIZES[0], zone)}


@settings(max_examples=6, deadline=None)
@given(st.lists(attempts_at(NUMBERS), min_size=1, max_size=9), st.sets(st.integers(0, 8)), st.integers(0, 300))
def test_any_attempts(specs: list[dict[str, Any]], kept_after: set[int], later: int) -> None:
    world = World()
    for number, spec in enumerate(specs):
        merged(world, number + 1, spec)
        if number in kept_after:
            keep(world.objects)
    keep(world.objects)
    with tempfile.TemporaryDirectory() as folder:
        archive = archive_of(world, Path(folder))
        numbers = sorted({spec["number"] for spec in specs})
        for number, following in zip(numbers, [*numbers[1:], numbers[-1] + 400], strict=True):
            for asked in (number, min(number + later, following - 1)):
                check(archive, told(world, number), world.run(asked).slot_at)


def test_a_day_without_a_run_has_the_values_of_the_last_run(tmp_path: Path) -> None:
    world = World()
    for number, spot in ((0, 0.01), (1, 0.02), (2400, 0.03)):  # two of one day, one of the next month
        world.merge(world.collected(number, spot=spot))
    keep(world.objects)
    check(archive_of(world, tmp_path), told(world, 1), world.run(1000).slot_at)


def test_zones_that_changed_at_different_times_are_all_told(tmp_path: Path) -> None:
    world = World()
    for number, scores in ((0, {"1": 3, "2": 3}), (2400, {"1": 2, "2": 3}), (2410, {"1": 2, "2": 1})):
        world.merge(world.collected(number, sizes=SIZES, scores=scores))
    keep(world.objects)
    check(archive_of(world, tmp_path), told(world, 2400), world.run(2401).slot_at)
