"""Faults that collectors of this kind have had in their merge, one test each (numbers: 22 to 33)."""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from botocore.exceptions import ClientError

import spotlake
from spotlake import keys
from spotlake.errors import StoreError
from spotlake.merge.files import CSV_COLUMNS
from spotlake.models import DESIRED_COUNTS, Dataset
from spotlake.stores.objects import MemoryObjects, S3Objects
from spotlake.stores.workloads import DynamoDbWorkloads
from tests.functional.merge.conftest import REGION, SIZE, World, items, latest, snapshot

SECOND = "Standard_E2s_v5"


def tops(world: World) -> tuple[int, int]:
    (row,) = latest(world)
    return row["T3"], row["T2"]


def test_fault_22_t3_and_t2_span_all_counts_not_the_one_asked_last(world: World) -> None:
    for number, count in enumerate(DESIRED_COUNTS):
        world.merge(world.collected(number, scores={"1": 3}, count=count))
        assert tops(world) == (count, count)
    world.merge(world.collected(11, scores={"1": 3}, count=1))
    assert tops(world) == (50, 50)
    world.merge(world.collected(12, scores={"1": 2}, count=30))
    assert tops(world) == (25, 50)


def test_fault_23_a_score_falls_and_unknown_lowers_nothing(world: World) -> None:
    for number, (count, score) in enumerate([(1, 3), (5, 3), (5, None), (1, None)]):
        world.merge(world.collected(number, scores={"1": score}, count=count))
    assert tops(world) == (5, 5)
    assert latest(world)[0]["Score"] == 3
    world.merge(world.collected(4, scores={"1": 1}, count=1))
    assert tops(world) == (0, 0)
    assert latest(world)[0]["Score"] == 1


def test_fault_24_a_size_in_two_tiers_does_not_multiply(world: World) -> None:
    tiers = {"Standard_A1": 0.03, "Basic_A1": 0.01}
    changed = []
    for number in range(5):
        sizes = {**tiers, "Standard_A0": 0.02} if number == 4 else tiers
        run = world.collected(number, band=None, scores={"1": 3}, sizes=list(sizes))
        world.shard(run, Dataset.PRICE, [world.price(size, spot) for size, spot in sizes.items()])
        changed.append(world.merge(run)["changed_rows"])
    assert changed == [2, 0, 0, 0, 1]
    rows = [(row["InstanceTier"], row["InstanceType"], row["SpotPrice"]) for row in latest(world)]
    assert rows == [("Basic", "A1", 0.01), ("Standard", "A0", 0.02), ("Standard", "A1", 0.03)]
    assert len(snapshot(world, 4)) == 3


def test_fault_25_unchanged_rows_are_no_change_whatever_the_time_and_the_count(world: World) -> None:
    sizes = [f"Standard_D{number}s_v5" for number in range(1000)]
    world.merge(world.collected(0, scores={"1": 3}, sizes=sizes))
    assert world.merge(world.collected(1, scores={"1": 3}, sizes=sizes))["changed_rows"] == 0
    rotation = [count for _ in range(2) for count in (1, 5, 10)]
    changed = [
        world.merge(world.collected(number, scores={"1": 3}, count=count, sizes=sizes))["changed_rows"]
        for number, count in enumerate(rotation, 2)
    ]
    assert changed == [0, 1000, 1000, 0, 0, 0]  # each new count brings a score; the second time round nothing is new


class Unreachable(MemoryObjects):
    """A bucket that cannot be read at one key."""

    key = ""

    def get(self, key: str) -> Any:
        if self.key and key.startswith(self.key):
            raise StoreError(f"cannot read {key}")
        return super().get(key)


def test_fault_26_the_first_run_writes_items_selector_and_counts(world: World) -> None:
    manifest = world.merge(world.collected(0, scores={"1": 3, "2": 2}))
    assert (manifest["written_items"], manifest["rows"]["merged"]) == (2, 2)
    assert len(items(world)) == 2
    stored = world.objects.get(keys.QUERY_SELECTOR)
    assert stored is not None
    assert len(orjson.loads(stored.body)) == 1


@pytest.mark.parametrize("key", [keys.MERGED_CHAIN, keys.MERGED_STATES_PREFIX])
def test_fault_26_a_read_error_is_not_a_first_run(key: str) -> None:
    world = World(objects=(objects := Unreachable()))
    world.merge(world.collected(0, scores={"1": 3}))
    run = world.collected(1, scores={"1": 1})
    before = dict(objects.objects)
    objects.key = key
    with pytest.raises(StoreError, match=key):
        world.merge(run)
    after = dict(objects.objects)
    del after[keys.attempt_end(run.slot_at, run.attempt)]  # what was caught while collecting is no result
    assert after == before
    assert {item["RunId"] for item in items(world).values()} == {"20251215T1000Z"}


