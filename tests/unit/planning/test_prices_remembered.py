"""What listings of prices teach, part by part and by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spotlake.models import Dataset, to_iso
from spotlake.planning.price_memory import (
    DISAGREEMENT,
    UNKNOWN_KIND,
    Compared,
    PriceMemory,
    Told,
    Unsold,
    fold_prices,
    note_listing,
)
from spotlake.reports import CollectorReport, Findings

AT = datetime(2026, 12, 1, 10, 0, tzinfo=UTC)


def ago(**duration: float) -> str:
    return to_iso(AT - timedelta(**duration))


NOW = ago()


def listing(
    region: str = "eastus", *, rows: int = 9, counts: Mapping[str, int] | None = None, **found: Any
) -> CollectorReport:
    return CollectorReport(
        dataset=Dataset.PRICE,
        region=region,
        status="complete",
        rows=rows,
        counts=dict(counts or {}),
        found=Findings(**found),
    )


def folded(
    memory: PriceMemory, *reports: CollectorReport, compared: Mapping[str, Compared] | None = None
) -> PriceMemory:
    return fold_prices(memory, AT, reports, compared or {})


@pytest.mark.parametrize(
    ("looks", "days", "is_due"),
    [(2, 0, True), (3, 0, False), (3, 6.99, False), (3, 7, True), (4, 0, False), (99, 8, True)],
)
def test_a_region_that_sells_nothing_is_looked_at_three_times_and_then_once_a_week(
    looks: int, days: float, is_due: bool
) -> None:
    memory = PriceMemory(unsold={"mars": Unsold(at=NOW, looks=looks)})
    assert memory.is_listing_due("mars", AT + timedelta(days=days)) is is_due
    assert memory.is_listing_due("venus", AT)


def test_looks_at_what_sells_nothing_are_counted_a_slot_each() -> None:
    other = {"venus": Unsold(at=ago(days=1), looks=9)}
    one = note_listing(PriceMemory(unsold=other), AT, "mars", sells=False)
    assert one == PriceMemory(unsold=other | {"mars": Unsold(at=NOW, looks=1)})
    assert note_listing(one, AT, "mars", sells=False) is one
    assert note_listing(one, AT - timedelta(hours=1), "mars", sells=True) is one
    later = AT + timedelta(hours=1)
    two = note_listing(one, later, "mars", sells=False)
    assert two.unsold == other | {"mars": Unsold(at=to_iso(later), looks=2)}
    assert note_listing(two, later + timedelta(hours=1), "mars", sells=True).unsold == other


def test_a_listing_of_one_row_sells() -> None:
    found = folded(
        PriceMemory(unsold={"eastus": Unsold(at=ago(hours=1), looks=2)}), listing(rows=1), listing("mars", rows=0)
    )
    assert found.unsold == {"mars": Unsold(at=NOW, looks=1)}


@pytest.mark.parametrize(("kind", "hours"), [("spot", 6), ("ondemand", 7 * 24)])
def test_an_absent_price_is_asked_for_again_after_a_while(kind: str, hours: float) -> None:
    memory = PriceMemory(absent={"eastus": {kind: {"B": NOW, "A": NOW, "C": ago(hours=1)}}})
    assert memory.absent_sizes("eastus", kind, AT + timedelta(hours=hours - 1.01)) == ("A", "B", "C")
    assert memory.absent_sizes("eastus", kind, AT + timedelta(hours=hours - 0.01)) == ("A", "B")
    assert memory.absent_sizes("eastus", kind, AT + timedelta(hours=hours)) == ()
    assert memory.absent_sizes("westus", kind, AT) == ()
    other = {"spot": "ondemand", "ondemand": "spot"}[kind]
    assert memory.absent_sizes("eastus", other, AT) == ()


BEFORE = {"spot": {"A": ago(hours=1), "B": ago(hours=2)}, "ondemand": {"A": ago(hours=3), "C": ago(hours=4)}}


@pytest.mark.parametrize(
    ("report", "after"),
    [
        # A listing that looked for on-demand prices too: what is not unconfirmed any more has come back.
        (listing(counts={"ondemand_asked": 1}), {"spot": {}, "ondemand": {}}),
        (listing(counts={"ondemand_asked": 0}), {"spot": {}, "ondemand": BEFORE["ondemand"]}),
        (listing(), {"spot": {}, "ondemand": BEFORE["ondemand"]}),
        (
            listing(unconfirmed_sizes=("A",), counts={"ondemand_asked": 1}),
            {"spot": {"A": ago(hours=1)}, "ondemand": {"A": ago(hours=3)}},
        ),
        (
            listing(unconfirmed_sizes=("A", "D"), absent_spot=("A", "D"), absent_ondemand=("C", "E")),
            {"spot": {"A": NOW, "D": NOW}, "ondemand": {"A": ago(hours=3), "C": NOW, "E": NOW}},
        ),
    ],
)
def test_absent_prices_stay_until_a_listing_finds_them(report: CollectorReport, after: dict[str, Any]) -> None:
    memory = PriceMemory(absent={"eastus": BEFORE, "westus": {"spot": {"Z": NOW}}, "asia": {"spot": {}}})
    expected = {"eastus": after, "westus": {"spot": {"Z": NOW}}}
    assert folded(memory, report).absent == {region: own for region, own in expected.items() if any(own.values())}
    assert memory.absent["eastus"] == BEFORE  # as it was


def test_a_later_look_stays_when_an_older_slot_is_added() -> None:
    later = to_iso(AT + timedelta(hours=1))
    memory = PriceMemory(absent={"eastus": {"spot": {"A": later}}})
    assert folded(memory, listing(unconfirmed_sizes=("A",), absent_spot=("A",))).absent["eastus"]["spot"] == {
        "A": later
    }


def test_odd_findings_have_their_first_and_last_slot() -> None:
    later = to_iso(AT + timedelta(hours=1))
    memory = PriceMemory(
        told={
            UNKNOWN_KIND: {
                "plus spot": Told(first=ago(days=2), last=ago(days=1)),
                "batch": Told(first=later, last=later),
            },
            "an older kind": {"x": Told(first=ago(days=2), last=ago(days=1))},
        }
    )
    one = listing(unknown_kinds=({"kind": "plus spot"}, {"kind": "batch"}, {"kind": None}, {}))
    two = listing("westus", disagreeing_sizes=("spot A", "ondemand B"), unknown_kinds=({"kind": "new"},))
    found = folded(memory, one, two)
    assert found.told == {
        UNKNOWN_KIND: {
            "plus spot": Told(first=ago(days=2), last=NOW),
            "batch": Told(first=NOW, last=later),
            "None": Told(first=NOW, last=NOW),
            "new": Told(first=NOW, last=NOW),
        },
        DISAGREEMENT: {"westus spot A": Told(first=NOW, last=NOW), "westus ondemand B": Told(first=NOW, last=NOW)},
        "an older kind": {"x": Told(first=ago(days=2), last=ago(days=1))},
    }
    assert (found.new_in(UNKNOWN_KIND, AT), found.new_in(DISAGREEMENT, AT), found.new_in("x", AT)) == (3, 2, 0)
    assert memory.told[UNKNOWN_KIND]["plus spot"] == Told(first=ago(days=2), last=ago(days=1))


def test_findings_are_kept_for_forty_days_the_newest_thousand() -> None:
    old = {
        "at the end": Told(first=ago(days=50), last=ago(days=40)),
        "over": Told(first=NOW, last=ago(days=40, minutes=10)),
    }
    assert folded(PriceMemory(told={DISAGREEMENT: old})).told == {DISAGREEMENT: {"at the end": old["at the end"]}}
    many = {f"{number:04}": Told(first=NOW, last=NOW) for number in range(1000)}
    older = {"z": Told(first=ago(days=1), last=ago(days=1)), "y": Told(first=NOW, last=NOW)}
    found = folded(PriceMemory(told={DISAGREEMENT: {**older, **many}})).told[DISAGREEMENT]
    # Of those seen in one slot the last by name stay, and the oldest goes first.
    assert set(found) == {"y", *many} - {"0000"}


def compared(at: str, agreeing: int | None = None, disagreeing: int | None = None) -> Compared:
    return Compared(at=at, agreeing=agreeing, disagreeing=disagreeing)


def test_the_newest_comparison_of_a_region_stays() -> None:
    before = {"a": compared(ago(days=1), 1, 1), "b": compared(NOW, 2, 2), "c": compared(NOW, 3, 3)}
    told = {"b": compared(NOW, 4, 4), "c": compared(ago(minutes=10), 5, 5), "d": compared(NOW)}
    found = folded(PriceMemory(witnessed=before), compared=told).witnessed
    assert found == {"a": before["a"], "b": told["b"], "c": before["c"], "d": told["d"]}


@pytest.mark.parametrize(
    ("agreeing", "disagreeing", "percent"),
    [
        (90, 10, 10.0),
        (0, 5, 100.0),
        (5, 0, 0.0),
        (0, 0, None),
        (None, None, None),
        (2, 1, 33.33),
        (None, 4, 100.0),
        (4, None, 0.0),
    ],
)
def test_the_share_of_sizes_that_disagree(agreeing: int | None, disagreeing: int | None, percent: float | None) -> None:
    assert compared(NOW, agreeing, disagreeing).disagreement_percent == percent


def test_the_worst_region_is_that_with_the_largest_share() -> None:
    witnessed = {"a": compared(NOW, 1, 1), "b": compared(NOW), "c": compared(NOW, 99, 1)}
    assert PriceMemory(witnessed=witnessed).worst_disagreement_percent() == 50.0
    assert PriceMemory(witnessed={"b": compared(NOW)}).worst_disagreement_percent() is None
    assert PriceMemory(witnessed={"a": compared(NOW, 1, 0), "b": compared(NOW)}).worst_disagreement_percent() == 0.0


def test_those_that_wait_longest_are_compared_and_none_twice_a_day() -> None:
    witnessed = {
        "a": compared(ago(hours=30)),
        "b": compared(ago(hours=24)),
        "c": compared(ago(hours=23.9)),
        "d": compared(ago(hours=40)),
    }
    memory = PriceMemory(witnessed=witnessed)
    assert memory.witnesses_due("abcd", AT) == {"d"}
    assert memory.witnesses_due("bca", AT) == {"a"}
    assert memory.witnesses_due("bc", AT) == {"b"}
    assert memory.witnesses_due("c", AT) == set()
    assert memory.witnesses_due("cdfe", AT) == {"e"}  # never compared
    assert memory.witnesses_due("", AT) == set()
    many = [f"x{number:03}" for number in range(71)]
    assert memory.witnesses_due([*many, "d"], AT) == {"x000"}
    assert memory.witnesses_due([*many, "d", "a"], AT) == {"x000", "x001"}
    few = PriceMemory(witnessed={name: compared(NOW) for name in many})
    assert few.witnesses_due([*many, "a", "b"], AT) == {"a", "b"}


def test_reports_that_are_not_complete_listings_of_prices_teach_nothing() -> None:
    partial = CollectorReport(dataset=Dataset.PRICE, region="mars", status="partial", rows=0)
    rates = CollectorReport(dataset=Dataset.EVICTION, region="mars", status="complete", rows=0)
    assert folded(PriceMemory(), partial, rates) == PriceMemory()
