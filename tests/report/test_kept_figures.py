"""Figures that Merge keeps are those of the snapshot, counted row by row."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlake import keys
from spotlake.reporting.facts import gather
from spotlake.state.figures import read_figures
from tests.functional.merge.conftest import World
from tests.report.conftest import SIZES
from tests.report.row_by_row import Figures, compared_values, snapshot_rows

SPECS = st.fixed_dictionaries(
    {},
    optional={
        "scores": st.dictionaries(st.sampled_from(["1", "2", "3", "Single"]), st.sampled_from([None, 1, 2, 3])),
        "spot": st.sampled_from([None, 0.000001, 0.001, 0.01, 0.0316, 0.1, 1.0, 17.78, 100.0]),
        "ondemand": st.sampled_from([None, 0.0, 0.0105, 0.05, 20.0, 101.5]),
        "band": st.sampled_from([None, "0-5", "5-10", "20+"]),
        "sizes": st.sampled_from([SIZES[:1], SIZES[1:], SIZES]),
        "count": st.sampled_from([1, 5, 50]),
    },
)


def counted(world: World, slot_at: datetime, before_at: datetime | None) -> Any:
    """The figures of a slot's snapshot, the second way, as JSON."""
    old = None if before_at is None else compared_values(snapshot_rows(body(world, keys.snapshot(before_at))))
    figures = Figures(slot_at, old).read(snapshot_rows(body(world, keys.snapshot(slot_at)))).to_dict()
    return orjson.loads(orjson.dumps(figures))


def body(world: World, key: str) -> bytes:
    stored = world.objects.get(key)
    assert stored is not None
    return stored.body


def shown(world: World, slot_at: datetime) -> Any:
    return orjson.loads(orjson.dumps(gather(world.objects, slot_at)["figures"]))


@settings(max_examples=40, deadline=None)
@given(specs=st.lists(SPECS, min_size=1, max_size=4), casing=st.sampled_from(["source", "lower"]))
def test_kept_and_counted_figures_are_those_of_the_rows(specs: list[Any], casing: str) -> None:
    world = World()
    before_at = None
    for number, spec in enumerate(specs):
        run = world.collected(number, **spec)
        world.merge(run, name_casing=casing)
        expected = counted(world, run.slot_at, before_at)
        kept = read_figures(world.objects, run.slot_at)
        assert kept is not None
        assert orjson.loads(orjson.dumps(kept["figures"])) == expected
        assert shown(world, run.slot_at) == expected
        world.objects.delete(keys.figures(run.slot_at))
        assert shown(world, run.slot_at) == expected  # as of a run that was merged before figures were kept
        before_at = run.slot_at


def test_a_late_slot_leaves_no_figures_of_snapshots_that_it_changes() -> None:
    world = World()
    for number, spot in ((0, 0.01), (2, 0.02), (1, 0.05)):
        world.merge(world.collected(number, spot=spot, scores={"1": 3}))
    late, last = world.run(1).slot_at, world.run(2).slot_at
    for slot_at in (late, last):
        kept = read_figures(world.objects, slot_at)
        assert kept is None or kept["figures"] is None
    assert shown(world, last) == counted(world, last, late)
    assert shown(world, last)["regions"]["koreacentral"]["moves"]["spot_price"] == {"down": 1}


def test_an_absurd_price_makes_no_millions_of_bins() -> None:
    world = World()
    run = world.collected(0, spot=12345.0, ondemand=0.01, scores={"1": 3})
    world.merge(run)
    kept = read_figures(world.objects, run.slot_at)
    assert kept is not None
    assert kept["figures"] is not None
    savings = -123_449_900.0  # (0.01 - 12345) / 0.01, in percent
    assert kept["figures"]["savings_histogram"] == [(savings, savings + 5, 1)]


@pytest.mark.parametrize("spot", [1e300, 1e308])
def test_a_price_near_the_largest_number_stops_no_merge(spot: float) -> None:
    world = World()
    run = world.collected(0, spot=spot, ondemand=0.01, scores={"1": 3})
    assert world.merge(run)["rows"]["price"] == 1


def test_figures_that_cannot_be_counted_stop_no_merge(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    def fails(*_: object) -> None:
        raise ValueError("never thought of")

    run = world.collected(0, scores={"1": 3})
    monkeypatch.setattr("spotlake.usecases.merge.merge_run.view_figures", fails)
    assert world.merge(run)["complete"]
    assert shown(world, run.slot_at) == counted(world, run.slot_at, None)
