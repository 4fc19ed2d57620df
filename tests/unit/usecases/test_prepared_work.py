"""What preparing a collection leaves behind: the work object of the attempt, the plan, the sweep, and the notes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from spotlake import keys
from spotlake.clock import ManualClock
from spotlake.errors import StoreError
from spotlake.models import Dataset, Mode, Run, ScoreCall, WorkItem, run_id_of
from spotlake.planning.attempt import AttemptRecord, Work
from spotlake.planning.catalogue import Catalogue
from spotlake.planning.cover import Block, CallPlan
from spotlake.planning.price_memory import Compared, PriceMemory, Unsold
from spotlake.planning.scope import Scope
from spotlake.planning.score_knowledge import ScoreKnowledge
from spotlake.planning.sweep import Sweep, block_id
from spotlake.scores.quota import QuotaRules
from spotlake.settings import Settings
from spotlake.state.attempts import read_work
from spotlake.state.call_plan import CALL_PLAN, StoredPlan
from spotlake.state.last_good import LAST_GOOD, LastGood
from spotlake.state.price_memory import PRICE_MEMORY
from spotlake.state.sweep import SWEEP, read_sweep
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.plan import prepare_work
from spotlake.usecases.plan.prepare_work import PrepareDeps, prepare_collection
from spotlake.usecases.plan.slot_answers import SlotAnswers

AT = datetime(2025, 12, 15, 10, 0, tzinfo=UTC)  # by the timestamp alone its desired count is 20
ALONE = "production has no sps_metadata.yaml; the desired count follows the timestamp"
A, B = "Standard_A1", "Standard_B1"


def sizes(number: int) -> list[str]:
    return [f"Standard_D{number:02}" for number in range(1, number + 1)]


def catalogue_of(pairs: Mapping[str, Sequence[str]]) -> Catalogue:
    return Catalogue(pairs={region: dict.fromkeys(found, "2025-12-14") for region, found in pairs.items()})


def ago(minutes: int) -> str:
    """The slot so many minutes ago, as documents spell it."""
    return (AT - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Ledger:
    """A ledger that has the given quota, and notes what it is asked. Preparing reserves nothing."""

    has: dict[str, int]
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def free(
        self, locations: Iterable[str], *, now_at: datetime, subscriptions: Sequence[str], rules: QuotaRules
    ) -> dict[str, int]:
        self.asked.append((tuple(locations), now_at, subscriptions, rules))
        return {name: self.has.get(name, 0) for name in locations}

    def reserve(self, *_: Any, **__: Any) -> Any:
        raise AssertionError

    give_back = rest = reserve


@dataclass
class Desk:
    """Everything that preparing works with."""

    pairs: dict[str, list[str]] = field(default_factory=lambda: {"eastus": [B, A], "westus": [A]})
    free: dict[str, int] = field(default_factory=lambda: {"eastus": 20, "westus": 20})
    subscriptions: tuple[str, ...] = ("sub-a", "sub-b")
    settings: dict[str, Any] = field(default_factory=dict)
    scope: Scope = field(default_factory=Scope)
    mode: Mode = Mode.INCREMENTAL
    answers: SlotAnswers | None = None
    candidates: tuple[str, ...] = ()
    objects: MemoryObjects = field(default_factory=MemoryObjects)
    production: MemoryObjects = field(default_factory=MemoryObjects)
    effort_seconds: float = 0.0
    notes: tuple[str, ...] = ()
    knowledge: ScoreKnowledge = field(default_factory=ScoreKnowledge)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.free)

    def prepare(self, attempt: int = 7) -> tuple[Work, tuple[str, ...]]:
        """The work as it is stored, and the notes."""
        run = Run(run_id=run_id_of(AT), attempt=attempt, mode=self.mode, desired_counts=(1,), started_at=AT, owner="me")
        deps = PrepareDeps(
            objects=self.objects, production=self.production, ledger=self.ledger, subscriptions=self.subscriptions,
            clock=ManualClock(AT + timedelta(seconds=3)), routing=tuple(self.free), settings=Settings(**self.settings),
            effort_seconds=self.effort_seconds, notes=self.notes, knowledge=self.knowledge,
        )  # fmt: skip
        catalogue = catalogue_of(self.pairs)
        record = AttemptRecord(run=run, scope=self.scope)
        made = prepare_collection(record, catalogue, deps, candidates=self.candidates, answers=self.answers)
        stored = read_work(self.objects, AT, attempt)
        assert stored is not None
        assert replace(made.work, knowledge=stored.knowledge) == stored  # a list where it had a tuple
        return stored, made.notes


def asked(work: Work) -> list[tuple[tuple[str, ...], int]]:
    """Sizes and count of each call, in the order of the collectors."""
    return [(call.instance_types, call.desired_count) for call in work.calls()]


# -- the work object ---------------------------------------------------------------------------------


def test_the_work_of_a_whole_run_in_every_field() -> None:
    desk = Desk(notes=("first of all",), knowledge=ScoreKnowledge(reference="ab12", refused=("cd34",)))
    LAST_GOOD.change(
        desk.objects,
        lambda _: LastGood(
            rows={"eastus": {"spot_price": 4, "spot_if": 3}},
            collected_at={"eastus": {"spot_price": ago(10)}, "elsewhere": {"spot_price": ago(10)}},
            ondemand_at={"eastus": ago(60)},
        ),
    )
    PRICE_MEMORY.change(
        desk.objects,
        lambda _: PriceMemory(
            absent={"eastus": {"spot": {B: ago(10)}, "ondemand": {A: ago(20)}}},
            witnessed={"westus": Compared(at=ago(30))},
        ),
    )
    work, notes = desk.prepare()
    call = ScoreCall(
        call_id="c0000-20", location="eastus", regions=("eastus", "westus"), instance_types=(A, B), desired_count=20
    )
    block = block_id(Block(("eastus", "westus"), (A, B)))
    common: dict[str, Any] = {"fallback_locations": ("eastus", "westus"), "quota_share_percent": 100}
    assert work == Work(
        run=Run(run_id="20251215T1000Z", attempt=7, mode=Mode.INCREMENTAL, desired_counts=(20,), started_at=AT,
                owner="me"),
        items={
            "eastus": WorkItem(
                region="eastus", instance_types=(B, A), calls=(call,), ondemand=False,
                last_good_rows={"spot_price": 4, "spot_if": 3}, whole_at={"spot_price": ago(10)},
                absent_spot=(B,), absent_ondemand=(A,), witness=True, **common,
            ),
            "westus": WorkItem(region="westus", instance_types=(A,), ondemand=True, **common),
        },
        calls_planned=1, calls_waiting=0, quota_left=40, oldest_waiting_minutes=0.0, blocks={"c0000-20": block},
        confirmed_at={"eastus": {"spot_price": ago(10)}, "westus": {}},
        knowledge=ScoreKnowledge(reference="ab12", refused=["cd34"]),
    )  # fmt: skip
    assert notes == ("first of all", ALONE)
    rules = QuotaRules(calls=10, window_seconds=62 * 60)
    asked_at = AT + timedelta(seconds=3)
    assert desk.ledger.asked == [(("eastus", "westus"), asked_at, ("sub-a", "sub-b"), rules)]


def test_each_region_of_the_catalogue_is_listed_and_candidates_that_are_due() -> None:
    desk = Desk(candidates=("japaneast", "northeurope", "eastus"))
    PRICE_MEMORY.change(
        desk.objects, lambda _: PriceMemory(unsold={"northeurope": Unsold(at=ago(6 * 24 * 60), looks=3)})
    )
    work, _ = desk.prepare()
    assert list(work.items) == ["eastus", "japaneast", "westus"]  # the other one sold nothing within the week
    assert work.items["japaneast"].instance_types == ()


def test_a_part_has_its_own_regions_and_sizes_and_a_never_listed_region_keeps_all_rows() -> None:
    scope = Scope(regions=("westus", "japaneast"), instance_types=("*_a*",), filtered=True)
    desk = Desk(scope=scope, pairs={"eastus": [A], "westus": [A, B]})
    work, _ = desk.prepare()
    found = {region: (item.instance_types, item.filtered) for region, item in work.items.items()}
    assert found == {"japaneast": ((), False), "westus": ((A,), True)}
    assert asked(work) == [((A,), 20)]
    whole = Desk().prepare()[0]
    assert {item.filtered for item in whole.items.values()} == {False}


@pytest.mark.parametrize(("hours", "is_due"), [(23, False), (24, True)])
def test_ondemand_prices_are_refreshed_when_they_are_a_day_old(hours: int, *, is_due: bool) -> None:
    desk = Desk()
    LAST_GOOD.change(desk.objects, lambda _: LastGood(ondemand_at={"eastus": ago(60 * hours)}))
    assert desk.prepare()[0].items["eastus"].ondemand == is_due
    desk.mode = Mode.FULL
    assert desk.prepare(8)[0].items["eastus"].ondemand


@pytest.mark.parametrize(
    ("changes", "later"),
    [
        ({}, (Dataset.PRICE,)),
        ({"mode": Mode.FULL}, ()),
        ({"scope": Scope(regions=("eastus",), filtered=True)}, ()),
        ({"scope": Scope(resume=True)}, ()),
        ({"settings": {"eviction_every_minutes": 20, "price_every_minutes": 20}}, (Dataset.PRICE, Dataset.EVICTION)),
        ({"settings": {"eviction_every_minutes": 20}}, (Dataset.EVICTION,)),
        ({"settings": {"price_every_minutes": 10}}, ()),
        ({"settings": {"price_every_minutes": 30}}, ()),  # 10:00 begins a turn of half an hour
    ],
    ids=["rarer prices", "full", "part", "resumed", "both", "rates", "every slot", "another turn"],
)
def test_listings_wait_for_their_turn_only_in_whole_runs(changes: dict[str, Any], later: tuple[Dataset, ...]) -> None:
    desk = Desk(**{"settings": {"price_every_minutes": 40}, **changes})
    listed = {"spot_price": ago(10), "spot_if": ago(0)}
    whole = {"spot_price": ago(0), "spot_if": ago(0)}
    slots = whole if later or "settings" not in changes else listed
    LAST_GOOD.change(desk.objects, lambda _: LastGood(collected_at={"eastus": slots, "westus": slots}))
    item = desk.prepare()[0].items["eastus"]
    assert item.later == later
    assert item.datasets == tuple(one for one in Dataset if one not in later)


def test_what_the_slot_has_whole_is_not_listed_again() -> None:
    answers = SlotAnswers(whole={"eastus": frozenset({Dataset.PRICE})})
    items = Desk(answers=answers, scope=Scope(resume=True)).prepare()[0].items
    assert items["eastus"].datasets == (Dataset.SPS, Dataset.EVICTION)
    assert items["westus"].datasets == tuple(Dataset)


@pytest.mark.parametrize(
    ("changes", "witnesses"),
    [
        ({}, {"eastus"}),  # of a few regions one is asked, the first by name
        ({"mode": Mode.FULL}, set()),
        ({"scope": Scope(instance_types=("*",), filtered=True)}, set()),
        ({"scope": Scope(resume=True)}, set()),
        ({"pairs": {"westus": [A]}, "candidates": ("eastus",)}, {"westus"}),  # nothing is sold in the other one
    ],
    ids=["whole", "full", "part", "resumed", "candidate"],
)
def test_the_second_witness_is_asked_in_whole_incremental_runs(changes: dict[str, Any], witnesses: set[str]) -> None:
    items = Desk(**changes).prepare()[0].items
    assert {region for region, item in items.items() if item.witness} == witnesses


def test_a_region_whose_listing_waits_has_no_witness() -> None:
    desk = Desk(settings={"price_every_minutes": 20})
    LAST_GOOD.change(desk.objects, lambda _: LastGood(collected_at={"eastus": {"spot_price": ago(0)}}))
    items = desk.prepare()[0].items
    assert {region for region, item in items.items() if item.witness} == {"westus"}


# -- the call plan and its sweep ---------------------------------------------------------------------


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]


def test_the_plan_is_stored_under_the_digest_of_its_pairs_and_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[Any, ...]] = []

    def cover(pairs: Mapping[str, Sequence[str]], *, effort_seconds: float, start: Sequence[Block] = ()) -> CallPlan:
        made.append((pairs, effort_seconds, start))
        return CallPlan((Block(tuple(sorted(pairs)), tuple(sorted(pairs["eastus"]))),), 1)

    monkeypatch.setattr(prepare_work, "cover_pairs", cover)
    old = Block(("eastus",), (A,))
    desk = Desk(effort_seconds=9.0)
    CALL_PLAN.write(desk.objects, StoredPlan(pairs_digest="another", blocks=(old,)))
    SWEEP.change(desk.objects, lambda _: Sweep(answered={20: {block_id(old): ago(110)}}))
    desk.prepare()
    assert made == [({"eastus": [B, A], "westus": [A]}, 9.0, (old,))]
    new = Block(("eastus", "westus"), (A, B))
    text = '{"eastus":["Standard_A1","Standard_B1"],"westus":["Standard_A1"]}'
    assert CALL_PLAN.read(desk.objects) == StoredPlan(pairs_digest=digest(text), blocks=(new,))
    # A new block is as old as its oldest pair, and two of three were never asked.
    assert read_sweep(desk.objects).answered == {20: {}}
    desk.pairs = {"westus": [A], "eastus": [A, B]}  # the same pairs in another order
    assert asked(desk.prepare(8)[0]) == [((A, B), 20)]
    assert len(made) == 1


def test_the_plan_of_a_part_is_used_once(monkeypatch: pytest.MonkeyPatch) -> None:
    efforts: list[float] = []

    def cover(pairs: Mapping[str, Sequence[str]], *, effort_seconds: float, **_: Any) -> CallPlan:
        efforts.append(effort_seconds)
        return CallPlan(tuple(Block((region,), tuple(found)) for region, found in pairs.items()), 1)

    monkeypatch.setattr(prepare_work, "cover_pairs", cover)
    desk = Desk(scope=Scope(regions=("eastus",), filtered=True), effort_seconds=9.0)
    desk.prepare()
    assert efforts == [1.0]
    stored = set(desk.objects.keys("state/"))
    assert stored.isdisjoint({keys.CALL_PLAN, keys.SWEEP})


def test_a_moved_block_keeps_its_age_in_the_same_run() -> None:
    """Three blocks under a short quota: two of the sweep have been asked, so the third comes first."""
    pairs = {"eastus": sizes(11)}
    desk = Desk(pairs=pairs, free={"eastus": 1, "westus": 0}, settings={"quota_calls": 5})
    old = [Block(("eastus",), tuple(sizes(11)[first : first + 5])) for first in (0, 5)]
    CALL_PLAN.write(desk.objects, StoredPlan(pairs_digest="another", blocks=tuple(old)))
    answered = {block_id(old[0]): ago(10), block_id(old[1]): ago(20)}
    SWEEP.change(desk.objects, lambda _: Sweep(desired_count=1, began_at=ago(30), answered={1: answered}))
    work, _ = desk.prepare()
    assert asked(work) == [((sizes(11)[10],), 1)]


@pytest.mark.parametrize(
    "key",
    [keys.CALL_PLAN, keys.SWEEP, keys.PRICE_MEMORY, keys.LAST_GOOD, keys.INVALID_NAMES, keys.RESTRICTED_PAIRS,
     keys.LOCATION_HEALTH],
)  # fmt: skip
@pytest.mark.parametrize("is_planned", [False, True])
def test_a_damaged_document_is_named_once(key: str, *, is_planned: bool) -> None:
    desk = Desk()
    if is_planned:
        desk.prepare()
    desk.objects.put(key, b"damaged")
    notes = desk.prepare(8)[1]
    assert [note.endswith("; started empty") for note in notes if key in note] == [True]


class Refusing(MemoryObjects):
    """Takes no object under one key."""

    refused = ""

    def put(self, key: str, body: bytes, **options: Any) -> str:
        if key == self.refused:
            raise StoreError(f"{key}: SlowDown")
        return super().put(key, body, **options)


def test_a_plan_that_cannot_be_kept_is_used_all_the_same() -> None:
    objects = Refusing()
    objects.refused = keys.CALL_PLAN
    work, notes = Desk(objects=objects).prepare()
    assert asked(work) == [((A, B), 20)]
    assert notes == (ALONE, f"{keys.CALL_PLAN}: SlowDown; not kept")[::-1]


def test_production_seen_that_cannot_be_kept_is_noted() -> None:
    objects = Refusing()
    objects.refused = keys.PRODUCTION_SEEN
    production = MemoryObjects()
    production.put(keys.PRODUCTION_SPS_METADATA, b"desired_count_index: 3\nworkload_date: 2025-12-15\n")
    _, notes = Desk(objects=objects, production=production).prepare()
    assert notes == (f"{keys.PRODUCTION_SEEN}: SlowDown; not kept",)