def test_fault_27_what_a_run_missed_stays_as_it_was_and_is_named(world: World) -> None:
    world.merge(world.collected(0, scores={"1": 3}, sizes=[SIZE, SECOND]))
    run = world.collected(1, spot=None, scores={"1": 2}, sizes=[SIZE])  # no prices; half of the scores
    manifest = world.merge(run)
    assert manifest["refused_shards"] == [
        {
            "key": keys.shard(Dataset.PRICE, run.slot_at, REGION, run.attempt),
            "dataset": "spot_price",
            "region": REGION,
            "reason": "missing",
        }
    ]
    assert [(row["InstanceType"], row["SpotPrice"], row["Score"]) for row in latest(world)] == [
        ("D2s_v5", 0.01, 2),
        ("E2s_v5", 0.01, 3),
    ]
    assert [(row["PriceTime"], row["ScoreTime"]) for row in snapshot(world, 1)] == [
        ("2025-12-15 10:00:00", "2025-12-15 10:10:00"),
        ("2025-12-15 10:00:00", "2025-12-15 10:00:00"),
    ]


class FakeS3:
    """As much of S3's client as a bucket needs, with ACLs disabled; it may deny writes by key."""

    def __init__(self) -> None:
        self.objects, self.denied = MemoryObjects(), ""

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names, here and below
        stored = self.objects.get(Key)
        if stored is None:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        return {"Body": io.BytesIO(stored.body), "ETag": stored.etag}

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        stored = self.objects.get(Key)
        if stored is None:
            raise ClientError({"Error": {"Code": "404"}}, "HeadObject")
        return {"ETag": stored.etag}

    def put_object(self, *, Bucket: str, Key: str, Body: Any, **options: Any) -> dict[str, Any]:  # noqa: N803
        if "ACL" in options:
            raise ClientError({"Error": {"Code": "AccessControlListNotSupported"}}, "PutObject")
        if self.denied and Key.startswith(self.denied):
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject")
        return {"ETag": self.objects.put(Key, Body if isinstance(Body, bytes) else Body.read())}

    def delete_object(self, *, Bucket: str, Key: str) -> None:  # noqa: N803
        self.objects.delete(Key)

    def get_paginator(self, name: str) -> FakeS3:
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        yield {"Contents": [{"Key": key} for key in self.objects.keys(Prefix)]}


FIRST_RUN = World().run(0)
WRITTEN = {
    "state": keys.MERGED_STATES_PREFIX,
    "chain": keys.MERGED_CHAIN,
    "snapshot": keys.snapshot(FIRST_RUN.slot_at),
    "latest": keys.LATEST,
    "latest, packed": keys.LATEST_PACKED,
    "selector": keys.QUERY_SELECTOR,
    "association": keys.ASSOCIATION,
    "manifest": keys.manifest(FIRST_RUN.slot_at),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_fault_28_an_upload_that_fails_fails_the_merge_by_its_name(name: str) -> None:
    client: Any = FakeS3()
    world = World(objects=S3Objects(client, "bucket"))
    run = world.collected(0, scores={"1": 3})
    client.denied = WRITTEN[name]
    with pytest.raises(StoreError, match=f"cannot write s3://bucket/{WRITTEN[name]}.*AccessDenied"):
        world.merge(run)
    assert world.objects.get(keys.manifest(run.slot_at)) is None
    client.denied = ""
    assert world.merge(run)["complete"] is True


class RefusingDynamoDb:
    """As much of DynamoDB's client as upserts need: it refuses, as a whole or one statement."""

    def __init__(self, *, whole: bool) -> None:
        self.whole = whole

    def batch_execute_statement(self, *, Statements: list[Any], **_: Any) -> dict[str, Any]:  # noqa: N803
        if self.whole:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "BatchExecuteStatement")
        refused = {"Error": {"Code": "ItemCollectionSizeLimitExceeded"}}
        return {"Responses": [refused, *[{}] * (len(Statements) - 1)]}


@pytest.mark.parametrize(
    ("whole", "code"), [(True, "AccessDeniedException"), (False, "ItemCollectionSizeLimitExceeded")]
)
def test_fault_28_a_refused_item_fails_the_merge_by_name(whole: bool, code: str) -> None:
    client: Any = RefusingDynamoDb(whole=whole)
    world = World(workloads=DynamoDbWorkloads(client, "azure-test", sleep=lambda _: None))
    run = world.collected(0, scores={"1": 3, "2": 2})
    with pytest.raises(StoreError, match=f"table azure-test: {code}"):
        world.merge(run)
    assert world.objects.get(keys.manifest(run.slot_at)) is None


