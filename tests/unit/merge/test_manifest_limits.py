"""Which regions of a slot are complete, and how much of its odd findings the manifest names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from spotlake.merge.manifest import collected
from spotlake.merge.price_findings import price_findings
from spotlake.merge.slot import RefusedShard
from spotlake.models import Dataset
from spotlake.reports import Findings
from spotlake.scores.accounts import SlotAccount
from tests.unit.merge.test_slot_manifest import EVICTION, PRICE, SPS, attempt, report, slot

WHOLE = SlotAccount(
    scored={("eastus", 5): 2, ("westus", 5): 2},
    without_score={("eastus", 5): {}, ("westus", 5): {}},
    unanswered={("eastus", 5): {}, ("westus", 5): {}},
)


@pytest.mark.parametrize("lost", [PRICE, EVICTION])
def test_a_region_whose_listing_is_lost_is_not_complete(lost: Dataset) -> None:
    """No report tells of the listing: its collector died, or its shard cannot be read."""
    reports = [report(one, region) for region in ("eastus", "westus") for one in (SPS, PRICE, EVICTION)]
    kept = [one for one in reports if (one.dataset, one.region) != (lost, "westus")]
    assert collected(slot(attempt(7, reports=reports), account=WHOLE))["regions_complete"] == 2
    refused = [RefusedShard(key="k", dataset=lost, region="westus", reason="missing")]
    assert collected(slot(attempt(7, reports=kept, refused=refused), account=WHOLE))["regions_complete"] == 1


def test_the_manifest_names_some_of_the_odd_findings_and_counts_all() -> None:
    """One absurd answer must not make a manifest of megabytes."""
    sizes = tuple(f"Standard_S{number:03}" for number in range(500))
    found = Findings(
        unconfirmed_sizes=sizes,
        disagreeing_sizes=sizes,
        unknown_kinds=tuple({"kind": f"kind {number:02}"} for number in range(9, 0, -1)),
    )
    one = attempt(1, reports=[report(PRICE, "eastus", counts={"price_disagreements": 500}, found=found)])
    assert one.work is not None
    one.work = replace(one.work, items={"eastus": replace(one.work.items["eastus"], instance_types=sizes)})
    told: Any = price_findings(slot(one))
    assert (told["unconfirmed"]["pairs"], told["price_disagreements"]["rows"]) == (500, 500)
    assert told["unconfirmed"]["regions"]["eastus"] == {"pairs": 500, "sizes": list(sizes[:400])}
    assert told["price_disagreements"]["sizes"] == [f"eastus {size}" for size in sizes[:20]]
    assert [sample["kind"] for sample in told["unknown_kinds"]["samples"]] == [f"kind {n:02}" for n in range(1, 6)]
