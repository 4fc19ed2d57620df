"""Rows of a slot folded into a state, value by value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spotlake.merge.columns import ZONES, Columns
from spotlake.merge.evidence import Looks, Patience
from spotlake.merge.fold import fold_slot
from spotlake.merge.state import MergedState
from spotlake.models import DESIRED_COUNTS, Dataset
from tests.unit.merge.test_rows_of_a_run import A, B, C, price, rate, read, score, shard

PATIENT = Patience()
PRICE, RATE, SPS = Dataset.PRICE, Dataset.EVICTION, Dataset.SPS


def folded(*slots: tuple[int, Columns], state: MergedState | None = None) -> MergedState:
    made = state or MergedState()
    for slot, columns in slots:
        fold_slot(made, columns, slot, Looks(), PATIENT)
    return made


def of_pairs(made: MergedState, *names: str) -> dict[tuple[str, str], tuple[Any, ...]]:
    rows = zip(*(made.pair[name].tolist() for name in names), strict=True)
    plain = (tuple(None if one != one else one for one in row) for row in rows)  # noqa: PLR0124 - nan alone
    return dict(zip(made.pairs(), plain, strict=True))


def of_rows(made: MergedState, count: int = 1) -> dict[tuple[str, str, str], tuple[Any, ...]]:
    """By workload: building, last answer, score at a count, when it began, and last slot of each score."""
    rows, place, pairs = made.workloads, DESIRED_COUNTS.index(count), made.pairs()
    return {
        (*pairs[rows["pair"][one]], ZONES[rows["zone"][one]]): (
            made.texts[rows["physical"][one]], int(rows["answered"][one]), int(rows["score"][one, place]),
            int(rows["score_began"][one, place]), *rows["seen"][one, place].tolist(),
        )
        for one in range(len(rows["pair"]))
    }  # fmt: skip


def test_prices_begin_when_they_change_and_are_confirmed_when_they_are_told() -> None:
    made = folded(
        (10, read(shard(PRICE, price(A, 0.5, 1.0, region_name="US East"), price(B, None, 2.0), price(C, 0.25, 0.0)))),
        (11, read(shard(PRICE, price(A, 0.5, 1.5), price(C, None, 3.0)))),
        (12, read(shard(PRICE, price(A, 0.75, None)))),
    )
    assert of_pairs(made, "spot", "spot_began", "spot_confirmed", "listed") == {
        ("eastus", A): (0.75, 12, 12, 12), ("eastus", C): (0.25, 10, 10, 10),
    }  # fmt: skip
    assert of_pairs(made, "ondemand", "ondemand_began", "ondemand_confirmed") == {
        ("eastus", A): (1.5, 11, 11), ("eastus", C): (3.0, 11, 11),
    }  # fmt: skip
    assert (made.slot, made.regions) == (12, {"eastus": "US East"})


def test_a_late_slot_s_number_does_not_turn_the_state_back() -> None:
    assert folded((10, Columns()), (9, Columns())).slot == 10


def test_rates_are_of_known_pairs_alone_and_unknown_ones_replace_nothing() -> None:
    made = folded(
        (10, read(shard(PRICE, price(A, 0.5), price(B, 0.5)), shard(RATE, rate(A, "0-5", 3.0), rate(C, "0-5", 3.0)))),
        (11, read(shard(RATE, rate(A, "", None), rate(B, "5-10", 2.5)))),
        (12, read(shard(RATE, rate(A, "20+", 1.0), rate(B, "5-10", 2.5)))),
    )
    found = of_pairs(made, "frequency", "frequency_began", "frequency_confirmed", "band", "listed")
    assert {pair: (*row[:3], made.texts[row[3]], row[4]) for pair, row in found.items()} == {
        ("eastus", A): (1.0, 12, 12, "20+", 10), ("eastus", B): (2.5, 11, 12, "5-10", 10),
    }  # fmt: skip
    assert C not in made.texts


def bands(made: MergedState) -> dict[tuple[str, str], tuple[Any, ...]]:
    """By pair: its rate and the rate's band."""
    return {pair: (rate_, made.texts[band]) for pair, (rate_, band) in of_pairs(made, "frequency", "band").items()}


def test_a_rate_of_a_size_that_nobody_sells_is_nobody_s() -> None:
    prices = read(shard(PRICE, price(A, 0.5), price(B, 0.5)))
    made = folded((10, prices), (11, read(shard(RATE, rate(C, "20+", 1.0)))))
    assert bands(made) == {("eastus", A): (None, ""), ("eastus", B): (None, "")}


def test_an_unknown_rate_takes_no_band_away() -> None:
    known = read(shard(PRICE, price(A, 0.5)), shard(RATE, rate(A, "0-5", 3.0)))
    made = folded((10, known), (11, read(shard(RATE, rate(A, "odd", None)))))
    assert bands(made) == {("eastus", A): (3.0, "0-5")}


