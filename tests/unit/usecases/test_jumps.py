"""A listing that has grown beyond belief is refused, until it has lasted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from spotlake.errors import UntrustedAnswerError
from spotlake.models import Dataset, WorkItem, run_id_of
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.collect.jumps import refuse_jump
from tests.support.errors import says
from tests.support.scripted import Scripted, answered
from tests.unit.usecases import test_collect_eviction_rates as rates
from tests.unit.usecases.rows import of_size, page
from tests.unit.usecases.test_collect_prices import ITEM, RUN, Collector

KNOWN = tuple(f"Standard_D{number}s_v5" for number in range(200))
WHOLE = {"spot_price": len(KNOWN)}


def listed(sizes: int) -> list[Scripted]:
    rows = [of_size(f"Standard_D{number}s_v5") for number in range(sizes)]
    pages = [rows[start : start + 1000] for start in range(0, sizes, 1000)]
    return [answered(page(*one)) for one in (pages if len(pages[-1]) < 1000 else [*pages, []])]


def test_three_times_the_known_sizes_and_500_new_ones_are_not_believed() -> None:
    item = replace(ITEM, instance_types=KNOWN, last_good_rows=WHOLE)
    collector = Collector(*listed(701))
    with pytest.raises(UntrustedAnswerError, match="701 sizes, the last good run had 200"):
        collector.collect(item)
    assert not [key for key in collector.objects.objects if key.startswith("rawdata/")]
    assert Collector(*listed(600)).collect(item).rows == 600  # three times as many
    few = replace(ITEM, instance_types=KNOWN[:20], last_good_rows={"spot_price": 20})
    assert Collector(*listed(519)).collect(few).rows == 519  # a small region that opens in earnest


def test_a_first_whole_listing_is_believed_whatever_a_part_by_hand_left_in_the_catalogue() -> None:
    assert Collector(*listed(900)).collect(replace(ITEM, instance_types=())).rows == 900
    assert Collector(*listed(900)).collect(replace(ITEM, instance_types=KNOWN[:2])).rows == 900


def test_a_part_by_hand_keeps_its_own_sizes_and_cannot_grow() -> None:
    item = replace(ITEM, instance_types=KNOWN[:2], last_good_rows=WHOLE, filtered=True)
    assert Collector(*listed(900)).collect(item).rows == 2


def test_more_sizes_than_any_region_has_are_never_believed() -> None:
    with pytest.raises(UntrustedAnswerError, match=r"5001 sizes, more than is ever believed of a region \(5000\)"):
        Collector(*listed(5001)).collect(replace(ITEM, instance_types=()))


def test_a_jump_that_lasts_is_believed_after_three_looks_over_six_hours() -> None:
    objects, item = MemoryObjects(), replace(ITEM, instance_types=KNOWN, last_good_rows=WHOLE)
    outcomes: list[tuple[str, int]] = []
    for hours in (0, 3, 6):
        collector = Collector(*listed(800))
        collector.objects = objects
        try:
            report = collector.collect(item, replace(RUN, run_id=run_id_of(RUN.slot_at + timedelta(hours=hours))))
            outcomes.append((report.status, report.counts["believed_jumps"]))
        except UntrustedAnswerError:
            outcomes.append(("refused", 0))
    assert outcomes == [("refused", 0)] * 2 + [("complete", 1)]


@pytest.mark.parametrize(
    ("found", "before", "said"),
    [
        (701, 200, "701 sizes, the last good run had 200"),
        (600, 200, ""),
        (900, 0, ""),
        (5001, 0, "5001 sizes, more than is ever"),
    ],
    ids=["jump", "growth", "first_listing", "beyond_every_region"],
)
def test_a_jump_of_rates_is_as_little_believed_as_a_fall(found: int, before: int, said: str) -> None:
    listing = [rates.rate(f"standard_d{number}s_v3") for number in range(found)]
    pages = [listing[start : start + 1000] for start in range(0, found, 1000)]
    token = {len(pages) - 1: ""}
    collector = rates.Collector(
        *(answered(rates.page(*one, total=found, token=token.get(at, f"t{at}"))) for at, one in enumerate(pages))
    )
    item = replace(rates.ITEM, last_good_rows={"spot_if": before} if before else {})
    if not said:
        assert collector.collect(item).rows == found
        return
    with pytest.raises(UntrustedAnswerError, match=said):
        collector.collect(item)
    assert not [key for key in collector.objects.objects if key.startswith("rawdata/")]


@pytest.mark.parametrize(
    ("found", "before", "sizes", "filtered", "said"),
    [
        (5001, 9, 0, True, ""),
        (5000, 0, 0, False, ""),
        (5001, 0, 0, False, "eastus: 5001 sizes, more than is ever believed of a region (5000)"),
        (701, 200, 0, False, "eastus: 701 sizes, the last good run had 200"),
        (701, 100, 200, False, "eastus: 701 sizes, the last good run had 200"),  # the catalogue has more
        (701, 300, 200, False, ""),
    ],
)
def test_what_is_refused_and_in_which_words(found: int, before: int, sizes: int, said: str, *, filtered: bool) -> None:
    rows = {"spot_price": before} if before else {}
    item = WorkItem(region="eastus", instance_types=KNOWN[:sizes], last_good_rows=rows, filtered=filtered)
    if not said:
        assert refuse_jump(MemoryObjects(), RUN, item, Dataset.PRICE, found=found, api="prices") == 0
        return
    with says(UntrustedAnswerError, f"prices: {said}"):
        refuse_jump(MemoryObjects(), RUN, item, Dataset.PRICE, found=found, api="prices")
