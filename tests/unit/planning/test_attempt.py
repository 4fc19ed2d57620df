"""An attempt's input, plan and failure, and what each of them says of itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from spotlake.models import Dataset, Mode, Run, ScoreCall, WorkItem
from spotlake.planning.attempt import Failure, Work
from spotlake.planning.catalogue import Catalogue
from spotlake.planning.lessons import InvalidNames
from spotlake.planning.run_input import RunInput
from spotlake.planning.scope import Scope, pairs_to_score
from spotlake.settings import Settings

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SPS, PRICE, EVICTION = Dataset.SPS, Dataset.PRICE, Dataset.EVICTION


def run(attempt: int = 7) -> Run:
    return Run(
        run_id="20261123T1000Z", mode=Mode.FULL, desired_counts=(1,), started_at=AT, owner="arn", attempt=attempt
    )  # fmt: skip


def call(number: int) -> ScoreCall:
    return ScoreCall(
        call_id=f"c{number}", location="eastus", regions=("eastus",), instance_types=("A",), desired_count=1
    )  # fmt: skip


ITEMS = {
    "eastus": WorkItem(region="eastus", instance_types=("A", "B"), calls=(call(0), call(1))),
    "westus": WorkItem(region="westus", instance_types=("B",), datasets=(SPS, PRICE), later=(EVICTION,)),
    "mars": WorkItem(region="mars", calls=(call(2),), datasets=(SPS,)),
}


def test_the_work_of_an_attempt_is_that_of_all_its_regions() -> None:
    work = Work(run=run(), items=ITEMS)
    assert work.calls() == [call(0), call(1), call(2)]
    assert work.owed_sizes() == {"eastus": {"A", "B"}, "westus": {"B"}, "mars": frozenset()}


def test_a_shard_is_expected_of_every_data_set_that_is_due() -> None:
    assert Work(run=run(), items=ITEMS).shards() == [
        (SPS, "eastus"), (PRICE, "eastus"), (EVICTION, "eastus"), (PRICE, "westus"), (SPS, "mars"),
    ]  # fmt: skip


def test_of_the_first_form_scores_are_expected_without_a_call_too() -> None:
    """What was stored before attempts had numbers does not say which calls it asked."""
    assert Work(run=run(0), items=ITEMS).shards() == [
        (SPS, "eastus"), (PRICE, "eastus"), (EVICTION, "eastus"), (SPS, "westus"), (PRICE, "westus"), (SPS, "mars"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "failure"),
    [
        (
            {"error": "StoreError", "cause": "S3 failed", "dataset": "sps", "region": "eastus"},
            Failure(error="StoreError", cause="S3 failed", dataset="sps", region="eastus"),
        ),
        ({}, Failure(error="UnknownError", cause="")),
        (dict.fromkeys(("error", "cause", "dataset", "region")), Failure(error="UnknownError", cause="")),
        ({"error": 7, "cause": ["x"]}, Failure(error="7", cause="['x']", dataset="", region="")),
    ],
)
def test_a_failure_is_read_from_whatever_the_state_machine_says(content: dict[str, Any], failure: Failure) -> None:
    assert Failure.from_dict(content) == failure
    assert Failure.from_dict(failure.to_dict()) == failure


def test_a_failure_as_json() -> None:
    assert Failure(error="E", cause="c", dataset="sps", region="eastus").to_dict() == {
        "error": "E", "cause": "c", "dataset": "sps", "region": "eastus",
    }  # fmt: skip


def given(**fields: Any) -> RunInput:
    usual: dict[str, Any] = {
        "slot_at": AT, "floored": False, "mode": "auto", "regions": (), "instance_types": (), "desired_counts": (),
        "resume": False,
    }  # fmt: skip
    return RunInput(**(usual | fields))


SETTINGS = Settings(regions=("westus",), instance_types=("Standard_D*",))


@pytest.mark.parametrize(
    ("fields", "scope"),
    [
        ({}, Scope(regions=("westus",), instance_types=("Standard_D*",))),
        (
            {"regions": ("eastus",)},
            Scope(regions=("eastus",), instance_types=("Standard_D*",), filtered=True),
        ),
        (
            {"instance_types": ("Standard_E*",)},
            Scope(regions=("westus",), instance_types=("Standard_E*",), filtered=True),
        ),
        (
            {"desired_counts": (1, 5), "resume": True},
            Scope(regions=("westus",), instance_types=("Standard_D*",), desired_counts=(1, 5), resume=True),
        ),
    ],
)
def test_the_input_goes_before_the_settings(fields: dict[str, Any], scope: Scope) -> None:
    assert Scope.of(given(**fields), SETTINGS) == scope
    assert scope.filtered is bool(fields.keys() & {"regions", "instance_types"})


def test_a_scope_as_json_and_back() -> None:
    scope = Scope(
        regions=("eastus",), instance_types=("A*", "B"), desired_counts=(5, 10), resume=True, filtered=True,
    )  # fmt: skip
    content: Any = {
        "regions": ["eastus"], "instance_types": ["A*", "B"], "desired_counts": [5, 10], "resume": True,
        "filtered": True,
    }  # fmt: skip
    assert Scope.from_dict(content) == scope
    told: Any = scope.to_dict()
    assert {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()} == content
    assert Scope.from_dict(Scope(resume=True).to_dict()) == Scope(resume=True)
    assert Scope.from_dict(Scope(filtered=True).to_dict()) == Scope(filtered=True)


CATALOGUE = Catalogue(
    pairs={
        "asia": dict.fromkeys(("Standard_D2", "Standard_E2"), "2026-11-23"),
        "eastus": dict.fromkeys(("Standard_D2", "Standard_D4", "Standard_E2"), "2026-11-23"),
        "westus": {"Standard_E2": "2026-11-23"},
        "zeta": {"Standard_D2": "2026-11-23"},
    }
)
REFUSED = InvalidNames(regions={"asia": "20261122T0000Z"}, instance_types={"Standard_D4": "20261122T0000Z"})
D2, D4, E2 = "Standard_D2", "Standard_D4", "Standard_E2"


@pytest.mark.parametrize(
    ("scope", "retry", "pairs"),
    [
        (Scope(), False, {"eastus": [D2, E2], "westus": [E2], "zeta": [D2]}),
        (Scope(), True, {"asia": [D2, E2], "eastus": [D2, D4, E2], "westus": [E2], "zeta": [D2]}),
        (Scope(instance_types=("standard_d*",)), False, {"eastus": [D2], "zeta": [D2]}),
        (Scope(instance_types=("standard_d*",)), True, {"asia": [D2], "eastus": [D2, D4], "zeta": [D2]}),
        (Scope(regions=("eastus", "atlantis")), False, {"eastus": [D2, E2]}),
        (Scope(regions=("asia",)), False, {}),
        (Scope(regions=("asia",)), True, {"asia": [D2, E2]}),
    ],
)
def test_pairs_of_the_scope_without_refused_names_until_these_are_tried_again(
    scope: Scope, retry: bool, pairs: dict[str, list[str]]
) -> None:
    assert pairs_to_score(CATALOGUE, scope, REFUSED, retry=retry) == pairs
