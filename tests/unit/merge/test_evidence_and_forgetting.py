"""What looks show of values, when something is retired, and what is forgotten of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from spotlake.merge.evidence import Looks, Patience, confirm, note_looks, shown_confirmed
from spotlake.merge.forgetting import forget
from spotlake.merge.state import MergedState
from spotlake.models import SLOTS_A_DAY
from spotlake.settings import Settings
from tests.unit.merge.test_views import state

SLOT = 144 * 1000
PATIENT = Patience(absent_looks=3, absent_hours=2, retire_after_days=2, forget_after_days=5)


def priced() -> MergedState:
    """Two pairs of region r, one of s, whose values were confirmed an hour ago."""
    made = state(("r", "S_A", "1"), ("r", "S_B", "1"), ("s", "S_A", "1"))
    (band,) = made.text_numbers(["0-5"])
    for part, value in (("spot", 0.5), ("ondemand", 1.0), ("frequency", 3.0)):
        made.pair[part][:], made.pair[f"{part}_confirmed"][:] = value, SLOT - 6
    made.pair["band"][:] = band
    made.pair["listed"][:] = made.workloads["answered"][:] = SLOT - 6
    return made


def looked(
    made: MergedState, slot: int, parts: Mapping[str, Any], *, scored: Any = (), patience: Patience = PATIENT
) -> None:
    note_looks(made, Looks(by_part=dict(parts)), np.array(scored, np.int64), slot, patience)


def test_the_patience_is_that_of_the_settings() -> None:
    settings = Settings(absent_looks=7, absent_hours=8, retire_after_days=9, retired_ttl_days=99)
    assert Patience.of(settings) == Patience(
        absent_looks=7, absent_hours=8, retire_after_days=9, forget_after_days=99
    )  # fmt: skip


def test_a_value_that_looks_miss_is_counted_and_unknown_after_enough_of_them() -> None:
    made = priced()
    for number in range(13):
        confirm(made, "spot", np.array([1]), SLOT + number)
        looked(made, SLOT + number, {"spot": {"r"}})
        pair = made.pair
        assert pair["spot_looks"].tolist() == [number + 1, 0, 0]
        assert pair["spot_missed"].tolist() == [SLOT, 0, 0]
        assert np.isnan(pair["spot"]).tolist() == [number >= 12, False, False]  # after two hours
    assert (pair["ondemand_looks"].tolist(), pair["frequency_missed"].tolist()) == ([0] * 3, [0] * 3)
    assert shown_confirmed(made, "spot").tolist() == [SLOT - 6, 0, 0]
    assert shown_confirmed(made, "ondemand").tolist() == [0] * 3
    looked(made, SLOT + 13, {"spot": {"r"}})
    assert made.pair["spot_looks"].tolist() == [13, 1, 0]  # what is unknown is missed no more
    confirm(made, "spot", np.array([0]), SLOT + 14)
    assert [made.pair[f"spot_{name}"].tolist()[0] for name in ("confirmed", "missed", "looks")] == [SLOT + 14, 0, 0]
    assert [made.pair[f"spot_{name}"].tolist()[1] for name in ("confirmed", "missed", "looks")] == [
        SLOT + 12, SLOT + 13, 1,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("slots", "gone"),
    [((0, 6, 12), True), ((0, 6, 11), False), ((0, 12), False), ((0, 12, 13), True), ((0, 1, 2), False)],
)
def test_both_looks_and_hours_must_be_enough(slots: tuple[int, ...], gone: bool) -> None:
    made = priced()
    for slot in slots:
        looked(made, SLOT + slot, {"ondemand": ("s",)})
    assert np.isnan(made.pair["ondemand"]).tolist() == [False, False, gone]


def test_a_rate_that_becomes_unknown_takes_its_band_with_it() -> None:
    made = priced()
    for slot in (0, 6, 12):
        looked(made, SLOT + slot, {"frequency": {"s"}, "spot": {"r"}})
    texts = made.texts
    assert [texts[band] for band in made.pair["band"]] == ["0-5", "0-5", ""]
    assert np.isnan(made.pair["frequency"]).tolist() == [False, False, True]
    assert np.isnan(made.pair["spot"]).tolist() == [True, True, False]


def test_looks_are_counted_to_a_number_that_fits() -> None:
    made = priced()
    for slot in range(300):
        looked(made, SLOT + slot, {"spot": {"s"}}, patience=Patience(absent_looks=999))
    assert made.pair["spot_looks"].tolist() == [0, 0, 255]
    assert not np.isnan(made.pair["spot"]).any()


def days(made: MergedState) -> tuple[list[int], list[int]]:
    return made.pair["unseen_days"].tolist(), made.workloads["unseen_days"].tolist()


def test_a_day_on_which_something_was_looked_for_and_absent_counts_once() -> None:
    made = priced()
    made.pair["listed"][1] = SLOT
    looked(made, SLOT, {"spot": {"r"}}, scored=[0, 2])
    assert days(made) == ([1, 0, 0], [1, 0, 1])
    assert made.pair["unseen_day"].tolist() == [1000, 0, 0]
    assert made.workloads["unseen_day"].tolist() == [1000, 0, 1000]
    looked(made, SLOT + 143, {"spot": {"r"}}, scored=[0])  # the same day
    assert days(made) == ([1, 1, 0], [1, 0, 1])
    for day in (1, 2, 3):
        looked(made, SLOT + SLOTS_A_DAY * day, {"spot": {"r"}}, scored=[0])
    assert days(made) == ([2, 2, 0], [2, 0, 1])  # retired after two, and counted no more
    assert made.pair["unseen_day"].tolist() == [1001, 1001, 0]
    made.pair["listed"][0] = made.workloads["answered"][0] = SLOT + SLOTS_A_DAY * 4
    looked(made, SLOT + SLOTS_A_DAY * 4, {}, scored=[0, 1, 2])
    assert days(made) == ([0, 2, 0], [0, 1, 2])
    looked(made, SLOT + SLOTS_A_DAY * 5, {})  # nobody looked
    assert days(made) == ([0, 2, 0], [0, 1, 2])


RETIRED = 1000  # the day


def retired(*, forgotten: bool = True) -> MergedState:
    """Pair S_A of r is retired since a day, as is zone 2 of S_B; text ``r-az1`` is of S_A alone."""
    made = state(("r", "S_A", "1"), ("s", "S_B", "1"), ("s", "S_B", "2"), ("s", "S_C", "3"))
    az1, az2, low, high = made.text_numbers(["r-az1", "s-az1", "0-5", "20+"])
    made.regions = {"r": "R", "s": "S", "t": "T"}
    made.pair["band"][:] = [low, high, high]
    made.pair["spot"][:] = [0.1, 0.2, 0.3]
    made.workloads["physical"][:] = [az1, az2, az2, az2]
    made.workloads["score"][:, 0] = [1, 2, 3, 1]
    made.pair["unseen_days"][:], made.pair["unseen_day"][:] = [2, 1, 0], [RETIRED, RETIRED - 50, 0]
    made.workloads["unseen_days"][:], made.workloads["unseen_day"][:] = [0, 1, 3, 0], [0, 0, RETIRED, 0]
    return made


def at_day(made: MergedState, day: int) -> MergedState:
    forget(made, day * SLOTS_A_DAY + 143, PATIENT)
    return made


def test_what_was_retired_five_days_ago_is_forgotten_with_its_texts() -> None:
    made = at_day(retired(), RETIRED + 5)
    texts = made.texts
    assert made.pairs() == [("s", "S_B"), ("s", "S_C")]
    assert texts == ["", "s", "S_B", "S_C", "s-az1", "20+"]
    assert made.regions == {"s": "S"}
    assert made.pair["spot"].tolist() == [0.2, 0.3]
    assert [texts[band] for band in made.pair["band"]] == ["20+", "20+"]
    assert made.workloads["pair"].tolist() == [0, 1]
    assert made.workloads["zone"].tolist() == [0, 2]
    assert made.workloads["score"][:, 0].tolist() == [2, 1]
    assert [texts[number] for number in made.workloads["physical"]] == ["s-az1", "s-az1"]
    assert {name: column.dtype for name, column in made.pair.items()} == {
        name: column.dtype for name, column in MergedState().pair.items()
    }
    assert {name: column.dtype for name, column in made.workloads.items()} == {
        name: column.dtype for name, column in MergedState().workloads.items()
    }


def test_nothing_is_forgotten_before_its_day() -> None:
    made = at_day(retired(), RETIRED + 4)
    assert (len(made.pairs()), len(made.workloads["pair"]), len(made.texts)) == (3, 4, 10)
    assert set(made.regions) == {"r", "s", "t"}  # names too stay until something is forgotten
    never = retired()
    never.pair["unseen_days"][:], never.workloads["unseen_days"][:] = 1, 1  # absent, and not retired
    assert len(at_day(never, RETIRED + 999).pairs()) == 3


def test_a_pair_that_never_had_a_workload_is_forgotten() -> None:
    made = state(pairs=[("r", "S_A"), ("s", "S_B")])
    made.pair["unseen_days"][0], made.pair["unseen_day"][0] = 2, RETIRED
    assert at_day(made, RETIRED + 5).pairs() == [("s", "S_B")]
    assert made.texts == ["", "s", "S_B"]


def test_a_pair_or_a_workload_alone_may_be_forgotten() -> None:
    pair_only = retired()
    pair_only.workloads["unseen_days"][:] = 0
    assert at_day(pair_only, RETIRED + 5).workloads["pair"].tolist() == [0, 0, 1]
    row_only = retired()
    row_only.pair["unseen_days"][:] = 0
    made = at_day(row_only, RETIRED + 5)
    assert (len(made.pairs()), made.workloads["pair"].tolist()) == (3, [0, 1, 2])


def test_the_first_text_stays_even_if_everything_has_a_band_and_a_building() -> None:
    made = retired()
    made.texts.insert(1, "unused")
    for columns, name in (
        (made.pair, "region"),
        (made.pair, "size"),
        (made.pair, "band"),
        (made.workloads, "physical"),
    ):
        columns[name] += 1
    assert at_day(made, RETIRED + 5).texts[0] == ""
    assert "unused" not in made.texts
