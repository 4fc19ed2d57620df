from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlake.models import DESIRED_COUNTS, ScoreCall
from spotlake.planning.cover import Block
from spotlake.planning.schedule import Schedule, owners_of, schedule_calls, spread
from spotlake.planning.sweep import Sweep, age_minutes, block_id, record_answers
from spotlake.planning.urgency import Priorities

FIRST_AT = datetime(2025, 12, 15, tzinfo=UTC)
BLOCKS = tuple(Block((f"region{number}",), ("Standard_D2s_v5",)) for number in range(12))
NAMES = tuple(map(block_id, BLOCKS))
LOCATIONS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 9), max_size=8)


def make(
    *,
    counts: Sequence[int] | None = (1,),
    free: dict[str, int] | None = None,
    health: dict[str, float] | None = None,
    collectors: Sequence[str] = ("a", "b"),
    sweep: Sweep | None = None,
    slot: int = 0,
    priorities: Priorities | None = None,
) -> Schedule:
    return schedule_calls(
        BLOCKS,
        desired_counts=counts,
        free={"a": 10, "b": 10} if free is None else free,
        health=health or {},
        collectors=collectors,
        sweep=sweep or Sweep(),
        now_at=FIRST_AT + timedelta(minutes=10 * slot),
        priorities=priorities or Priorities(),
    )


def calls_of(schedule: Schedule) -> list[ScoreCall]:
    return sorted((call for own in schedule.calls.values() for call in own), key=lambda call: call.call_id)


def asked(schedule: Schedule) -> list[tuple[str, int]]:
    return [(call.regions[0], call.desired_count) for call in calls_of(schedule)]


def fold(sweep: Sweep, schedule: Schedule, slot: int, failing: Sequence[str] = ()) -> Sweep:
    for count in schedule.desired_counts:
        own = [call for call in calls_of(schedule) if call.desired_count == count]
        sweep = record_answers(
            sweep,
            slot_at=FIRST_AT + timedelta(minutes=10 * slot),
            count=count,
            answered=[block_id_of(call) for call in own if call.regions[0] not in failing],
            failed=[block_id_of(call) for call in own if call.regions[0] in failing],
            plan=NAMES,
        )
    return sweep


def block_id_of(call: ScoreCall) -> str:
    return block_id(Block(call.regions, call.instance_types))


@given(
    free=LOCATIONS,
    health=st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.0, 1.0)),
    collectors=st.lists(st.sampled_from("abcdxyz"), min_size=1, unique=True),
    counts=st.none() | st.lists(st.sampled_from(DESIRED_COUNTS), min_size=1, max_size=3, unique=True),
    history=st.lists(st.tuples(st.sampled_from(DESIRED_COUNTS), st.sets(st.sampled_from(NAMES)), st.booleans())),
)
def test_free_quota_is_never_exceeded_and_no_call_is_lost(
    free: dict[str, int],
    health: dict[str, float],
    collectors: list[str],
    counts: list[int] | None,
    history: list[tuple[int, set[str], bool]],
) -> None:
    sweep = Sweep()
    for number, (count, names, good) in enumerate(history):
        slot_at = FIRST_AT + timedelta(minutes=10 * number)
        answered, failed = (names, set[str]()) if good else (set[str](), names)
        sweep = record_answers(sweep, slot_at=slot_at, count=count, answered=answered, failed=failed, plan=NAMES)
    schedule = make(counts=counts, free=free, health=health, collectors=collectors, sweep=sweep, slot=len(history))
    calls = calls_of(schedule)
    used = Counter(call.location for call in calls)
    assert all(used[location] <= free[location] for location in used)
    assert len(calls) == schedule.planned == len({call.call_id for call in calls}) <= sum(free.values())
    assert len({(call.regions, call.desired_count) for call in calls}) == len(calls)
    assert {call.desired_count for call in calls} <= set(schedule.desired_counts)
    assert schedule.waiting == 0 or schedule.planned == sum(free.values())
    if counts is not None:
        assert schedule.planned + schedule.waiting >= len(BLOCKS) * len(counts)
    else:
        still = sum(sweep.is_open(name, sweep.desired_count) for name in NAMES)
        assert schedule.planned + schedule.waiting >= still
        assert schedule.planned <= len(BLOCKS)


@given(free=LOCATIONS, collectors=st.lists(st.sampled_from("abcdxyz"), min_size=1, unique=True))
def test_a_location_belongs_to_one_collector(free: dict[str, int], collectors: list[str]) -> None:
    owners = owners_of(sorted(free), collectors)
    assert set(owners) == set(free)
    assert all(owners[location] == location for location in free if location in collectors)
    assert set(owners.values()) <= set(collectors)
    schedule = make(free=free, collectors=collectors)
    assert all(owners[call.location] == region for region, own in schedule.calls.items() for call in own)


