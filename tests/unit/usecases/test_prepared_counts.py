"""Which desired counts and calls a collection gets under its quota, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from spotlake import keys
from spotlake.errors import StoreError
from spotlake.models import Mode
from spotlake.planning.cover import Block
from spotlake.planning.lessons import LocationScore
from spotlake.planning.scope import Scope
from spotlake.planning.sweep import Sweep, block_id
from spotlake.scores.quota import QuotaRules
from spotlake.state.call_plan import CALL_PLAN, StoredPlan
from spotlake.state.lessons import LOCATION_HEALTH
from spotlake.state.sweep import SWEEP
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.plan.slot_answers import SlotAnswers
from tests.support.errors import says
from tests.unit.usecases.test_prepared_work import ALONE, A, B, Desk, Refusing, ago, asked, sizes

BLOCK = block_id(Block(("eastus", "westus"), (A, B)))
SHORT = "the quota is short: desired count 1 until its sweep is finished"


def producing(index: int = 3, day: str = "2025-12-15") -> MemoryObjects:
    """Production's bucket with a position in the rotation."""
    production = MemoryObjects()
    production.put(keys.PRODUCTION_SPS_METADATA, f"desired_count_index: {index}\nworkload_date: {day}\n".encode())
    return production


# -- counts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "counts", "notes"),
    [
        ({}, (20,), (ALONE,)),
        ({"production": producing()}, (15,), ()),
        ({"production": producing(day="2025-12-13")}, (20,),
         ("production's sps_metadata.yaml is of 2025-12-13; the desired count follows the timestamp",)),
        ({"mode": Mode.FULL}, (1,), ()),
        ({"scope": Scope(desired_counts=(45,))}, (45,), ()),
        ({"mode": Mode.FULL, "scope": Scope(desired_counts=(5, 10))}, (5, 10), ()),
        ({"scope": Scope(resume=True), "answers": SlotAnswers(desired_counts=(35, 40))}, (35, 40), ()),
        ({"scope": Scope(resume=True), "answers": SlotAnswers()}, (20,), (ALONE,)),
        ({"answers": SlotAnswers(desired_counts=(35,))}, (20,), (ALONE,)),  # nobody has asked to resume
        ({"mode": Mode.FULL, "scope": Scope(resume=True)}, (1,), ()),
    ],
    ids=["timestamp", "production", "stale", "full", "named", "several", "resumed", "nothing to resume", "again",
         "full resumed"],
)  # fmt: skip
def test_the_counts_and_why_they_were_chosen(
    changes: dict[str, Any], counts: tuple[int, ...], notes: tuple[str, ...]
) -> None:
    work, told = Desk(**changes).prepare()
    assert (work.run.desired_counts, told) == (counts, notes)
    assert [count for _, count in asked(work)] == list(counts)


@pytest.mark.parametrize(
    ("changes", "share", "calls"),
    [
        ({}, 100, 10),
        ({"production": producing()}, 50, 5),
        ({"production": producing(day="2025-01-01")}, 50, 5),  # it stands still, and may go on
        ({"production": producing(), "settings": {"quota_share_percent": 30}}, 30, 3),
    ],
    ids=["alone", "beside production", "beside an idle production", "setting"],
)
def test_our_share_of_the_quota(changes: dict[str, Any], share: int, calls: int) -> None:
    desk = Desk(**changes)
    work, _ = desk.prepare()
    assert {item.quota_share_percent for item in work.items.values()} == {share}
    assert [rules for *_, rules in desk.ledger.asked] == [QuotaRules(calls=calls, window_seconds=3720)]


