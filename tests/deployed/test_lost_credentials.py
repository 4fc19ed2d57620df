"""AzureAuth disappears while ten-minute runs go on: in warm functions, in some cold ones, and in cold ones alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from spotlake import keys
from spotlake.settings import Settings
from tests.support.emulator import wait_for
from tests.support.site import STACK, Site, start_site

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_lambda.client import LambdaClient

WELL = [
    "Plan",
    "ChooseMode",
    "CollectRegions",
    "Merge",
    "KeepHistory",
    "CheckCoverage",
    "Report",
    "ChooseEnd",
    "NotifyRecovery",
]
BADLY = [*WELL[:-1], "DescribeFailure", "Notify", "Failed"]
USED = "the credentials of an earlier run are used"


def slot_at(number: int) -> datetime:
    return datetime(2026, 11, 23, 10, 0, tzinfo=UTC) + timedelta(minutes=10 * number)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Its functions are warm: a full run and a ten-minute run have ended well. Then the table is deleted."""
    with start_site(tmp_path_factory.mktemp("lost")) as site:
        for number in range(2):
            assert run(site, number)["status"] == "SUCCEEDED"
        auth = Settings()
        client = cast("DynamoDBClient", site.aws.client("dynamodb", region=auth.auth_region))
        client.delete_table(TableName=auth.auth_table)
        yield site


def run(site: Site, number: int) -> dict[str, Any]:
    """Collect a slot. Returns its end, its states, its manifest and the notes of its plan."""
    at = slot_at(number)
    arn = site.start(timestamp=f"{at:%Y-%m-%dT%H:%M:%SZ}")
    ended = site.ended(arn)
    events = site.workflows.get_execution_history(executionArn=arn)["events"]
    exits = [one["stateExitedEventDetails"] for one in events if "stateExitedEventDetails" in one]
    notes = [json.loads(one["output"]).get("notes", []) for one in exits if one["name"] == "Plan"]
    states = list(dict.fromkeys(site.entered(arn)))
    return {**ended, "states": states, "manifest": site.object(keys.manifest(at)), "notes": notes[0]}


def make_cold(site: Site, *functions: str) -> None:
    """Another version of a function's configuration begins with new processes."""
    client = cast("LambdaClient", site.aws.client("lambda"))
    for name in functions:
        before = client.get_function_configuration(FunctionName=f"{STACK}-{name}")
        variables = {**before["Environment"]["Variables"], "COLD": str(datetime.now(UTC))}
        client.update_function_configuration(FunctionName=f"{STACK}-{name}", Environment={"Variables": variables})


def stale(ended: dict[str, Any]) -> set[str]:
    return {one["dataset"] for one in ended["manifest"]["stale"]}


def test_warm_functions_go_on_with_the_credentials_that_they_have_and_the_plan_says_so(site: Site) -> None:
    ended = run(site, 2)
    assert (ended["status"], stale(ended)) == ("SUCCEEDED", set()), ended
    assert [one for one in ended["states"] if one in WELL] == WELL
    assert [note for note in ended["notes"] if USED in note]


def test_one_cold_function_loses_its_data_set_alone_and_raises_the_sign_in_alarm(site: Site) -> None:
    make_cold(site, "sps")
    ended = run(site, 3)
    assert (ended["status"], stale(ended)) == ("SUCCEEDED", {"sps"}), ended
    client = cast("CloudWatchClient", site.aws.client("cloudwatch"))

    def rung() -> bool:
        (alarm,) = client.describe_alarms(AlarmNames=[f"{STACK}-signin"])["MetricAlarms"]
        return alarm["StateValue"] == "ALARM"

    wait_for(rung, what="the sign-in alarm")


def test_cold_functions_collect_prices_alone_and_the_run_fails_for_its_coverage(site: Site) -> None:
    make_cold(site, "plan", "sps", "eviction")
    ended = run(site, 4)
    assert (ended["status"], ended["error"]) == ("FAILED", "CoverageError"), ended
    assert [one for one in ended["states"] if one in BADLY] == BADLY
    assert "only 33.3 percent" in ended["cause"]
    assert stale(ended) == {"spot_if"}  # no score was planned, so none is missing
    assert [note for note in ended["notes"] if note.startswith("prices alone are collected: cannot read item")]
