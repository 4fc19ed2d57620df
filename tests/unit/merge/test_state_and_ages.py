"""The merged state as bytes, damage to it, and the ages of its values."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import orjson
import pytest

from spotlake.errors import DamagedStateError
from spotlake.merge.ages import score_ages, slots_since_scores, value_ages
from spotlake.merge.state import PAIR_COLUMNS, WORKLOAD_COLUMNS, MergedState, decode, slot_number, slot_time
from spotlake.merge.view import View
from spotlake.models import DESIRED_COUNTS
from tests.support.errors import says
from tests.unit.merge.test_views import state

COUNTS = len(DESIRED_COUNTS)


def test_slots_are_counted_from_the_epoch() -> None:
    at = datetime(2025, 12, 15, 10, 0, tzinfo=UTC)
    assert slot_number(at) == 1_765_792_800 // 600 == 2_942_988
    assert slot_number(at + timedelta(minutes=9, seconds=59)) == slot_number(at)
    assert slot_number(at + timedelta(minutes=10)) == slot_number(at) + 1
    assert slot_number(at.astimezone(timezone(timedelta(hours=9)))) == slot_number(at)
    assert (slot_time(slot_number(at)), slot_time(0)) == (at, datetime(1970, 1, 1, tzinfo=UTC))


def filled() -> MergedState:
    """Every column has numbers of its own."""
    made = state(("r", "S_A", "1"), ("r", "S_A", "Single"), ("s", "S_B", "3"))
    made.slot, made.regions = 77, {"r": "R"}
    for place, (columns, specs) in enumerate(((made.pair, PAIR_COLUMNS), (made.workloads, WORKLOAD_COLUMNS))):
        for number, name in enumerate(specs):
            if name not in ("region", "size", "pair", "zone", "band", "physical"):
                column = columns[name].reshape(-1)
                column[:] = np.arange(len(column)) % 3 + 1 + (number + place) % 5
    return made


def same(one: MergedState, other: MergedState) -> bool:
    columns = ((one.pair, other.pair), (one.workloads, other.workloads))
    return (one.slot, one.regions, one.texts) == (other.slot, other.regions, other.texts) and all(
        list(ours) == list(theirs)
        and all(ours[name].dtype == theirs[name].dtype and np.array_equal(ours[name], theirs[name], equal_nan=True)
                for name in ours)
        for ours, theirs in columns
    )  # fmt: skip


def test_a_state_comes_back_from_its_bytes() -> None:
    made = filled()
    body = made.encode()
    assert body == filled().encode()
    assert same(decode(body, "k"), made)
    assert same(decode(MergedState().encode(), "k"), MergedState())
    head, _, rest = gzip.decompress(body).partition(b"\n")
    assert orjson.loads(head) == {
        "schema": 3, "slot": 77, "desired_counts": [1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50],
        "zones": ["1", "2", "3", "Single"], "pairs": 2, "rows": 3, "regions": {"r": "R"},
        "texts": ["", "r", "s", "S_A", "S_B"],
    }  # fmt: skip
    pair_bytes = 8 * 4 + 2 * 8 + 4 + 3 * (4 + 4 + 1) - 4 + 2 + 4  # texts and times, prices, rate, evidence, days
    row_bytes = 4 + 1 + 4 + 4 + COUNTS * (3 * 4 + 1 + 4) + 2 + 4
    assert len(rest) == 2 * pair_bytes + 3 * row_bytes
    again = decode(body, "k")
    again.pair["spot"][:] = 9.0  # the caller owns it
    assert same(decode(body, "k"), made)


def test_a_state_longer_than_one_reading_comes_back() -> None:
    made = MergedState()
    made.pair = {name: np.zeros(140_000, spec[0]) for name, spec in PAIR_COLUMNS.items()}
    made.pair["spot"][:] = np.arange(140_000)
    assert np.array_equal(decode(made.encode(), "k").pair["spot"], np.arange(140_000))


def changed(**head: Any) -> bytes:
    """A state whose head says something else."""
    first, _, rest = gzip.decompress(filled().encode()).partition(b"\n")
    told = {name: value for name, value in {**orjson.loads(first), **head}.items() if value is not None}
    return gzip.compress(orjson.dumps(told) + b"\n" + rest)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"x", "damaged (ValueError)"),
        (gzip.compress(b"{"), "damaged (JSONDecodeError)"),
        (gzip.compress(b"[]"), "damaged (TypeError)"),
        (changed(slot=None), "damaged (KeyError)"),
        (changed(schema=4), "schema 4, this code reads 2 to 3"),
        (changed(schema=1), "schema 1, this code reads 2 to 3"),
        (changed(zones=["1"]), "schema 3, this code reads 2 to 3"),
        (changed(desired_counts=[1]), "schema 3, this code reads 2 to 3"),
        (changed(rows=4), "damaged (ValueError)"),
        (changed(rows=2), "damaged (length)"),
        (changed(pairs=10**9), "damaged (ValueError)"),
        (gzip.compress(gzip.decompress(filled().encode())[:-1]), "damaged (ValueError)"),
        (gzip.compress(gzip.decompress(filled().encode()) + b"x"), "damaged (length)"),
    ],
)
def test_a_damaged_state_is_named(body: bytes, why: str) -> None:
    with says(DamagedStateError, f"k/s: {why}"):
        decode(body, "k/s")


def test_a_state_before_evidence_was_confirmed_when_its_values_began() -> None:
    made = filled()
    lacking = [
        name for name in PAIR_COLUMNS if name.endswith(("_confirmed", "_missed", "_looks", "unseen_days", "unseen_day"))
    ]
    head = {
        "schema": 2, "slot": 77, "desired_counts": DESIRED_COUNTS, "zones": ["1", "2", "3", "Single"], "pairs": 2,
        "rows": 3, "regions": {"r": "R"}, "texts": made.texts,
    }  # fmt: skip
    columns = [made.pair[name] for name in PAIR_COLUMNS if name not in lacking]
    columns += [made.workloads[name] for name in WORKLOAD_COLUMNS if name not in lacking]
    found = decode(gzip.compress(orjson.dumps(head) + b"\n" + b"".join(one.tobytes() for one in columns)), "k")
    for part in ("spot", "ondemand", "frequency"):
        assert np.array_equal(found.pair[f"{part}_confirmed"], made.pair[f"{part}_began"])
        assert found.pair[f"{part}_confirmed"] is not found.pair[f"{part}_began"]
        assert found.pair[f"{part}_missed"].tolist() == found.pair[f"{part}_looks"].tolist() == [0, 0]
    assert found.workloads["unseen_days"].tolist() == [0, 0, 0]
    assert np.array_equal(found.workloads["seen"], made.workloads["seen"])


def test_pairs_workloads_and_texts_are_appended_without_values() -> None:
    made = MergedState()
    assert (made.slot, made.regions, made.texts, made.pairs()) == (0, {}, [""], [])
    assert made.text_numbers(["b", "a", "b", ""]).tolist() == [1, 2, 1, 0]
    assert made.text_numbers([]).dtype == np.int64
    made.add_pairs([("r", "S"), ("a", "S")])
    assert (made.pairs(), made.texts) == ([("r", "S"), ("a", "S")], ["", "b", "a", "r", "S"])
    assert np.isnan(made.pair["spot"]).all()
    assert {name for name, column in made.pair.items() if len(column) != 2} == set()
    made.add_workloads(np.array([1]), np.array([3]))
    assert {name: column.tolist() for name, column in made.workloads.items()} == {
        "pair": [1], "zone": [3], "physical": [0], "answered": [0], "seen": [[[0, 0, 0]] * COUNTS],
        "score": [[0] * COUNTS], "score_began": [[0] * COUNTS], "unseen_days": [0], "unseen_day": [0],
    }  # fmt: skip
    kinds = {name: spec[0] for name, spec in (PAIR_COLUMNS | WORKLOAD_COLUMNS).items()}
    assert all(column.dtype == kinds[name] for name, column in (made.pair | made.workloads).items())


def test_a_copy_is_its_own() -> None:
    made = filled()
    copy = made.copy()
    assert same(copy, made)
    copy.pair["spot"][:], copy.workloads["score"][:], copy.regions["x"] = 9, 9, "X"
    assert same(made, filled())
    assert set(made.workloads) - set(made.copy(without="seen").workloads) == {"seen"}
    assert set(made.pair) == set(made.copy(without="spot").pair)


NOW = 50_000


def aged(**seen: tuple[int, ...]) -> View:
    """Workloads by zone, with the ages of their scores in slots at counts 1, 5 and 50; 0 at first is never."""
    made = state(*(("r", "S_A", zone[1:]) for zone in seen))
    made.slot = NOW
    made.pair["listed"][:] = NOW
    for number, ages in enumerate(seen.values()):
        for place, age in zip((0, 1, COUNTS - 1), ages, strict=True):
            if age:
                made.workloads["seen"][number, place] = [0, max(NOW - age + 1 - 5, 0), NOW - age + 1]
    return View.of(made, 14)


def ages(view: View) -> list[dict[str, Any]]:
    every, by_count = score_ages(view, slots_since_scores(view))
    return [dict(one.to_dict()) for one in (every, *by_count)]


def entry(count: int | None, scored: int, never: int, *minutes: int | None) -> dict[str, Any]:
    median, p95, oldest = minutes
    return {
        "desired_count": count, "scored": scored, "never": never, "median_minutes": median, "p95_minutes": p95,
        "oldest_minutes": oldest,
    }  # fmt: skip


def test_scores_have_ages_by_count_and_together() -> None:
    """Ages are given plus one: 1 is a score of this slot."""
    view = aged(z1=(1, 0, 7), z2=(3, 0, 0), z3=(5, 0, 0))
    assert ages(view) == [entry(None, 4, 0, 40, 60, 60), entry(1, 3, 0, 20, 40, 40), entry(50, 1, 2, 60, 60, 60)]
    assert ages(aged(z1=(2, 4, 0), z2=(0, 2, 0))) == [
        entry(None, 3, 0, 10, 30, 30), entry(1, 1, 1, 10, 10, 10), entry(5, 2, 0, 30, 30, 30),
    ]  # fmt: skip
    assert ages(aged(z1=(0, 0, 0), z2=(0, 0, 0))) == [entry(None, 0, 2, None, None, None)]


@pytest.mark.parametrize(
    ("number", "median", "p95"),
    [
        (1, 0, 0),
        (2, 1, 1),
        (3, 1, 2),
        (19, 9, 18),
        (20, 10, 19),
        (21, 10, 19),
        (39, 19, 37),
        (40, 20, 38),
        (41, 20, 38),
    ],
)
def test_the_95th_percentile_leaves_the_oldest_twentieth_out(number: int, median: int, p95: int) -> None:
    """One score of each age from this slot on: of 21 scores one is above the 95th percentile, of 41 two."""
    made = state(*(("r", f"S_{one}", "1") for one in range(number)))
    made.slot = NOW
    made.workloads["seen"][:, 0, 0] = NOW - np.arange(number)
    told = (10 * median, 10 * p95, 10 * (number - 1))
    assert ages(View.of(made, 14)) == [entry(None, number, 0, *told), entry(1, number, 0, *told)]


def test_a_score_of_any_slot_but_0_is_a_score() -> None:
    made = state(("r", "S_A", "1"), ("r", "S_A", "2"))
    made.slot, made.workloads["seen"][0, 0, 0] = 3, 1
    assert ages(View.of(made, 14)) == [entry(None, 1, 1, 20, 20, 20), entry(1, 1, 1, 20, 20, 20)]


def test_scores_of_what_is_not_live_have_no_age() -> None:
    view = aged(z1=(1, 0, 0), z2=(9, 0, 0), z3=(2, 0, 0))
    view.live[1] = False
    assert ages(view)[1] == entry(1, 2, 0, 10, 10, 10)


LIMITS = [60, 360, 1440, 10_080]


@pytest.mark.parametrize(
    ("slots", "place"), [(0, 0), (6, 0), (7, 1), (36, 1), (37, 2), (144, 2), (145, 3), (1008, 3), (1009, 4), (9999, 4)]
)
def test_values_are_counted_by_the_time_since_they_were_confirmed(slots: int, place: int) -> None:
    made = state(("r", "S_A", "1"), ("r", "S_A", "2"), pairs=[("r", "S_B"), ("r", "S_C")])
    made.slot = NOW
    made.pair["spot"][:2], made.pair["spot_confirmed"][:] = 1.0, NOW - slots
    made.pair["frequency"][0], made.pair["frequency_confirmed"][:] = 3.0, NOW - slots
    made.pair["unseen_days"][1] = 99  # S_B is retired
    made.workloads["seen"][0, 0, 1] = made.workloads["seen"][0, 1, 2] = NOW - slots
    view = View.of(made, 14)
    one = [int(number == place) for number in range(5)]
    assert value_ages(view, slots_since_scores(view)) == {
        "limits_minutes": LIMITS, "sps": [2 * number for number in one], "price": one, "eviction": one,
    }  # fmt: skip