# -- a short quota -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "changes", "is_short"),
    [
        (10, {}, False),  # two calls a slot: 2 routes x 2 subscriptions x 5 calls share 7 slots of the window
        (11, {}, True),
        (11, {"mode": Mode.FULL}, False),
        (11, {"scope": Scope(desired_counts=(5,))}, False),
        (11, {"settings": {"quota_calls": 6}}, False),
        (11, {"settings": {"quota_calls": 5, "quota_window_minutes": 60}}, False),
    ],
    ids=["enough", "short", "full", "named", "more calls", "shorter window"],
)
def test_a_quota_for_fewer_calls_than_the_plan_has_is_short(
    number: int, changes: dict[str, Any], *, is_short: bool
) -> None:
    desk = Desk(**{"pairs": {"eastus": sizes(number)}, "settings": {"quota_calls": 5}, **changes})
    _, notes = desk.prepare()
    # 3 calls at 11 counts, and 20 calls in the 70 minutes of 7 slots: 11.55 slots, which are 12 slots of ten minutes
    told = (SHORT, "with this quota every score is asked again after about 2.0 hours") if is_short else ()
    assert tuple(note for note in notes if "quota" in note) == told


def test_without_any_route_nothing_is_asked_and_no_time_is_promised() -> None:
    work, notes = Desk(free={}).prepare()
    assert (asked(work), notes, work.quota_left, work.calls_waiting) == ([], (SHORT,), 0, 1)


def test_a_sweep_goes_on_with_its_count_the_oldest_block_first() -> None:
    desk = Desk(pairs={"eastus": sizes(11)}, free={"eastus": 1}, subscriptions=("sub-a",), settings={"quota_calls": 1})
    blocks = [block_id(Block(("eastus",), tuple(sizes(11)[first : first + 5]))) for first in (0, 5, 10)]
    answered = dict(zip(blocks, (ago(300), ago(400), ago(200)), strict=True))
    desk.prepare(6)
    SWEEP.change(desk.objects, lambda _: Sweep(desired_count=35, began_at=ago(100), answered={35: answered}))
    work, notes = desk.prepare()
    assert notes[0] == "the quota is short: desired count 35 until its sweep is finished"
    assert asked(work) == [(tuple(sizes(11)[5:10]), 35)]
    assert (work.run.desired_counts, work.calls_waiting, work.oldest_waiting_minutes) == ((35,), 2, 300.0)
    assert work.blocks == {"c0000-35": blocks[1]}


@pytest.mark.parametrize(
    "priority", [{"priority_regions": ("westus",)}, {"priority_instance_types": ("*_b?",)}], ids=["region", "size"]
)
def test_what_has_priority_comes_first(priority: dict[str, Any]) -> None:
    pairs = {"eastus": [A], "westus": [B]}
    desk = Desk(pairs=pairs, free={"eastus": 1}, settings=priority, scope=Scope(desired_counts=(5,)))
    first, second = (Block((region,), tuple(found)) for region, found in pairs.items())
    desk.prepare(6)
    answered = {block_id(first): ago(300), block_id(second): ago(200)}
    SWEEP.change(desk.objects, lambda _: Sweep(answered={5: answered}))
    assert asked(desk.prepare()[0]) == [((B,), 5)]
    desk.settings = {}
    assert asked(desk.prepare(8)[0]) == [((A,), 5)]


def test_a_location_that_failed_lately_is_asked_last() -> None:
    desk = Desk(free={"eastus": 9, "westus": 8}, scope=Scope(desired_counts=(5,)))
    assert desk.prepare(6)[0].calls()[0].location == "eastus"
    LOCATION_HEALTH.change(desk.objects, lambda _: {"eastus": LocationScore(weight=0.1, run_id="20251215T0950Z")})
    work, _ = desk.prepare()
    assert work.calls()[0].location == "westus"
    assert work.items["eastus"].fallback_locations == ("westus", "eastus")


