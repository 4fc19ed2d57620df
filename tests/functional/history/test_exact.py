"""Every past slot can be made again from the history, byte for byte, in whatever order attempts came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from spotlake import keys
from spotlake.history.blocks import joined
from spotlake.history.fields import CHANGES
from spotlake.history.files import from_parquet
from spotlake.state.history_files import HistoryFiles
from tests.functional.history.conftest import keep, snapshot_again, stored_snapshot
from tests.functional.merge.conftest import REGION, World

SPOT = "spot_price_usd_per_hour"
SIZES = ("Standard_D2s_v5", "Standard_E8-4ds_v5", "Standard_F2s_v2")
# Slots of the same hour, of the next day and of the next month (the world begins on 2025-12-15 at 10:00).
NUMBERS = (0, 1, 2, 3, 84, 85, 230, 2400, 2401, 2405)


def attempts_at(numbers: Sequence[int]) -> st.SearchStrategy[dict[str, Any]]:
    """What an attempt at one of these slots may have collected."""
    scores = st.dictionaries(st.sampled_from(("1", "2", "Single")), st.sampled_from((None, 1, 2, 3)))
    return st.fixed_dictionaries(
        {
            "number": st.sampled_from(numbers),
            "count": st.sampled_from((1, 5, 50)),
            "spot": st.sampled_from((None, 0.01, 0.02)),
            "ondemand": st.sampled_from((None, 0.05)),
            "band": st.sampled_from((None, "0-5", "20+")),
            "scores": st.none() | scores,
            "sizes": st.lists(st.sampled_from(SIZES), min_size=1, unique=True),
        }
    )


def merged(world: World, attempt: int, spec: Mapping[str, Any]) -> None:
    world.merge(world.collected(attempt=attempt, **spec))


@settings(max_examples=15, deadline=None)
@given(st.lists(attempts_at(NUMBERS), min_size=1, max_size=9), st.sets(st.integers(0, 8)))
def test_every_snapshot_is_made_again_byte_for_byte(specs: list[dict[str, Any]], kept_after: set[int]) -> None:
    world = World()
    for number, spec in enumerate(specs):
        merged(world, number + 1, spec)
        if number in kept_after:  # the step may be left out after any run
            keep(world.objects)
    keep(world.objects)
    again = keep(world.objects)
    assert (again.slots, again.compacted_days) == (0, 0)
    for number in {spec["number"] for spec in specs}:
        slot_at = world.run(number).slot_at
        assert snapshot_again(world.objects, slot_at) == stored_snapshot(world.objects, slot_at)


def test_files_by_region_hold_the_finished_days_and_no_other() -> None:
    world = World()
    for number, spot in ((0, 0.01), (1, 0.02), (84, 0.03), (230, 0.04)):
        world.merge(world.collected(number, spot=spot))
        keep(world.objects)
    files = HistoryFiles(world.objects)
    days = [files.day(world.run(number).slot_at.date()).rows.block for number in (0, 84)]
    stored = world.objects.get(keys.history_region(world.run(0).slot_at.date(), REGION))
    assert stored is not None
    rows, _ = from_parquet(stored.body, CHANGES, "")
    expected = joined(*days)
    assert (rows["slot"] == expected["slot"]).all()
    assert rows[SPOT].tolist() == expected[SPOT].tolist() == [0.01, 0.02, 0.03]


def test_a_slot_that_comes_late_changes_the_finished_day() -> None:
    world = World()
    for number, spot in ((0, 0.01), (84, 0.03), (230, 0.04)):
        world.merge(world.collected(number, spot=spot))
        keep(world.objects)
    world.merge(world.collected(1, spot=0.02))
    assert keep(world.objects).compacted_days == 2  # the later slot was folded again too
    stored = world.objects.get(keys.history_region(world.run(0).slot_at.date(), REGION))
    assert stored is not None
    assert from_parquet(stored.body, CHANGES, "")[0][SPOT].tolist() == [0.01, 0.02, 0.03]
