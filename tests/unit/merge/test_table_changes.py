"""Which items of the table are written, with which attributes, and where an upsert goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from spotlake.merge.state import MergedState, slot_number
from spotlake.merge.table_changes import (
    EVICTION_NAMES,
    PRICE_NAMES,
    REGION_NAMES,
    SCORE_NAMES,
    Changes,
    Writing,
)
from spotlake.merge.view import View
from spotlake.models import DESIRED_COUNTS, SLOTS_A_DAY
from tests.unit.merge.test_views import state

NOW = slot_number(datetime(2026, 11, 26, 10, 0, tzinfo=UTC))
WRITING = Writing(run_id="20261126T1000Z", version=7, ttl_days=90)
ONE, FIVE = DESIRED_COUNTS.index(1), DESIRED_COUNTS.index(5)
A1, A2, AN, BN = "eastus#1", "eastus#2", "eastus#N/A", "westus#N/A"


def made(*, zones: tuple[str, ...] = ("1", "2"), other: bool = True) -> MergedState:
    """A pair with two scored zones, and one of another region without."""
    pairs = [("westus", "Standard_B")] if other else []
    found = state(*(("eastus", "Standard_A", zone) for zone in zones), pairs=[("eastus", "Standard_A"), *pairs])
    found.slot, found.regions = NOW, {"eastus": "US East"}
    pair = found.pair
    band, building = found.text_numbers(["0-5", "eastus-az3"]).tolist()
    pair["spot"][0], pair["spot_began"][0], pair["spot_confirmed"][0] = 0.123456789, NOW - 6, NOW
    pair["ondemand"][0] = 0.5
    pair["frequency"][0], pair["frequency_began"][0], pair["band"][0] = 3.0, NOW - 12, band
    rows = found.workloads
    if zones:
        rows["score"][0, ONE], rows["score_began"][0, ONE], rows["seen"][0, ONE, 2] = 3, NOW - 1, NOW
        rows["score"][0, FIVE], rows["score_began"][0, FIVE], rows["seen"][0, FIVE, 0] = 1, NOW - 2, NOW
        rows["physical"][0] = building
    return found


def view(change: Callable[[MergedState], object] | None = None, **options: Any) -> View:
    found = made(**options)
    if change is not None:
        change(found)
    return View.of(found, 14)


def told(changes: Changes) -> dict[str, tuple[bool, Any]]:
    """By workload: whether its item is new, and which attributes are written."""
    return {str(one.item["Workload"]): (one.is_new, one.only) for one in changes}


def items(changes: Changes) -> dict[str, dict[str, Any]]:
    return {str(one.item["Workload"]): dict(one.item) for one in changes}


BASE: dict[str, Any] = {
    "InstanceType": "Standard_A", "InstanceTier": "Standard", "Size": "A", "Region": "eastus", "RegionName": "US East",
    "UpdatedAt": "2026-11-26T10:00:00Z", "RunId": "20261126T1000Z", "Version": 7, "OndemandPrice": 0.5,
    "SpotPrice": 0.123457, "PriceAt": "2026-11-26T09:00:00Z", "Savings": 75.31, "IF": 3.0, "EvictionBand": "0-5",
    "IFAt": "2026-11-26T08:00:00Z",
}  # fmt: skip


def test_the_first_merge_writes_every_live_workload_whole() -> None:
    changes = Changes(None, view(), WRITING)
    assert len(changes) == 3
    assert items(changes) == {
        A1: {
            **BASE, "Workload": A1, "AvailabilityZone": "1", "T2": 1, "T3": 1, "PhysicalZone": "eastus-az3",
            "Scores": {
                "1": {"s": 3, "at": "2026-11-26T09:50:00Z"}, "5": {"s": 1, "at": "2026-11-26T09:40:00Z"},
            },
        },
        A2: {**BASE, "Workload": A2, "AvailabilityZone": "2"},
        BN: {
            "InstanceType": "Standard_B", "Workload": BN, "InstanceTier": "Standard", "Size": "B", "Region": "westus",
            "RegionName": "westus", "AvailabilityZone": "N/A", "UpdatedAt": "2026-11-26T10:00:00Z",
            "RunId": "20261126T1000Z", "Version": 7,
        },
    }  # fmt: skip
    assert set(told(changes).values()) == {(True, None)}
    assert told(Changes(View.of(MergedState(), 14), view(), WRITING)) == told(changes)
    assert len(Changes(view(), view(), WRITING)) == 0


def test_a_value_that_looks_miss_says_when_it_was_confirmed() -> None:
    def missed(found: MergedState) -> None:
        for part in ("spot", "frequency"):
            found.pair[f"{part}_missed"][0], found.pair[f"{part}_confirmed"][0] = NOW, NOW - 3

    found = items(Changes(None, view(missed), WRITING))[A2]
    assert (found["PriceConfirmedAt"], found["IFConfirmedAt"]) == ("2026-11-26T09:30:00Z", "2026-11-26T09:30:00Z")


def put(name: str, value: Any, *place: int) -> Callable[[MergedState], None]:
    """Change one value of the state."""

    def change(found: MergedState) -> None:
        columns = found.pair if name in found.pair else found.workloads
        columns[name][place or (0,)] = value

    return change


BOTH = (A1, A2)


@pytest.mark.parametrize(
    ("change", "where", "names"),
    [
        (put("spot", 0.2), BOTH, PRICE_NAMES), (put("spot", np.nan), BOTH, PRICE_NAMES),
        (put("ondemand", 0.6), BOTH, PRICE_NAMES), (put("spot_began", NOW), BOTH, PRICE_NAMES),
        (put("spot_missed", NOW), BOTH, PRICE_NAMES), (put("spot", 0.1, 1), (BN,), PRICE_NAMES),
        (put("frequency", 2.5), BOTH, EVICTION_NAMES), (put("frequency_began", NOW), BOTH, EVICTION_NAMES),
        (put("band", 0), BOTH, EVICTION_NAMES), (put("band", 4, 1), (BN,), EVICTION_NAMES),
        (put("frequency_confirmed", 9), (), ()), (put("listed", NOW), (), ()),
        (put("score", 2, 0, ONE), (A1,), SCORE_NAMES), (put("score_began", NOW, 1, FIVE), (A2,), SCORE_NAMES),
        (put("seen", NOW, 1, ONE, 0), (A2,), SCORE_NAMES), (put("seen", NOW + 1, 0, FIVE, 1), (A1,), SCORE_NAMES),
        (put("physical", 0), (A1,), SCORE_NAMES), (put("physical", 1, 1), (A2,), SCORE_NAMES),
        (lambda found: found.regions.update(westus="W"), (BN,), REGION_NAMES),
        (lambda found: found.regions.clear(), BOTH, REGION_NAMES),
    ],
)  # fmt: skip
def test_what_differs_is_written_and_nothing_else(
    change: Callable[[MergedState], object], where: tuple[str, ...], names: tuple[str, ...]
) -> None:
    for before, after in ((view(), view(change)), (view(change), view())):
        assert told(Changes(before, after, WRITING)) == dict.fromkeys(where, (False, names))


def test_several_differences_are_written_together() -> None:
    def change(found: MergedState) -> None:
        put("spot", 0.2)(found)
        put("band", 0)(found)
        put("score", 2, 1, ONE)(found)
        found.regions.update(eastus="E")

    assert told(Changes(view(), view(change), WRITING)) == {
        A1: (False, (*PRICE_NAMES, *EVICTION_NAMES, *REGION_NAMES)),
        A2: (False, (*PRICE_NAMES, *EVICTION_NAMES, *SCORE_NAMES, *REGION_NAMES)),
    }


def test_names_that_have_other_numbers_are_no_difference() -> None:
    """The state before numbered its texts otherwise."""
    before = made()
    turned = list(reversed(range(1, len(before.texts))))
    order = np.array([0, *(turned.index(number) + 1 for number in range(1, len(before.texts)))])
    before.texts = ["", *(before.texts[number] for number in turned)]
    for columns, name in (
        (before.pair, "region"), (before.pair, "size"), (before.pair, "band"), (before.workloads, "physical"),
    ):  # fmt: skip
        columns[name] = order[columns[name]].astype(columns[name].dtype)
    assert told(Changes(View.of(before, 14), view(), WRITING)) == {}
    assert told(Changes(View.of(before, 14), view(put("spot", 0.2)), WRITING)) == dict.fromkeys(
        BOTH, (False, PRICE_NAMES)
    )


def test_what_comes_is_new_and_what_goes_is_retired() -> None:
    came = Changes(view(zones=("1",), other=False), view(), WRITING)
    assert told(came) == {A2: (True, None), BN: (True, None)}
    scored = Changes(view(zones=()), view(zones=("1",)), WRITING)
    assert told(scored) == {A1: (True, None), AN: (False, None)}
    gone = items(scored)[AN]
    assert (gone["RetiredAt"], gone["ExpiresAt"], gone["UpdatedAt"]) == (
        "2026-11-26T10:00:00Z", int(datetime(2027, 2, 24, 10, 0, tzinfo=UTC).timestamp()), "2026-11-26T10:00:00Z",
    )  # fmt: skip
    assert "Scores" not in gone
    assert told(Changes(view(), view(put("unseen_days", 14, 1)), WRITING)) == {BN: (False, None)}
    unanswered = view(put("answered", 0, 1))
    assert told(Changes(view(), unanswered, WRITING)) == {A2: (False, None)}
    assert "RetiredAt" in items(Changes(view(), unanswered, WRITING))[A2]
    assert told(Changes(unanswered, view(), WRITING)) == {A2: (True, None)}


def test_what_the_later_state_has_forgotten_is_retired_in_its_slot() -> None:
    before = view(lambda found: setattr(found, "slot", NOW - 144))
    found = Changes(before, view(zones=("1",), other=False), WRITING)
    assert told(found) == {A2: (False, None), BN: (False, None)}
    gone = items(found)[A2]
    assert (gone["UpdatedAt"], gone["RetiredAt"], gone["SpotPrice"]) == (
        "2026-11-26T10:00:00Z", "2026-11-26T10:00:00Z", 0.123457,
    )  # fmt: skip
    assert gone["ExpiresAt"] == int(datetime(2027, 2, 24, 10, 0, tzinfo=UTC).timestamp())
    assert "RetiredAt" not in items(Changes(None, view(), WRITING))[A2]


def test_what_a_begun_merge_may_have_written_is_written_again_whole() -> None:
    begun = view(put("spot", 0.2, 1))
    assert told(Changes(view(), view(), WRITING, begun=[begun])) == {BN: (False, None)}
    assert told(Changes(view(), view(put("band", 0)), WRITING, begun=[begun])) == {
        BN: (False, None), A1: (False, EVICTION_NAMES), A2: (False, EVICTION_NAMES),
    }  # fmt: skip
    two = [view(put("score", 2, 0, ONE)), begun]
    assert told(Changes(view(), view(), WRITING, begun=two)) == {A1: (False, None), BN: (False, None)}
    # A begun merge showed a zone that is not live any more: its item may be there.
    more, three = view(zones=("1", "2", "3")), view(put("answered", 0, 2), zones=("1", "2", "3"))
    assert told(Changes(three, three, WRITING, begun=[more])) == {"eastus#3": (True, None)}
    assert told(Changes(view(), view(), WRITING, begun=[View.of(MergedState(), 14)])) == {}
    # Before the table was written at all, whatever is live or was begun has an item that may exist.
    assert told(Changes(None, view(), WRITING, begun=[begun])) == dict.fromkeys((A1, A2, BN), (True, None))


def test_after_too_many_begun_merges_every_item_that_may_exist_is_written_whole() -> None:
    assert told(Changes(view(), view(), WRITING, rewrite=True)) == dict.fromkeys((A1, A2, BN), (False, None))
    silent = view(put("answered", 0))  # its first workload is not live, before and after
    assert told(Changes(silent, silent, WRITING, rewrite=True)) == dict.fromkeys((A2, BN), (False, None))
    # The pairs' workloads of no zone have come since the table was written, so they may have items too.
    came = Changes(view(zones=("1",), other=False), view(), WRITING, rewrite=True)
    assert told(came) == {A1: (False, None), A2: (True, None), BN: (True, None)}
    first = Changes(None, view(), WRITING, rewrite=True)
    assert told(first) == dict.fromkeys((A1, A2, BN, AN), (True, None))
    assert "RetiredAt" in items(first)[AN]


def numbers(changes: Changes) -> list[int]:
    return [changes.number(place) for place in range(len(changes))]


def test_an_upsert_goes_on_where_another_one_ended() -> None:
    whole = Changes(None, view(zones=("1", "2", "3")), WRITING)
    assert numbers(whole) == [0, 1, 2, 4]  # the three zones, and the other pair
    turned = whole.beginning_at(1, done_from=None)
    assert (numbers(turned), numbers(whole)) == ([1, 2, 4, 0], [0, 1, 2, 4])
    assert list(told(turned)) == ["eastus#2", "eastus#3", "westus#N/A", "eastus#1"]
    for begin, done_from, left in (
        (2, 1, [2, 4, 0]), (1, 0, [1, 2, 4]), (2, 2, [2, 4, 0, 1]), (1, 4, [1, 2]), (0, 2, [0, 1]), (2, 4, [2]),
        (3, 3, [4, 0, 1, 2]), (9, 0, []), (9, 2, [0, 1]), (0, 0, [0, 1, 2, 4]),
    ):  # fmt: skip
        assert numbers(whole.beginning_at(begin, done_from=done_from)) == left, (begin, done_from)


def test_items_of_many_workloads_are_their_own() -> None:
    sizes = [f"Standard_S{number}" for number in range(2_100)]
    many = state(pairs=[("eastus", size) for size in sizes])
    many.pair["spot"][:] = np.arange(1, len(sizes) + 1)
    many.pair["spot_began"][:] = NOW
    found = [(one.item["InstanceType"], one.item["SpotPrice"]) for one in Changes(None, View.of(many, 14), WRITING)]
    assert found == [(size, number + 1) for number, size in enumerate(sizes)]
    fewer = state(pairs=[("eastus", size) for size in sizes[:3]])
    fewer.pair["spot"][:], fewer.pair["spot_began"][:] = [1, 2, 9], NOW
    changes = list(Changes(View.of(many, 14), View.of(fewer, 14), WRITING))
    assert [(one.item["SpotPrice"], one.only) for one in changes][:3] == [(9.0, PRICE_NAMES), (4.0, None), (5.0, None)]
    assert (len(changes), changes[-1].item["InstanceType"]) == (2_098, "Standard_S2099")
    assert changes[1].item["ExpiresAt"] == (1000 + 90 * SLOTS_A_DAY) * 600