def test_scores_are_kept_by_zone_and_count_with_their_times() -> None:
    made = folded(
        (10, read(shard(SPS, score(A, "2", 3, building="az2"), score(A, "1", 1), score(A, "1", 2, 5)))),
        (11, read(shard(SPS, score(A, "2", 3), score(A, "1", None), score(B, "Single", 2)))),
        (12, read(shard(SPS, score(A, "2", 2), score(A, "3", None)))),
    )
    assert of_rows(made) == {
        ("eastus", A, "1"): ("", 11, 1, 10, 10, 0, 0), ("eastus", A, "2"): ("az2", 12, 2, 12, 0, 12, 11),
        ("eastus", B, "Single"): ("", 11, 2, 11, 0, 11, 0), ("eastus", A, "3"): ("", 12, 0, 0, 0, 0, 0),
    }  # fmt: skip
    assert of_rows(made, 5)["eastus", A, "1"] == ("", 11, 2, 10, 0, 10, 0)
    assert of_pairs(made, "listed") == {("eastus", A): (12,), ("eastus", B): (11,)}
    assert of_pairs(made, "spot")["eastus", A] == (None,)


def test_of_two_scores_of_one_slot_the_lower_counts_alone() -> None:
    twice = read(shard(SPS, score(A, "1", 1)), shard(SPS, score(A, "1", 3)), settle=False)
    assert of_rows(folded((10, twice)))["eastus", A, "1"] == ("", 10, 1, 10, 10, 0, 0)
    turned = read(shard(SPS, score(A, "1", 3)), shard(SPS, score(A, "1", 2)), settle=False)
    assert of_rows(folded((10, turned)))["eastus", A, "1"] == ("", 10, 2, 10, 0, 10, 0)


@pytest.mark.parametrize("value", [1, 2, 3])
def test_any_score_shows_that_a_pair_is_there(value: int) -> None:
    made = folded((10, read(shard(SPS, score(A, "1", value)))), (11, read(shard(SPS, score(A, "1", None)))))
    assert of_pairs(made, "listed") == {("eastus", A): (10,)}


def test_no_score_makes_no_pair() -> None:
    assert folded((10, read(shard(SPS, score(A, "1", None), score(A, "Single", None))))).pairs() == []


def test_no_score_of_no_zone_makes_no_workload() -> None:
    told = read(shard(SPS, score(A, "Single", None), score(A, "2", None), score(B, "1", None)))
    made = folded((10, read(shard(PRICE, price(A, 0.5)))), (11, told))
    assert list(of_rows(made)) == [("eastus", A, "2")]
    assert of_pairs(made, "listed") == {("eastus", A): (10,)}


def test_no_score_of_a_regional_workload_is_an_answer() -> None:
    made = folded((10, read(shard(SPS, score(A, "Single", 3)))), (11, read(shard(SPS, score(A, "Single", None)))))
    assert of_rows(made) == {("eastus", A, "Single"): ("", 11, 3, 10, 0, 0, 10)}


def test_no_score_beside_a_score_of_the_same_slot_is_of_its_pair() -> None:
    made = folded((10, read(shard(SPS, score(A, "1", 3), score(A, "2", None), score(A, "Single", None)))))
    assert list(of_rows(made)) == [("eastus", A, "1"), ("eastus", A, "2")]


def test_a_regional_no_score_is_of_its_own_pair() -> None:
    """Pairs before and after it have workloads in every zone."""
    known = folded(
        (10, read(shard(SPS, *(score(A, zone, 3) for zone in ZONES)))), (11, read(shard(PRICE, price(B, 1))))
    )
    made = folded(
        (12, read(shard(SPS, *(score(C, zone, 3) for zone in ZONES)))),
        (13, read(shard(SPS, score(B, "Single", None)))),
        state=known,
    )
    assert list(of_rows(made)) == [("eastus", size, zone) for size in (A, C) for zone in ZONES]


def in_buildings() -> tuple[int, Columns]:
    """Scores of slot 10, all in building az1."""
    rows = (score(A, "1", 3, building="az1"), score(A, "2", 3, building="az1"), score(A, "1", 3, 5, building="az1"))
    return 10, read(shard(SPS, *rows))


def test_another_building_begins_another_history() -> None:
    later = read(shard(SPS, score(A, "1", 2, building="az2"), score(A, "2", 2, building="az1")))
    made = folded(in_buildings(), (11, later))
    assert of_rows(made) == {
        ("eastus", A, "1"): ("az2", 11, 2, 11, 0, 11, 0), ("eastus", A, "2"): ("az1", 11, 2, 11, 0, 11, 10),
    }  # fmt: skip
    assert of_rows(made, 5)["eastus", A, "1"] == ("az2", 11, 0, 0, 0, 0, 0)


