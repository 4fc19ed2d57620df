"""What a view shows of a state, in which order, and where its workloads stand in another view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from spotlake.merge.columns import ZONES
from spotlake.merge.matching import places_in, texts_in
from spotlake.merge.state import MergedState
from spotlake.merge.view import PLAIN_ZONE, View, savings_percent
from spotlake.models import DESIRED_COUNTS, NO_ZONE

SLOT = 1000


def state(*workloads: tuple[str, str, str], pairs: Sequence[tuple[str, str]] = (), **columns: Any) -> MergedState:
    """A state of these workloads, whose pairs are listed; and of pairs that have none."""
    made = MergedState(slot=SLOT)
    named = list(dict.fromkeys([*((region, size) for region, size, _ in workloads), *pairs]))
    made.add_pairs(named)
    made.pair["listed"][:] = SLOT
    made.add_workloads(
        np.array([named.index((region, size)) for region, size, _ in workloads], np.int64),
        np.array([ZONES.index(zone) for _, _, zone in workloads], np.int64),
    )
    made.workloads["answered"][:] = SLOT
    for name, values in columns.items():
        (made.pair if name in made.pair else made.workloads)[name][:] = values
    return made


def named(view: View, numbers: Any) -> list[tuple[str, str, str]]:
    zones, pairs = (*ZONES, NO_ZONE), view.state.pairs()
    return [(*pairs[view.pair[number]], zones[view.zone[number]]) for number in np.asarray(numbers).tolist()]


def live(view: View) -> list[tuple[str, str, str]]:
    return named(view, np.flatnonzero(view.live))


WORKLOADS = (("r", "S_A", "1"), ("r", "S_A", "Single"), ("s", "S_A", "2"))
PAIRS = (("r", "S_B"),)


def test_a_pair_without_a_scored_zone_is_one_workload_of_no_zone() -> None:
    view = View.of(state(*WORKLOADS, pairs=PAIRS), 14)
    plain = [("r", "S_A", "N/A"), ("s", "S_A", "N/A"), ("r", "S_B", "N/A")]
    assert named(view, range(len(view.live))) == [*WORKLOADS, *plain]
    assert live(view) == [*WORKLOADS, ("r", "S_B", "N/A")]
    assert (view.live_count, view.row.tolist()) == (4, [0, 1, 2, -1, -1, -1])
    assert (len(view.t2), view.t2.dtype.str, view.t3.dtype.str) == (6, "<i2", "<i2")
    assert [column.dtype.str for column in (view.pair, view.row, view.zone, view.live)] == ["<i8", "<i8", "|i1", "|b1"]
    assert view.t2.tolist()[3:] == view.t3.tolist()[3:] == [-1, -1, -1]
    assert (PLAIN_ZONE, view.zone.tolist()[3:]) == (4, [4, 4, 4])


def test_what_is_retired_or_was_never_there_is_not_live() -> None:
    gone = state(*WORKLOADS, pairs=PAIRS)
    gone.workloads["unseen_days"][:] = [14, 13, 0]
    assert live(View.of(gone, 14)) == [*WORKLOADS[1:], ("r", "S_B", "N/A")]
    gone.workloads["unseen_days"][:] = [14, 99, 0]
    assert live(View.of(gone, 14)) == [WORKLOADS[2], ("r", "S_A", "N/A"), ("r", "S_B", "N/A")]
    assert live(View.of(gone, 15)) == [WORKLOADS[0], WORKLOADS[2], ("r", "S_B", "N/A")]
    unanswered = state(*WORKLOADS, answered=[1, 0, 0])
    assert live(View.of(unanswered, 14)) == [WORKLOADS[0], ("s", "S_A", "N/A")]
    unlisted = state(*WORKLOADS, pairs=PAIRS)
    unlisted.pair["listed"][:] = [1, 0, 0]
    assert live(View.of(unlisted, 14)) == [*WORKLOADS[:2]]
    unseen = state(*WORKLOADS, pairs=PAIRS)
    unseen.pair["unseen_days"][:] = [14, 13, 15]
    assert live(View.of(unseen, 14)) == [WORKLOADS[2]]


def test_thresholds_are_of_scores_2_and_3() -> None:
    made = state(("r", "S_A", "1"), ("r", "S_A", "2"))
    made.workloads["seen"][0, DESIRED_COUNTS.index(10)] = [0, 5, 0]
    made.workloads["seen"][0, DESIRED_COUNTS.index(1)] = [0, 0, 4]
    made.workloads["seen"][1, DESIRED_COUNTS.index(1)] = [4, 0, 0]
    view = View.of(made, 14)
    assert (view.t2.tolist(), view.t3.tolist()) == ([10, 0, -1], [1, 0, -1])


def test_a_kept_view_is_of_a_copy_without_the_history_of_scores() -> None:
    made = state(*WORKLOADS)
    kept = View.of(made, 14).kept()
    made.pair["spot"][:] = 9.0
    made.workloads["score"][:] = 3
    assert np.isnan(kept.state.pair["spot"]).all()
    assert not kept.state.workloads["score"].any()
    assert set(made.workloads) - set(kept.state.workloads) == {"seen"}
    assert live(kept) == [*WORKLOADS]


def test_workloads_stand_in_order_of_region_size_and_zone() -> None:
    view = View.of(
        state(("s", "S_A", "1"), ("r", "S_B", "Single"), ("r", "S_B", "3"), ("r", "S_A", "2"), pairs=[("q", "S_Z")]), 14
    )
    assert named(view, view.in_order()) == [
        ("q", "S_Z", "N/A"), ("r", "S_A", "2"), ("r", "S_B", "3"), ("r", "S_B", "Single"), ("s", "S_A", "1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("spot", "ondemand", "savings"),
    [(0.02, 0.1, 80.0), (1.0, 3.0, 66.67), (2.0, 1.0, -100.0), (None, 1.0, None), (1.0, None, None),
     (1.0, 0.0, None), (0.0, 0.0, None), (0.0, 1.0, 100.0), (1e308, 1e-10, None)],
)  # fmt: skip
def test_savings_are_percents_of_the_ondemand_price(
    spot: float | None, ondemand: float | None, savings: float | None
) -> None:
    (found,) = savings_percent(np.array([spot], float), np.array([ondemand], float)).tolist()
    assert (None if np.isnan(found) else found) == savings


def places(before: View, after: View) -> dict[tuple[str, str, str], tuple[str, str, str] | None]:
    """By workload of ``after``: the workload of ``before`` at its place."""
    found, names = places_in(before, after).tolist(), named(after, range(len(after.live)))
    return {name: None if place < 0 else named(before, [place])[0] for name, place in zip(names, found, strict=True)}


def test_a_workload_is_found_by_its_names_whatever_their_numbers_are() -> None:
    before = View.of(state(("r", "S_A", "1"), ("r", "S_A", "Single"), ("s", "S_B", "3")), 14)
    after = View.of(state(("x", "S_B", "1"), ("s", "S_B", "3"), ("s", "S_A", "1"), ("r", "S_A", "1")), 14)
    known = {("s", "S_B", "3"), ("r", "S_A", "1"), ("s", "S_B", "N/A"), ("r", "S_A", "N/A")}
    new = {("x", "S_B", "1"), ("s", "S_A", "1"), ("x", "S_B", "N/A"), ("s", "S_A", "N/A")}
    assert places(before, after) == {**{name: name for name in known}, **dict.fromkeys(new)}


def test_equal_views_and_empty_ones_are_matched_in_a_moment() -> None:
    view, empty = View.of(state(*WORKLOADS, pairs=PAIRS), 14), View.of(MergedState(), 14)
    assert places_in(view, view).tolist() == list(range(6))
    assert places_in(empty, view).tolist() == [-1] * 6
    assert places_in(view, empty).tolist() == []


def test_a_text_that_is_gone_has_no_number() -> None:
    before, after = state(("r", "S_A", "1"), ("s", "S_B", "1")), state(("s", "S_C", "1"), ("r", "S_B", "1"))
    assert before.texts == ["", "r", "s", "S_A", "S_B"]
    assert after.texts == ["", "s", "r", "S_C", "S_B"]
    assert texts_in(before, after).tolist() == [0, 2, 1, -1, 4]


def test_a_pair_of_a_name_that_is_gone_is_no_other_pair() -> None:
    """-1 in place of a number must meet no pair of the later view."""
    before = View.of(state(("r", "S_A", "1"), ("", "S_B", "1"), ("s", "S_B", "2")), 14)
    after = View.of(state(("s", "S_B", "2"), ("s", "S_B", "3")), 14)
    assert places(before, after) == {
        ("s", "S_B", "2"): ("s", "S_B", "2"), ("s", "S_B", "3"): None, ("s", "S_B", "N/A"): ("s", "S_B", "N/A"),
    }  # fmt: skip


def test_no_two_workloads_meet_however_many_names_there_are() -> None:
    sizes = [f"S_{number}" for number in range(70)]
    every = [(region, size, zone) for region in ("q", "r", "s") for size in sizes for zone in ZONES]
    pairs = [(region, size) for region in ("q", "r", "s") for size in sizes]
    odd, even = (View.of(state(*every[start::2], pairs=pairs), 14) for start in (0, 1))
    found = places(odd, even)
    assert {name for name, place in found.items() if place is not None} == {(*pair, "N/A") for pair in pairs}
    assert all(place in (None, name) for name, place in found.items())
