"""Groups of regions as children of the distributed Map: EXPRESS or STANDARD, and one that dies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spotlake_local.aws.interpreter import lambda_python
from spotlake_local.aws.launcher import EmulatedAws
from spotlake_local.workspace import ROOT
from tests.workflow.conftest import Ended, Machine

pytestmark = pytest.mark.emulator

GROUPS = [["eastus", "koreacentral"], ["westus"]]
# The stub "hangs" for 15 s; a child lives for a fifth of that.
SHORT_LIVES = {"SFN_EXPRESS_SECONDS": "3"}


@pytest.fixture(scope="module")
def short_lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder: Path = tmp_path_factory.mktemp("children")
    with EmulatedAws.start(None, lambda_python=lambda_python(ROOT), extra_environment=SHORT_LIVES) as aws:
        yield Machine(aws, folder / "calls.jsonl")


def told(ended: Ended) -> list[tuple[str, str, str, str | None]]:
    (report,) = ended.of("report")
    return [(one["dataset"], one["region"], one["status"], one.get("error")) for one in report["collectors"]]


def without_times(events: list[Any]) -> list[Any]:
    return sorted(({**one, "ends_at": None} for one in events), key=lambda one: str(one["region"]))


def test_express_and_standard_children_do_and_say_the_same(machine: Machine, standard: Machine) -> None:
    given = {"groups": GROUPS, "faults": {"sps/eastus": "AzureUnavailableError"}, "refused": "price/westus"}
    express, other = machine.run(**given), standard.run(**given)
    assert express.status == other.status == "SUCCEEDED"
    assert told(express) == told(other)
    assert len(told(express)) == 9
    for name in ("sps", "price", "eviction"):
        assert without_times(express.of(name)) == without_times(other.of(name))
    failures = [[{**one, "cause": None} for one in ended.of("merge")[0]["failures"]] for ended in (express, other)]
    assert failures[0] == failures[1]


def test_every_collector_of_a_group_has_the_group_s_end(machine: Machine) -> None:
    ended = machine.run(groups=GROUPS)
    ends = {event["region"]: event["ends_at"] for name in ("sps", "price", "eviction") for event in ended.of(name)}
    assert set(ends) == {"eastus", "koreacentral", "westus"}
    assert ends["eastus"] == ends["koreacentral"]


def test_a_group_that_dies_is_named_and_the_other_is_whole(short_lived: Machine) -> None:
    assert short_lived.run(groups=[["warm"], ["westus"]]).output is not None  # the first start of each function is slow
    ended = short_lived.run(groups=GROUPS, hangs="price/koreacentral")
    assert ended.status == "SUCCEEDED"
    (merge,) = ended.of("merge")
    lost = {(one["dataset"], one["region"], one["error"]) for one in merge["failures"]}
    datasets = ("sps", "spot_price", "spot_if")
    assert lost == {(name, region, "GroupEndedError") for name in datasets for region in GROUPS[0]}
    assert [one[:3] for one in told(ended) if one[1] == "westus"] == [(name, "westus", "complete") for name in datasets]
    assert len(told(ended)) == 9