def test_an_answer_that_names_no_building_is_of_the_same_one() -> None:
    made = folded(in_buildings(), (11, read(shard(SPS, score(A, "1", 2)))))
    assert of_rows(made)["eastus", A, "1"] == ("az1", 11, 2, 11, 0, 11, 10)


def test_a_building_that_was_not_known_before_ends_no_history() -> None:
    made = folded((9, read(shard(SPS, score(A, "1", 1)))), in_buildings())
    assert of_rows(made)["eastus", A, "1"] == ("az1", 10, 3, 10, 9, 0, 10)


def test_a_size_keeps_the_spelling_in_which_it_came_first() -> None:
    made = folded(
        (10, read(shard(PRICE, price(A, 0.5)), shard(RATE, rate("standard_a", "0-5", 3.0)))),
        (11, read(shard(PRICE, price(A.upper(), 0.75)), shard(SPS, score("standard_a", "1", 3)))),
        (12, read(shard(PRICE, price(A.lower(), 0.25, region="westus"), region="westus"))),
        (13, read(shard(PRICE, price("standard_b", 0.1)), shard(SPS, score(B, "1", 1, region="westus")))),
    )
    assert of_pairs(made, "spot", "frequency") == {
        ("eastus", A): (0.75, 3.0), ("westus", A): (0.25, None), ("eastus", "standard_b"): (0.1, None),
        ("westus", "standard_b"): (None, None),
    }  # fmt: skip
    assert list(of_rows(made)) == [("eastus", A, "1"), ("westus", "standard_b", "1")]


def test_one_slot_adds_each_pair_once_however_it_is_spelt() -> None:
    columns = Columns()
    for one in (
        shard(PRICE, price(A, 0.5), price(C, 0.5)),
        shard(SPS, score(A.upper(), "1", 3), score(B, "1", 2), score(B.lower(), "2", 2)),
    ):
        columns.read(one, "k")
    made = folded((10, columns))  # spelt as the rows are
    assert made.pairs() == [("eastus", A), ("eastus", C), ("eastus", B)]
    assert list(of_rows(made)) == [("eastus", A, "1"), ("eastus", B, "1"), ("eastus", B, "2")]


@pytest.mark.parametrize("number", [3, 35])
def test_values_go_to_their_own_pairs_however_many_there_are(number: int) -> None:
    sizes = [f"Standard_S{one:03}" for one in range(number)]
    regions = ("eastus", "southus", "westus")

    def rows(slot: int) -> Columns:
        return read(
            *(
                shard(
                    PRICE, *(price(size, place + slot / 100, region=region) for place, size in enumerate(sizes)),
                    region=region,
                )
                for region in regions
            ),
            shard(SPS, *(score(size, zone, 1 + (place + slot) % 3, region=region) for place, size in enumerate(sizes)
                         for region in regions for zone in ("1", "3"))),
        )  # fmt: skip

    made = folded((10, rows(10)), (11, rows(11)))
    assert of_pairs(made, "spot", "spot_began") == {
        (region, size): (place + 0.11, 11) for region in regions for place, size in enumerate(sizes)
    }
    assert {key: row[2] for key, row in of_rows(made).items()} == {
        (region, size, zone): 1 + (place + 11) % 3
        for region in regions for place, size in enumerate(sizes) for zone in ("1", "3")
    }  # fmt: skip


def test_what_a_slot_looked_for_and_did_not_find_is_noted_and_forgotten_in_time() -> None:
    patience = Patience(absent_looks=1, absent_hours=0, retire_after_days=1, forget_after_days=1)
    made = MergedState()
    both = read(shard(PRICE, price(A, 0.5), price(B, 0.5)), shard(SPS, score(A, "1", 3), score(B, "1", 3)))
    fold_slot(made, both, 1440, Looks(), patience)
    one = read(shard(PRICE, price(A, 0.5)), shard(SPS, score(A, "1", 3), score(A, "2", None)))
    looks = Looks(by_part={"spot": {"eastus"}})
    fold_slot(made, one, 1441, looks, patience)
    assert of_pairs(made, "spot", "spot_missed", "unseen_days") == {
        ("eastus", A): (0.5, 0, 0), ("eastus", B): (None, 1441, 1),
    }  # fmt: skip
    answered = read(shard(SPS, score(A, "1", 3)))
    fold_slot(made, answered, 1442, Looks(), patience)
    unseen = dict(zip(of_rows(made), made.workloads["unseen_days"].tolist(), strict=True))
    assert unseen == {("eastus", A, "1"): 0, ("eastus", B, "1"): 0, ("eastus", A, "2"): 1}
    fold_slot(made, one, 1440 + 144, looks, patience)
    assert made.pairs() == [("eastus", A)]
    assert np.array_equal(made.workloads["pair"], [0, 0])
