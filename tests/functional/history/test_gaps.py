"""Files of gaps: every slot without a run, or whose manifest says that something lacks."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlake import keys
from spotlake.models import Dataset, from_iso
from spotlake.planning.attempt import Failure
from tests.functional.history.conftest import keep
from tests.functional.history.test_exact import NUMBERS, attempts_at, merged
from tests.functional.merge.conftest import REGION, World, world

__all__ = ["world"]
SLOT = timedelta(minutes=10)
DAY = date(2025, 12, 15)


def gaps(world: World, *months: date) -> dict[datetime, dict[str, str]]:
    rows: dict[datetime, dict[str, str]] = {}
    for month in months or (DAY,):
        stored = world.objects.get(keys.gaps(month))
        assert stored is not None
        rows |= {from_iso(row["slot_at"]): row for row in csv.DictReader(io.StringIO(stored.body.decode()))}
    return rows


def expected(world: World) -> dict[datetime, str]:
    """From all manifests, by a method of its own."""
    found = {}
    for key in world.objects.keys(keys.MANIFEST_PREFIX):
        if not key.endswith(".json"):  # the figures of the slot's page
            continue
        stored = world.objects.get(key)
        assert stored is not None
        slot_at = keys.slot_in(keys.MANIFEST_PREFIX, key)
        assert slot_at is not None
        found[slot_at] = orjson.loads(stored.body)["status"]
    first, last = min(found), max(found)
    every = [first + number * SLOT for number in range((last - first) // SLOT + 1)]
    return {one: found.get(one, "missing") for one in every if found.get(one) != "complete"}


@settings(max_examples=25, deadline=None)
@given(st.lists(attempts_at(NUMBERS), min_size=1, max_size=7), st.sets(st.integers(0, 8)))
def test_gaps_are_those_of_all_manifests_in_whatever_order_runs_came(specs: list[Any], kept_after: set[int]) -> None:
    world = World()
    for number, spec in enumerate(specs):
        merged(world, number + 1, spec)
        if number in kept_after or number + 1 == len(specs):
            keep(world.objects, merged_at=world.run(spec["number"]).slot_at)
    told = gaps(world, *sorted({keys.slot_in(keys.MANIFEST_PREFIX, key).date().replace(day=1)  # type: ignore[union-attr]
                                for key in world.objects.keys(keys.MANIFEST_PREFIX)}))  # fmt: skip
    assert {slot_at: row["status"] for slot_at, row in told.items()} == expected(world)


def test_a_gap_says_why(world: World) -> None:
    world.merge(world.collected(0, scores={"1": 3}))
    run = world.collected(1, spot=None, scores={"1": 3})
    world.merge(run, failures=[Failure(dataset=Dataset.PRICE, region=REGION, error="HttpError", cause="429")])
    world.merge(world.collected(3, scores={"1": 3}))
    keep(world.objects)
    rows = gaps(world)
    assert {slot_at: (row["status"], row["reason"]) for slot_at, row in rows.items()} == {
        run.slot_at: ("partial", "spot_price: HttpError in 1 region"),
        world.run(2).slot_at: ("missing", "no run"),
    }
    assert float(rows[run.slot_at]["coverage_percent"]) == pytest.approx(66.66)


def test_a_slot_that_was_asked_in_part_is_not_called_whole(world: World) -> None:
    run = world.collected(0, scores={"1": 3}, regions=(REGION,), filtered=True)
    world.merge(run)
    keep(world.objects)
    assert gaps(world)[run.slot_at]["status"] == "part"


def test_a_run_without_its_manifest_is_told_and_heals(world: World) -> None:
    run = world.collected(0, scores={"1": 3})
    world.merge(run)
    manifest = world.objects.get(keys.manifest(run.slot_at))
    assert manifest is not None
    world.objects.put(keys.manifest(run.slot_at), b"{")
    keep(world.objects)
    assert gaps(world)[run.slot_at]["status"] == "unfinished"
    world.objects.put(keys.manifest(run.slot_at), manifest.body)
    keep(world.objects, merged_at=run.slot_at)
    assert gaps(world) == {}


def test_a_damaged_file_of_gaps_stops_nothing_and_stays(world: World) -> None:
    run = world.collected(0, scores={"1": 3})
    world.merge(run)
    world.objects.put(keys.gaps(DAY), b"slot_at,status\nyesterday,?\n")
    assert keep(world.objects).slots == 1
    stored = world.objects.get(keys.gaps(DAY))
    assert stored is not None
    assert stored.body == b"slot_at,status\nyesterday,?\n"


def test_an_unchanged_file_is_not_written_again(world: World) -> None:
    world.merge(run := world.collected(0, scores={"1": 3}))
    keep(world.objects)
    put, written = world.objects.put, []
    world.objects.put = lambda key, *rest, **named: (written.append(key), put(key, *rest, **named))[1]  # type: ignore[method-assign,func-returns-value]
    keep(world.objects, merged_at=run.slot_at)
    assert written == []