def test_fault_29_the_files_have_one_shape_and_the_same_bytes_every_time() -> None:
    seen = set()
    for _ in range(5):
        world = World()
        run = world.collected(0, ondemand=0.05, scores={"1": 3, "2": None}, sizes=[SIZE, SECOND])
        world.merge(run)
        stored = [world.objects.get(key) for key in (keys.snapshot(run.slot_at), *keys.NEWEST_FILES)]
        seen.add(tuple(one.body for one in stored if one is not None))
    (bodies,) = seen
    assert gzip.decompress(bodies[0]).decode().splitlines()[0] == ",".join(CSV_COLUMNS)
    assert "id" not in CSV_COLUMNS


def test_fault_30_known_values_are_counted_by_themselves(world: World) -> None:
    sizes = [SIZE, SECOND, "Standard_F2s_v2", "Standard_L8s_v3"]
    world.merge(world.collected(0, scores={"1": 3}, sizes=sizes))
    run = world.collected(1, scores={"1": None}, sizes=sizes)
    prices = [world.price(size, None if size == SIZE else 0.02) for size in sizes]
    world.shard(run, Dataset.PRICE, prices)
    rates = [
        {"region": REGION, "instance_type": size, "eviction_band": band, "interruption_frequency": rate}
        for size, band, rate in zip(sizes, ("0-5", "5-10", "?", "?"), (3.0, 2.5, None, None), strict=True)
    ]
    world.shard(run, Dataset.EVICTION, rates)
    world.shard(run, Dataset.SPS, [world.score(SIZE, "1", 3, 1), world.score(SECOND, "1", None, 1)])
    assert world.merge(run)["rows"] == {"sps": 1, "price": 3, "eviction": 2, "merged": 4}


def test_fault_31_no_nan_and_no_acl() -> None:
    client: Any = FakeS3()
    world = World(objects=S3Objects(client, "bucket"))
    world.merge(world.collected(0, ondemand=None, band=None, scores={"1": None}))
    (row,) = latest(world)  # read strictly: NaN would be an error
    assert [row[name] for name in ("OndemandPrice", "Savings", "IF", "Score")] == [-1] * 4


def test_fault_32_a_late_run_replaces_nothing_newer(world: World) -> None:
    for number, spot in ((0, 0.01), (2, 0.03)):
        world.merge(world.collected(number, spot=spot, scores={"1": 3}))
    before = world.objects.get(keys.LATEST)
    late = world.collected(1, spot=0.02, scores={"1": 3})
    # What lies beside the shards that the run expects is not looked at.
    stray = keys.shard(Dataset.PRICE, late.slot_at, "aaa", late.attempt)
    world.objects.put(stray, b"somebody else's")
    manifest = world.merge(late)
    assert (manifest["status"], manifest["refused_shards"]) == ("complete", [])
    assert world.objects.get(keys.LATEST) == before
    assert items(world)[SIZE, f"{REGION}#1"]["SpotPrice"] == 0.03
    assert [row["SpotPrice"] for row in snapshot(world, 1)] == ["0.02"]


def test_fault_32_what_left_is_marked(world: World) -> None:
    world.merge(world.collected(0, scores={"1": 3}, sizes=[SIZE, SECOND]))
    world.merge(world.collected(200, scores={"1": 3}), retire_after_days=1)
    assert "RetiredAt" in items(world)[SECOND, f"{REGION}#1"]
    assert [row["InstanceType"] for row in latest(world)] == ["D2s_v5"]


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "plain"])
@pytest.mark.parametrize("name", ["chain", "state"])
def test_fault_33_a_pickle_in_the_state_s_place_is_refused_and_never_run(
    world: World, tmp_path: Path, name: str, packed: bool
) -> None:
    world.merge(world.collected(0, scores={"1": 3}))
    traced = tmp_path / "run"
    pickle = f"cos\nsystem\n(S'touch {traced}'\ntR.".encode()
    (key,) = world.objects.keys(WRITTEN[name])
    world.objects.put(key, gzip.compress(pickle) if packed else pickle)
    with pytest.raises(StoreError, match=f"{key}.*damaged"):
        world.merge(world.collected(1, scores={"1": 1}))
    assert not traced.exists()


def test_fault_33_nothing_imports_a_format_that_runs_code() -> None:
    forbidden = re.compile(r"^\s*(import|from) (pickle|marshal|shelve|dill|joblib)\b", re.MULTILINE)
    files = list(Path(spotlake.__file__).parent.rglob("*.py"))
    assert files
    assert [file for file in files if forbidden.search(file.read_text())] == []


@pytest.mark.parametrize(("count", "known"), [(20, -1), (1, 0)])
def test_no_threshold_is_told_of_counts_that_were_not_asked(world: World, count: int, known: int) -> None:
    world.merge(world.collected(0, scores={"1": 1}, count=count))
    assert tops(world) == (known, known)
    (item,) = items(world).values()
    assert ("T3" in item, "T2" in item) == (known >= 0, known >= 0)
