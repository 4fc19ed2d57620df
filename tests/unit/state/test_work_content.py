"""An attempt's work object word for word, those of earlier versions, and damages."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from spotlake.errors import DamagedStateError
from spotlake.models import Dataset, Mode, Run, ScoreCall, WorkItem
from spotlake.planning.attempt import Work
from spotlake.planning.score_knowledge import ScoreKnowledge
from spotlake.state.work_content import parsed_work, work_content
from tests.support.errors import says

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
RUN = Run(run_id="20261123T1000Z", attempt=2, mode=Mode.INCREMENTAL, desired_counts=(5,), started_at=AT, owner="me")
A, B = "Standard_A1", "Standard_B2"
LISTED = "2026-11-23T09:50:00Z"
WORK = Work(
    run=RUN,
    items={
        "eastus": WorkItem(
            region="eastus", instance_types=(A, B), datasets=(Dataset.SPS, Dataset.EVICTION), later=(Dataset.PRICE,),
            calls=(
                ScoreCall(
                    call_id="c1-5", location="westus", regions=("eastus", "westus"), instance_types=(A, B),
                    desired_count=5,
                ),
            ),
            fallback_locations=("westus", "japaneast"), ondemand=False, filtered=True, quota_share_percent=50,
            last_good_rows={"spot_price": 9}, whole_at={"spot_price": LISTED}, absent_spot=(A,), absent_ondemand=(B,),
            witness=True,
        ),
        "westus": WorkItem(
            region="westus", fallback_locations=("westus", "japaneast"), quota_share_percent=50,
        ),
    },
    calls_planned=1, calls_waiting=2, quota_left=3, oldest_waiting_minutes=4.5, blocks={"c1-5": "b1"},
    confirmed_at={"eastus": {"spot_price": LISTED}},
    knowledge=ScoreKnowledge(
        zones={"ab12": {"eastus": {"1": "eastus-az2"}}}, reference="ab12", refused=["cd34"],
        restricted={"eastus": ["standard_a1"]}, restricted_for={"ab12": {"westus": ["standard_b2"]}},
    ),
)  # fmt: skip
CONTENT: dict[str, Any] = {
    "run": {
        "run_id": "20261123T1000Z", "attempt": 2, "mode": "incremental", "desired_counts": [5],
        "started_at": "2026-11-23T10:00:00+00:00", "owner": "me",
    },
    "calls_planned": 1, "calls_waiting": 2, "quota_left": 3, "oldest_waiting_minutes": 4.5, "blocks": {"c1-5": "b1"},
    "confirmed_at": {"eastus": {"spot_price": LISTED}}, "fallback_locations": ("westus", "japaneast"),
    "quota_share_percent": 50,
    "knowledge": {
        "zones": {"ab12": {"eastus": {"1": "eastus-az2"}}}, "reference": "ab12", "refused": ["cd34"],
        "restricted": {"eastus": ["standard_a1"]}, "restricted_for": {"ab12": {"westus": ["standard_b2"]}},
    },
    "regions": {
        "eastus": {
            "instance_types": (A, B),
            "calls": [
                {
                    "call_id": "c1-5", "location": "westus", "regions": ("eastus", "westus"),
                    "instance_types": (A, B), "desired_count": 5,
                }
            ],
            "datasets": ["sps", "spot_if"], "ondemand": False, "filtered": True, "last_good_rows": {"spot_price": 9},
            "absent_spot": (A,), "absent_ondemand": (B,), "witness": True, "later": ["spot_price"],
        },
        "westus": {
            "instance_types": (), "calls": [], "datasets": ["sps", "spot_price", "spot_if"], "ondemand": True,
            "filtered": False, "last_good_rows": {}, "absent_spot": (), "absent_ondemand": (), "witness": False,
            "later": [],
        },
    },
}  # fmt: skip


def older() -> Any:
    """As versions before 0.2.0 wrote it."""
    content = deepcopy(CONTENT)
    del content["knowledge"]
    for one in content["regions"].values():
        for name in ("absent_spot", "absent_ondemand", "witness", "later"):
            del one[name]
    return content


def test_work_is_written_and_read_as_it_stands() -> None:
    assert work_content(WORK) == CONTENT
    content: Any = CONTENT
    assert parsed_work(content, "k") == WORK


def test_work_without_a_region_or_knowledge_is_work() -> None:
    work = Work(run=RUN, items={})
    content = work_content(work)
    assert (content["regions"], content["fallback_locations"], content["quota_share_percent"]) == ({}, (), 0)
    assert content["knowledge"] is None
    assert parsed_work(content, "k") == work


def test_work_of_an_older_version_is_read() -> None:
    found = parsed_work(older(), "k")
    assert found.knowledge is None
    item = found.items["eastus"]
    assert (item.absent_spot, item.absent_ondemand, item.witness, item.later) == ((), (), False, ())
    assert item.calls == WORK.items["eastus"].calls


@pytest.mark.parametrize("damage", ["run", "regions", "calls_planned", "blocks", "fallback_locations"])
def test_a_damaged_work_object_is_named(damage: str) -> None:
    content: Any = deepcopy(CONTENT)
    del content[damage]
    with says(DamagedStateError, f"work/k: damaged (KeyError: '{damage}')"):
        parsed_work(content, "work/k")
    odd: Any = {**CONTENT, damage: 3} if damage == "regions" else {**CONTENT, "regions": {"x": {}}}
    with pytest.raises(DamagedStateError, match=r"work/k: damaged \(\w+: .+\)"):
        parsed_work(odd, "work/k")