def test_a_plan_whose_sweep_cannot_be_moved_is_not_kept() -> None:
    """Otherwise the next run would find the plan as its own, and every block of it as never asked."""
    objects, old = Refusing(), Block(("eastus",), (A,))
    CALL_PLAN.write(objects, StoredPlan(pairs_digest="another", blocks=(old,)))
    SWEEP.change(objects, lambda _: Sweep(answered={20: {block_id(old): ago(110)}}))
    objects.refused = keys.SWEEP
    with says(StoreError, f"{keys.SWEEP}: SlowDown"):
        Desk(objects=objects).prepare()
    assert CALL_PLAN.read(objects).pairs_digest == "another"


# -- a count that lost its turn ----------------------------------------------------------------------


def with_lost_count(desk: Desk, **answered_minutes: int) -> Desk:
    """The desk after runs that asked the only block of its plan so many minutes ago."""
    desk.prepare(5)
    answered = {int(count[1:]): {BLOCK: ago(minutes)} for count, minutes in answered_minutes.items()}
    SWEEP.change(desk.objects, lambda _: Sweep(answered=answered))
    return desk


LOST = "desired count 15 lost its turn: this run asks it too"


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, (20, 15)),
        ({"free": {"eastus": 1, "westus": 1}}, (20, 15)),
        ({"free": {"eastus": 1, "westus": 0}}, (20,)),  # no second call fits
        ({"mode": Mode.FULL}, (1,)),
        ({"scope": Scope(desired_counts=(5,))}, (5,)),
    ],
    ids=["enough", "just enough", "too little", "full", "named"],
)
def test_a_lost_count_is_asked_too_where_the_quota_has_room_for_both(
    changes: dict[str, Any], counts: tuple[int, ...]
) -> None:
    desk = with_lost_count(Desk(**changes), c15=110, c25=100)  # 25 has its turn in ten minutes
    work, notes = desk.prepare()
    assert work.run.desired_counts == counts
    assert [count for _, count in asked(work)] == list(counts)
    assert [note for note in notes if "lost" in note] == ([LOST] if 15 in counts else [])


def test_no_count_has_lost_its_turn_while_the_quota_is_short() -> None:
    desk = with_lost_count(Desk(pairs={"eastus": [B, A], "westus": [A, *sizes(40)]}), c15=110)
    desk.settings = {"quota_calls": 1}
    work, notes = desk.prepare()
    assert (work.run.desired_counts, [note for note in notes if "lost" in note]) == ((1,), [])


# -- a resumed attempt -------------------------------------------------------------------------------


def test_a_resumed_attempt_asks_what_has_no_answer_at_each_count() -> None:
    answers = SlotAnswers(
        desired_counts=(35, 40),
        answered={("eastus", 35): frozenset({A}), ("westus", 35): frozenset({A}), ("westus", 40): frozenset({A})},
    )
    desk = Desk(scope=Scope(resume=True), answers=answers)
    work, _ = desk.prepare()
    called = [(call.regions, call.instance_types, call.desired_count) for call in work.calls()]
    assert called == [(("eastus",), (B,), 35), (("eastus",), (A, B), 40)]
    assert set(work.blocks.values()) == {block_id(Block(("eastus",), (B,))), block_id(Block(("eastus",), (A, B)))}
    assert set(desk.objects.keys("state/")).isdisjoint({keys.CALL_PLAN, keys.SWEEP})


def test_what_a_resumed_attempt_cannot_ask_waits_as_never_asked() -> None:
    desk = Desk(scope=Scope(resume=True), answers=SlotAnswers(desired_counts=(35,)), free={"eastus": 0})
    work, _ = desk.prepare()
    assert (asked(work), work.calls_waiting, work.oldest_waiting_minutes) == ([], 1, None)


def test_a_slot_that_has_every_answer_is_asked_nothing() -> None:
    answered = {("eastus", 35): frozenset({A, B}), ("westus", 35): frozenset({A})}
    answers = SlotAnswers(desired_counts=(35,), answered=answered)
    work, _ = Desk(scope=Scope(resume=True), answers=answers).prepare()
    assert (asked(work), work.calls_waiting) == ([], 0)
