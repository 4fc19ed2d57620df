"""What is remembered of prices: bounded, the same in any order of merges, told once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlake import keys
from spotlake.models import Dataset, to_iso
from spotlake.planning.price_memory import (
    DISAGREEMENT,
    UNKNOWN_KIND,
    Compared,
    PriceMemory,
    Told,
    fold_prices,
    note_listing,
)
from spotlake.reports import CollectorReport, Findings
from spotlake.state.price_memory import PRICE_MEMORY
from spotlake.stores.objects import MemoryObjects

AT = datetime(2026, 12, 1, 10, 0, tzinfo=UTC)
SLOT = timedelta(minutes=10)


def listing(region: str = "eastus", *, ondemand: bool = False, rows: int = 9, **found: Any) -> CollectorReport:
    return CollectorReport(
        dataset=Dataset.PRICE,
        region=region,
        status="complete",
        rows=rows,
        counts={"ondemand_asked": int(ondemand)},
        found=Findings(**found),
    )


def folded(*reports: CollectorReport, at: datetime = AT, memory: PriceMemory | None = None) -> PriceMemory:
    return fold_prices(memory or PriceMemory(), at, reports, {})


def test_an_absent_price_is_remembered_for_hours_and_forgotten_when_it_is_back() -> None:
    memory = folded(listing(unconfirmed_sizes=("A", "B"), absent_spot=("A",)))
    assert memory.absent_sizes("eastus", "spot", AT + timedelta(hours=5, minutes=50)) == ("A",)
    assert memory.absent_sizes("eastus", "spot", AT + timedelta(hours=6)) == ()
    assert memory.absent_sizes("westus", "spot", AT) == ()
    # A later listing that lacks it without asking narrowly again changes nothing; one that has it ends it.
    later = folded(listing(unconfirmed_sizes=("A",)), at=AT + SLOT, memory=memory)
    assert later.absent_sizes("eastus", "spot", AT + SLOT) == ("A",)
    assert folded(listing(), at=AT + SLOT, memory=memory).absent == {}


def test_a_listing_of_spot_prices_says_nothing_of_absent_ondemand_prices() -> None:
    memory = folded(listing(ondemand=True, unconfirmed_sizes=("A",), absent_ondemand=("A",)))
    memory = folded(listing(), at=AT + SLOT, memory=memory)
    assert memory.absent_sizes("eastus", "ondemand", AT + timedelta(days=6)) == ("A",)
    assert memory.absent_sizes("eastus", "ondemand", AT + timedelta(days=7)) == ()
    assert folded(listing(ondemand=True), at=AT + SLOT, memory=memory).absent == {}


def test_a_failed_listing_and_another_data_set_teach_nothing() -> None:
    failed = replace(listing(rows=0, absent_spot=("A",), unconfirmed_sizes=("A",)), status="failed")
    other = replace(listing(rows=0), dataset=Dataset.EVICTION)
    assert folded(failed, other) == PriceMemory()


def test_something_odd_is_new_in_the_slot_that_saw_it_first_however_often_that_is_merged() -> None:
    odd = listing(unknown_kinds=({"kind": "plus spot"},), disagreeing_sizes=("spot Standard_D2s_v5",))
    memory = folded(odd, replace(odd, region="westus"))
    for _ in range(2):
        assert (memory.new_in(UNKNOWN_KIND, AT), memory.new_in(DISAGREEMENT, AT)) == (1, 2)
        memory = folded(odd, memory=memory)
    memory = folded(odd, at=AT + SLOT, memory=memory)
    assert (memory.new_in(UNKNOWN_KIND, AT + SLOT), memory.new_in(DISAGREEMENT, AT + SLOT)) == (0, 0)
    # What was away for 40 days is told again.
    memory = folded(at=AT + timedelta(days=41), memory=memory)
    assert memory.told == {UNKNOWN_KIND: {}, DISAGREEMENT: {}}


def test_what_was_told_is_bounded() -> None:
    memory = PriceMemory()
    for region in range(60):
        names = tuple(f"spot size{number}" for number in range(20))
        memory = folded(listing(str(region), disagreeing_sizes=names), at=AT + region * SLOT, memory=memory)
    assert len(memory.told[DISAGREEMENT]) == 1000
    assert Told(first=to_iso(AT + 59 * SLOT), last=to_iso(AT + 59 * SLOT)) in memory.told[DISAGREEMENT].values()


def test_a_region_that_begins_to_sell_is_no_more_among_those_that_do_not() -> None:
    memory = PriceMemory()
    for day in range(5):
        memory = note_listing(memory, AT + timedelta(days=day), "denmarkeast", sells=False)
    assert not memory.is_listing_due("denmarkeast", AT + timedelta(days=10))
    assert memory.is_listing_due("denmarkeast", AT + timedelta(days=11))
    assert note_listing(memory, AT, "denmarkeast", sells=True) == memory  # a late slot
    assert folded(listing("denmarkeast"), at=AT + timedelta(days=11), memory=memory).unsold == {}


@pytest.mark.parametrize("regions", [1, 2, 58, 75, 200])
def test_every_region_is_compared_once_a_day_a_few_a_slot(regions: int) -> None:
    names, memory, asked = [f"region{number}" for number in range(regions)], PriceMemory(), dict[str, int]()
    for number in range(144):
        slot_at = AT + number * SLOT
        due = memory.witnesses_due(names, slot_at)
        assert len(due) <= -(-regions // 72)
        asked.update({region: asked.get(region, 0) + 1 for region in due})
        compared = {region: Compared(at=to_iso(slot_at)) for region in due}
        memory = fold_prices(memory, slot_at, [], compared)
    assert asked == dict.fromkeys(names, 1)


def test_the_worst_region_counts_and_one_without_an_answer_does_not() -> None:
    compared = {
        "a": Compared(at=to_iso(AT), agreeing=90, disagreeing=10),
        "b": Compared(at=to_iso(AT), agreeing=100, disagreeing=0),
        "c": Compared(at=to_iso(AT)),
    }
    assert fold_prices(PriceMemory(), AT, [], compared).worst_disagreement_percent() == 10.0
    assert PriceMemory().worst_disagreement_percent() is None


SIZES = st.lists(st.sampled_from("ABC"), unique=True).map(tuple)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), SIZES, SIZES), max_size=6))
def test_folding_a_slot_again_changes_nothing_and_the_document_gives_it_back(slots: list[Any]) -> None:
    memory, objects = PriceMemory(), MemoryObjects()
    for number, ondemand, lacking, absent in slots:
        report = listing(
            ondemand=ondemand,
            rows=len(lacking),
            unconfirmed_sizes=tuple({*lacking, *absent}),
            absent_spot=absent,
            disagreeing_sizes=lacking,
        )
        slot_at = AT + number * SLOT
        memory = folded(report, at=slot_at, memory=memory)
        assert folded(report, at=slot_at, memory=memory) == memory
    assert PRICE_MEMORY.change(objects, lambda _: memory) == memory
    assert PRICE_MEMORY.read(objects) == memory


def test_a_damaged_document_is_started_empty() -> None:
    objects = MemoryObjects()
    objects.objects[keys.PRICE_MEMORY] = b"not gzip"
    assert PRICE_MEMORY.read(objects) == PriceMemory()
    assert PRICE_MEMORY.change(objects, lambda one: folded(listing(rows=0), memory=one)).unsold.keys() == {"eastus"}
    assert PRICE_MEMORY.read(objects).unsold.keys() == {"eastus"}