def test_everything_is_asked_when_it_fits() -> None:
    schedule = make()
    assert asked(schedule) == [(block.regions[0], 1) for block in BLOCKS]
    assert (schedule.planned, schedule.waiting, schedule.oldest_age_minutes) == (12, 0, 0.0)
    assert schedule == make()


def test_the_longest_waiting_go_first() -> None:
    sweep = Sweep()
    for slot, name in enumerate(NAMES[:-1]):
        at = FIRST_AT + timedelta(minutes=10 * slot)
        sweep = record_answers(sweep, slot_at=at, count=5, answered=[name], failed=[], plan=NAMES)
    schedule = make(counts=(5,), free={"a": 3}, sweep=sweep, slot=20)
    assert [region for region, _ in asked(schedule)] == ["region11", "region0", "region1"]
    assert (schedule.waiting, schedule.oldest_age_minutes) == (9, 180.0)


def test_the_age_is_unknown_while_something_was_never_asked() -> None:
    assert make(free={"a": 3}).oldest_age_minutes is None


def test_what_failed_goes_first_even_when_the_count_has_moved_on() -> None:
    first = make(counts=(1,))
    sweep = fold(Sweep(), first, 0, failing=["region7"])
    second = make(counts=(20,), sweep=sweep, slot=1)
    assert asked(second)[0] == ("region7", 1)
    assert second.desired_counts == (20, 1)
    assert (second.planned, second.waiting) == (13, 0)


def test_an_outage_does_not_make_the_next_runs_grow() -> None:
    sweep, everywhere = Sweep(), [block.regions[0] for block in BLOCKS]
    for slot, count in enumerate(DESIRED_COUNTS):
        sweep = fold(sweep, make(counts=(count,), sweep=sweep, slot=slot), slot, failing=everywhere)
    assert make(counts=(1,), sweep=sweep, slot=11, free={"a": 99}).planned <= len(BLOCKS) + 1


def test_a_sweep_asks_every_block_once_before_the_count_moves_on() -> None:
    sweep, sent = Sweep(), list[tuple[str, int]]()
    for slot in range(12):
        schedule = make(counts=None, free={"a": 5}, sweep=sweep, slot=slot)
        sent += asked(schedule)
        sweep = fold(sweep, schedule, slot)
    expected = [(block.regions[0], count) for count in DESIRED_COUNTS for block in BLOCKS]
    assert sent == expected[: 12 * 5]  # and no quota was left idle between two sweeps


def test_a_sweep_goes_on_though_a_block_always_fails() -> None:
    sweep, counts = Sweep(), list[int]()
    for slot in range(40):
        schedule = make(counts=None, free={"a": 6}, sweep=sweep, slot=slot)
        counts.append(schedule.desired_counts[0])
        sweep = fold(sweep, schedule, slot, failing=["region0"])
    assert set(counts) == set(DESIRED_COUNTS)


def test_in_a_sweep_what_failed_at_the_count_before_goes_first() -> None:
    sweep = fold(Sweep(), make(counts=None), 0, failing=["region7"])
    schedule = make(counts=None, free={"a": 3}, sweep=sweep, slot=1)
    assert asked(schedule) == [("region7", 1), ("region0", 5), ("region1", 5)]
    assert schedule.desired_counts == (5, 1)


@pytest.mark.parametrize(
    "priorities", [Priorities(regions=("region3",)), Priorities(instance_types=("standard_d*",), regions=())]
)
def test_weights(priorities: Priorities) -> None:
    marked = [block.regions[0] for block in BLOCKS if priorities.weight(block) == 2.0]
    assert marked == (["region3"] if priorities.regions else [block.regions[0] for block in BLOCKS])


def test_marked_blocks_wait_half_as_long() -> None:
    sweep, oldest = Sweep(), Counter[str]()
    priorities = Priorities(regions=("region3",))
    for slot in range(300):
        schedule = make(counts=None, free={"a": 2}, sweep=sweep, slot=slot, priorities=priorities)
        sweep = fold(sweep, schedule, slot)
        for block, name in zip(BLOCKS, NAMES, strict=True):
            age = age_minutes(sweep.answered_at(name, 10), FIRST_AT + timedelta(minutes=10 * slot))
            if slot >= 100 and age is not None:
                oldest[block.regions[0]] = max(oldest[block.regions[0]], int(age))
    others = max(age for region, age in oldest.items() if region != "region3")
    assert oldest["region3"] <= 0.6 * others


def test_bad_locations_get_fewer_calls() -> None:
    used = Counter(spread({"bad": 10, "good": 10}, {"bad": 0.1}, 11))
    assert used["good"] == 10
    assert used["bad"] == 1


def test_calls_are_spread_by_what_is_free() -> None:
    assert Counter(spread({"a": 10, "b": 5, "c": 0}, {}, 6)) == {"a": 4, "b": 2}


def test_fallbacks_are_the_healthiest_with_the_most_left() -> None:
    schedule = make(free={"a": 1, "b": 9, "c": 9, "d": 5}, health={"c": 0.2})
    assert schedule.fallbacks == ("b", "d", "a", "c")
