"""A run over an archive of the first form goes on from it; tests/data/ORIGIN.md says where the archive is from."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zipfile import ZipFile

import orjson
import pytest
from boto3.dynamodb.types import TypeDeserializer

from spotlake import keys
from spotlake.clock import ManualClock
from spotlake.models import to_iso
from spotlake.planning.attempt import FIRST_FORM
from spotlake.state.attempts import read_record
from spotlake.stores.objects import MemoryObjects
from spotlake.stores.workloads import MemoryWorkloads
from spotlake_local.workspace import ROOT
from tests.functional.archive.archive import Archive
from tests.functional.placement_scores.double import Bench

KEPT = ROOT / "tests/data/first-form.zip"
FIRST_AT = datetime(2025, 12, 15, 10, 0, tzinfo=UTC)
SECOND_AT = datetime(2025, 12, 15, 10, 10, tzinfo=UTC)
NEXT_AT = datetime(2025, 12, 15, 10, 20, tzinfo=UTC)
BY_HAND = {"regions": ["eastus", "koreacentral"], "instance_types": ["Standard_D2s_v*", "Standard_E4s_v*"]}


@pytest.fixture
def archive() -> Archive:
    """The bucket and the table as they were left, and the clock at the next slot."""
    objects, workloads, plain = MemoryObjects(), MemoryWorkloads(), TypeDeserializer().deserialize
    with ZipFile(KEPT) as kept:
        for name in kept.namelist():
            if name.startswith("bucket/"):
                objects.put(name.removeprefix("bucket/"), kept.read(name))
        for item in orjson.loads(kept.read("items.json")):
            one = {name: plain(value) for name, value in item.items()}
            workloads.items[one["InstanceType"], one["Workload"]] = without_decimals(one)
    bench = Bench(clock=ManualClock(NEXT_AT), subscriptions=("sub-a",))
    bench.azure.physical = {"sub-a": {"1": "", "2": "", "3": ""}}  # the buildings of the kept archive have other names
    return Archive(bench=bench, store=objects, workloads=workloads)


def without_decimals(value: Any) -> Any:
    """Numbers as the table's twin in memory has them."""
    if isinstance(value, dict):
        return {name: without_decimals(one) for name, one in value.items()}
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    return value


def table(archive: Archive) -> dict[tuple[str, str], dict[str, Any]]:
    assert isinstance(archive.workloads, MemoryWorkloads)
    return {key: dict(item) for key, item in archive.workloads.items.items()}


def sell_what_was_sold(archive: Archive) -> None:
    """The sizes that the kept archive has, at other prices."""
    sizes = sorted({size for size, _ in table(archive)})
    archive.listed, archive.spot_usd = dict.fromkeys(archive.listed, tuple(sizes)), 7.0


def test_a_run_goes_on_from_it(archive: Archive) -> None:
    before = table(archive)
    sell_what_was_sold(archive)
    manifest = archive.run(**BY_HAND, desired_count=5)
    after = table(archive)
    assert manifest["status"] == "complete", manifest["stale"]
    assert set(before) <= set(after)
    for key, old in before.items():
        new = after[key]
        assert new["SpotPrice"] == 7.0
        assert new["Version"] > old["Version"]
        if old.get("EvictionBand") == "0-5":  # as it is listed now
            assert new["IFAt"] == old["IFAt"]
        for count, score in old["Scores"].items():  # what was not asked again is as it was, with its time
            if count != "5":
                assert new["Scores"][count] == score


def test_a_slot_of_it_collected_again_keeps_what_only_the_first_form_has(archive: Archive) -> None:
    before = table(archive)
    sell_what_was_sold(archive)
    manifest = archive.run(**BY_HAND, desired_count=50, timestamp=to_iso(SECOND_AT), past=True)
    assert [one["attempt"] for one in manifest["attempts"]][:1] == [0]
    after = table(archive)
    for key, old in before.items():
        assert after[key]["SpotPrice"] == 7.0
        assert old["Scores"].items() <= after[key]["Scores"].items()


def test_its_raw_shards_folded_again_give_the_same_snapshots_and_items(archive: Archive) -> None:
    objects = archive.objects
    kept = {slot_at: snapshot(archive, slot_at) for slot_at in (FIRST_AT, SECOND_AT)}
    for key in [keys.MERGED_CHAIN, *objects.keys(keys.MERGED_STATES_PREFIX), *objects.keys(keys.MANIFEST_PREFIX)]:
        objects.delete(key)
    again = Archive(bench=archive.bench, store=objects)
    for slot_at, expected in kept.items():
        manifest = again.merge(read_record(objects, slot_at, FIRST_FORM).run)
        assert (manifest["status"], manifest["coverage_percent"]) == ("complete", 100.0)
        known = [{name: row[name] for name in expected[0]} for row in snapshot(again, slot_at)]
        assert known == expected
    assert essence(again) == essence(archive)


def test_a_record_that_its_lifecycle_rule_has_deleted_stops_no_late_slot(archive: Archive) -> None:
    archive.objects.delete(keys.first_form_record(SECOND_AT))
    sell_what_was_sold(archive)
    archive.run(**BY_HAND, desired_count=50, timestamp=to_iso(FIRST_AT), past=True)
    newest = {row["SpotPrice"] for row in snapshot(archive, SECOND_AT)}
    assert "7.0" not in newest  # the later slot's own prices, from its raw shards


def snapshot(archive: Archive, slot_at: datetime) -> list[dict[str, str]]:
    stored = archive.objects.get(keys.snapshot(slot_at))
    assert stored is not None
    return list(csv.DictReader(io.StringIO(gzip.decompress(stored.body).decode())))


def essence(archive: Archive) -> dict[tuple[str, str], dict[str, Any]]:
    """Items without who wrote them and when."""
    of_the_writer = ("Version", "UpdatedAt", "RunId")
    return {
        key: {name: value for name, value in item.items() if name not in of_the_writer}
        for key, item in table(archive).items()
    }
