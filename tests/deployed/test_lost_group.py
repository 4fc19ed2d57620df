"""A group of regions dies in the middle of a run; and groups as EXPRESS and as STANDARD children collect the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from spotlake import keys
from spotlake.models import Dataset
from spotlake.packing import unpack
from tests.support.emulator import wait_for
from tests.support.site import PATIENCE_SECONDS, Site, start_site

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

WELL, DYING = "westcentralus", "koreacentral"


def slot_at(number: int) -> datetime:
    return datetime(2026, 11, 23, 10, 0, tzinfo=UTC) + timedelta(minutes=10 * number)


def start(site: Site, number: int) -> str:
    return site.start(timestamp=f"{slot_at(number):%Y-%m-%dT%H:%M:%SZ}")


def stored(site: Site, key: str) -> bytes:
    return cast("S3Client", site.aws.client("s3")).get_object(Bucket="spotlake-test", Key=key)["Body"].read()


def shards(site: Site, number: int) -> set[tuple[str, str]]:
    """Data set and region of a slot's raw files."""
    client, found = cast("S3Client", site.aws.client("s3")), set()
    for dataset in Dataset:
        listed = client.list_objects_v2(Bucket="spotlake-test", Prefix=keys.shards_of_slot(dataset, slot_at(number)))
        found |= {(dataset.value, keys.region_and_attempt(one["Key"])[0]) for one in listed.get("Contents", [])}
    return found


@pytest.fixture(scope="module", params=["EXPRESS", "STANDARD"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Every region is a group, and the catalogue is there."""
    folder = tmp_path_factory.mktemp("groups")
    with start_site(folder, regions=f"{WELL},{DYING}", map_children=request.param) as site:
        assert site.ended(start(site, 0))["status"] == "SUCCEEDED"
        yield site


SNAPSHOTS: dict[str, bytes] = {}


def test_both_kinds_of_children_write_the_same(site: Site, request: pytest.FixtureRequest) -> None:
    ended = site.ended(start(site, 1))
    assert ended["status"] == "SUCCEEDED", ended
    manifest = site.object(keys.manifest(slot_at(1)))
    assert (manifest["status"], manifest["regions_complete"]) == ("complete", 2)
    SNAPSHOTS[request.node.callspec.params["site"]] = unpack(stored(site, keys.snapshot(slot_at(1))))
    first, *others = SNAPSHOTS.values()
    assert first.count(b"\n") > 100
    assert others in ([], [first])


def test_a_group_that_dies_loses_nothing_that_is_stored(site: Site) -> None:
    whole = site.object(keys.manifest(slot_at(1)))
    site.azure.fault(api="retail", location=DYING, latency_seconds=100.0)
    arn = start(site, 2)
    datasets = {one.value for one in Dataset}
    before = {(name, WELL) for name in datasets} | {(name, DYING) for name in datasets - {Dataset.PRICE.value}}
    wait_for(lambda: shards(site, 2) == before, what="all but one shard", patience_seconds=PATIENCE_SECONDS)
    (map_run,) = site.workflows.list_map_runs(executionArn=arn)["mapRuns"]
    children = site.workflows.list_executions(mapRunArn=map_run["mapRunArn"])["executions"]
    (dying,) = [one["executionArn"] for one in children if DYING in json.dumps(groups(site, one["executionArn"]))]
    site.workflows.stop_execution(executionArn=dying)
    ended = site.ended(arn)
    site.azure.clear_faults()
    assert ended["status"] == "SUCCEEDED", ended
    manifest = site.object(keys.manifest(slot_at(2)))
    (stale,) = manifest["stale"]
    assert (stale["dataset"], stale["region"], stale["error"]) == (Dataset.PRICE.value, DYING, "GroupEndedError")
    assert "its group of regions ended" in stale["cause"]
    assert manifest["status"] == "partial"
    assert {name: manifest["rows"][name] for name in ("sps", "eviction")} == {
        name: whole["rows"][name] for name in ("sps", "eviction")
    }
    assert 0 < manifest["rows"]["price"] < whole["rows"]["price"]
    lost = [one for one in site.object(keys.execution(slot_at(2)))["collectors"] if one["error"]]
    assert {(one["region"], one["error"]) for one in lost} == {(DYING, "GroupEndedError")}
    assert sorted(one["service"] for one in lost) == ["eviction", "price", "sps"]


def groups(site: Site, child_arn: str) -> Any:
    """The regions of a child."""
    return json.loads(site.workflows.describe_execution(executionArn=child_arn)["input"])["regions"]


def test_the_next_run_is_whole_again(site: Site) -> None:
    assert site.ended(start(site, 3))["status"] == "SUCCEEDED"
    manifest = site.object(keys.manifest(slot_at(3)))
    assert (manifest["status"], manifest["stale"]) == ("complete", [])
