"""Questions to an archive. The expected values are those of the snapshots that the merge wrote."""

from __future__ import annotations

from datetime import timedelta

import pytest

from spotlake import keys
from spotlake.errors import InvalidInputError
from tests.functional.reading.conftest import SIZES, SPECS, Kept


def number_of(text: str) -> float | None:
    return None if text in ("-1", "N/A") else float(text)


@pytest.mark.parametrize("number", SPECS)
def test_the_market_at_a_slot_is_its_snapshot(kept: Kept, number: int) -> None:
    rows = list(kept.archive.at(kept.slot(number) + timedelta(minutes=9)))
    told = kept.snapshot_rows(number)
    assert [(row["region"], row["instance_type"], row["zone"]) for row in rows] == [
        (row["RegionCode"], row["ArmSkuName"], row["AvailabilityZone"]) for row in told
    ]
    for name, column in (
        ("spot_price_usd_per_hour", "SpotPrice"), ("ondemand_price_usd_per_hour", "OndemandPrice"),
        ("interruption_frequency", "IF"), ("t2", "T2"), ("t3", "T3"), (f"score_{told[0]['DesiredCount']}", "Score"),
    ):  # fmt: skip
        assert [row[name] for row in rows] == [number_of(row[column]) for row in told], name


def test_a_history_has_a_row_for_each_change_and_the_values_at_its_beginning(kept: Kept) -> None:
    rows = list(kept.archive.history(SIZES[0], "koreacentral", "1"))
    expected = [(kept.slot(number), number_of(row["SpotPrice"]), number_of(row["T3"]))
                for number in SPECS for row in kept.snapshot_rows(number)
                if (row["ArmSkuName"], row["AvailabilityZone"]) == (SIZES[0], "1")]  # fmt: skip
    changed = [one for place, one in enumerate(expected) if place == 0 or one[1:] != expected[place - 1][1:]]
    told = [(row["changed_at"], row["spot_price_usd_per_hour"], row["t3"]) for row in rows]
    assert [one for place, one in enumerate(told) if place == 0 or one[1:] != told[place - 1][1:]] == changed
    since = list(kept.archive.history(SIZES[0], "koreacentral", "1", since=kept.slot(3)))
    assert since[0]["changed_at"] == kept.slot(2)
    assert [row["changed_at"] for row in since[1:]] == [
        row["changed_at"] for row in rows if row["changed_at"] > kept.slot(3)
    ]


def test_a_history_that_began_in_an_earlier_month_begins_with_the_state(kept: Kept) -> None:
    rows = list(kept.archive.history(SIZES[0], "koreacentral", "3", since=kept.slot(2399)))
    assert [(row["changed_at"], row["spot_price_usd_per_hour"]) for row in rows] == [
        (None, 0.03), (kept.slot(2400), 0.04)]  # fmt: skip


def test_changes_of_a_time(kept: Kept) -> None:
    rows = list(kept.archive.changes(kept.slot(0), kept.slot(1)))
    assert {(row["zone"], row["spot_price_usd_per_hour"]) for row in rows} == {("1", 0.02), ("2", 0.02)}
    assert {row["changed_at"] for row in rows} == {kept.slot(1)}
    assert len(kept.archive.changes(kept.archive.last_slot_at)) == 0


@pytest.mark.parametrize("number", SPECS)
def test_a_snapshot_is_written_again(kept: Kept, number: int) -> None:
    slot_at = kept.slot(number)
    assert kept.archive.snapshot(slot_at) == (kept.folder / keys.snapshot(slot_at)).read_bytes()


def test_times_without_a_slot_are_refused_by_name(kept: Kept) -> None:
    with pytest.raises(InvalidInputError, match="the first slot"):
        kept.archive.at(kept.slot(-1))
    with pytest.raises(InvalidInputError, match="a slot that has a run"):
        kept.archive.snapshot(kept.slot(3))
