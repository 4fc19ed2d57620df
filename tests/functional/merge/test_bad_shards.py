"""Shards that cannot be merged: each kind is refused by name, told in the manifest, and costs only itself."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any, cast

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlake import keys
from spotlake.models import Dataset, Run
from spotlake.shards import encode_shard, open_shard
from tests.functional.merge.conftest import NAME, REGION, SIZE, World, items, latest

OTHER = "eastus"
SHORT = {Dataset.SPS: "sps", Dataset.PRICE: "price", Dataset.EVICTION: "eviction"}


def parts(body: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """A shard's header and its lines."""
    first, *lines = gzip.decompress(body).splitlines()
    return orjson.loads(first), lines


def packed(head: Any, lines: list[bytes]) -> bytes:
    return gzip.compress(b"".join(line + b"\n" for line in (orjson.dumps(head), *lines)), mtime=0)


def headed(**changes: Any) -> Callable[[bytes], bytes]:
    """The shard with other fields in its header."""

    def change(body: bytes) -> bytes:
        head, lines = parts(body)
        return packed({**head, **changes}, lines)

    return change


def reported(**changes: Any) -> Callable[[bytes], bytes]:
    """The shard with other fields in its collector's report."""

    def change(body: bytes) -> bytes:
        head, lines = parts(body)
        return packed({**head, "report": {**head["report"], **changes}}, lines)

    return change


def rowed(change_row: Callable[[dict[str, Any]], list[Any]]) -> Callable[[bytes], bytes]:
    """The shard with its first row replaced by others; the header counts them rightly."""

    def change(body: bytes) -> bytes:
        head, lines = parts(body)
        rows = [orjson.dumps(one) for one in change_row(orjson.loads(lines[0]))] + lines[1:]
        return packed({**head, "report": {**head["report"], "rows": len(rows)}}, rows)

    return change


def lined(line: bytes) -> Callable[[bytes], bytes]:
    """The shard with its first row replaced by a text."""
    return lambda body: packed(parts(body)[0], [line, *parts(body)[1][1:]])


def flipped(body: bytes) -> bytes:
    """The shard with one bit of gzip's checksum changed."""
    return body[:-6] + bytes([body[-6] ^ 1]) + body[-5:]


# name -> (what is done to a good shard, the reason given)
KINDS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "not_gzip"),
    "not gzip": (gzip.decompress, "not_gzip"),
    "truncated": (lambda body: body[: len(body) // 2], "truncated"),
    "without its end": (lambda body: body[:-1], "truncated"),
    "a bomb": (lambda body: gzip.compress(gzip.decompress(body) + b"\n" * (65 << 20), mtime=0), "too_large"),
    "a bit flipped": (flipped, "truncated"),
    "a page": (lambda _: gzip.compress(b"<html>\n", mtime=0), "not_json"),
    "no header": (lambda body: packed({}, parts(body)[1]), "wrong_schema"),
    "schema of tomorrow": (headed(schema=3), "wrong_schema"),
    "other attempt": (headed(attempt=9), "other_attempt"),
    "of no attempt": (headed(schema=1), "other_attempt"),
    "other run": (headed(run_id="20251215T1000Z"), "other_run"),
    "other data set": (headed(dataset="spot"), "not_json"),
    "other region": (headed(region=OTHER), "other_region"),
    "report of another region": (reported(region=OTHER), "other_region"),
    "report is no report": (headed(report=[]), "not_json"),
    "report without counts": (reported(counts=None), "not_json"),
    "report counts words": (reported(counts={"calls_sent": "many"}), "not_json"),
    "fewer rows than said": (reported(rows=9), "row_count"),
    "rows are not JSON": (lined(b"{nonsense"), "not_json"),
    "rows are not UTF-8": (lined(b'{"region": "\xff"}'), "not_json"),
    "rows are lists": (rowed(lambda _: [[1]]), "bad_row"),
    "duplicated": (rowed(lambda row: [row, row]), "duplicate_row"),
    "row of another region": (rowed(lambda row: [{**row, "region": "westus"}]), "other_region"),
    "row without a size": (rowed(lambda row: [{**row, "instance_type": None}]), "bad_row"),
    "size without a tier": (rowed(lambda row: [{**row, "instance_type": "D2s"}]), "bad_row"),
}


def two_regions(world: World, number: int, **values: Any) -> Run:
    """A run of two regions; the other one's shards say the same of itself."""
    run = world.collected(number, regions=[REGION, OTHER], **values)
    for dataset in Dataset:
        stored = world.objects.get(keys.shard(dataset, run.slot_at, REGION, run.attempt))
        assert stored is not None
        body = gzip.decompress(stored.body).replace(REGION.encode(), OTHER.encode()).replace(NAME.encode(), b"US East")
        world.objects.put(keys.shard(dataset, run.slot_at, OTHER, run.attempt), gzip.compress(body, mtime=0))
    return run


BEFORE: dict[str, Any] = {"spot": 0.01, "band": "0-5", "scores": {"1": 3}}
AFTER: dict[str, Any] = {"spot": 0.02, "band": "20+", "scores": {"1": 1}}
COLUMN = {Dataset.PRICE: "SpotPrice", Dataset.EVICTION: "IF", Dataset.SPS: "Score"}
OLD, NEW = {"SpotPrice": 0.01, "IF": 3.0, "Score": 3}, {"SpotPrice": 0.02, "IF": 1.0, "Score": 1}


@pytest.mark.parametrize("dataset", Dataset)
@pytest.mark.parametrize("kind", [*KINDS, "missing"])
def test_a_bad_shard_is_refused_by_name_and_costs_only_itself(world: World, kind: str, dataset: Dataset) -> None:
    world.merge(two_regions(world, 0, **BEFORE))
    run = two_regions(world, 1, **AFTER)
    key = keys.shard(dataset, run.slot_at, REGION, run.attempt)
    stored = world.objects.get(key)
    assert stored is not None
    if kind == "missing":
        reason = kind
        world.objects.delete(key)
    else:
        spoil, reason = KINDS[kind]
        world.objects.put(key, spoil(stored.body))

    manifest = world.merge(run)

    named = {"dataset": dataset.value, "region": REGION}
    assert manifest["refused_shards"] == [{"key": key, **named, "reason": reason}]
    assert [{name: one[name] for name in named} for one in manifest["stale"]] == [named]
    assert (manifest["complete"], manifest["status"], manifest["stale_regions"]) == (True, "partial", 1)
    # Each region is asked by a call of its own: one region of two has its answer.
    assert manifest["coverage"] == {**dict.fromkeys(SHORT.values(), 100.0), SHORT[dataset]: 50.0}
    rows = {row["Region"]: {name: row[name] for name in NEW} for row in latest(world)}
    column = COLUMN[dataset]
    assert rows == {NAME: {**NEW, column: OLD[column]}, "US East": NEW}


def test_the_same_shards_undamaged_are_merged(world: World) -> None:
    world.merge(two_regions(world, 0, **BEFORE))
    manifest = world.merge(two_regions(world, 1, **AFTER))
    assert (manifest["refused_shards"], manifest["status"]) == ([], "complete")
    assert [{name: row[name] for name in NEW} for row in latest(world)] == [NEW, NEW]


@pytest.mark.parametrize(
    ("dataset", "row"),
    [
        (Dataset.PRICE, {"spot_price_usd_per_hour": "0.1"}),
        (Dataset.PRICE, {"spot_price_usd_per_hour": -1}),
        (Dataset.EVICTION, {"interruption_frequency": -1}),
        (Dataset.EVICTION, {"interruption_frequency": 2.2}),
        (Dataset.EVICTION, {"interruption_frequency": "0-5"}),
        (Dataset.SPS, {"score": -1}),
        (Dataset.SPS, {"score": 4}),
        (Dataset.SPS, {"score": "High"}),
        (Dataset.SPS, {"zone": 4}),
        (Dataset.SPS, {"desired_count": 2}),
    ],
    ids=lambda value: value.value if isinstance(value, Dataset) else "-".join(f"{k}={v}" for k, v in value.items()),
)
def test_a_value_that_cannot_be_refuses_its_shard(world: World, dataset: Dataset, row: dict[str, Any]) -> None:
    run = two_regions(world, 0, **BEFORE)
    key = keys.shard(dataset, run.slot_at, REGION, run.attempt)
    stored = world.objects.get(key)
    assert stored is not None
    world.objects.put(key, rowed(lambda good: [good | row])(stored.body))
    assert [(one["key"], one["reason"]) for one in world.merge(run)["refused_shards"]] == [(key, "bad_row")]


def test_a_row_of_an_unknown_zone_costs_only_itself(world: World) -> None:
    manifest = world.merge(world.collected(0, scores={"1": 3, "4": 2, "az-5": 1}))
    assert (manifest["refused_shards"], manifest["unknown_zone_rows"]) == ([], 2)
    assert [(row["AvailabilityZone"], row["Score"]) for row in latest(world)] == [("1", 3)]


def test_a_size_spelt_twice_is_a_duplicate(world: World) -> None:
    run = world.collected(0, scores={"1": 3})
    world.shard(run, Dataset.PRICE, [world.price(size, 0.01) for size in (SIZE, SIZE.lower())])
    assert [one["reason"] for one in world.merge(run)["refused_shards"]] == ["duplicate_row"]


def test_of_two_shards_that_answer_for_one_workload_the_lower_score_wins(world: World) -> None:
    run = two_regions(world, 0, **BEFORE)
    key = keys.shard(Dataset.SPS, run.slot_at, OTHER, run.attempt)
    stored = world.objects.get(key)
    assert stored is not None
    rows = [world.score(SIZE, "1", 1, 1)]
    shard = open_shard(stored.body, key=key, dataset=Dataset.SPS, run_id=run.run_id, region=OTHER, attempt=run.attempt)
    world.objects.put(key, encode_shard(shard.header, cast("Any", rows)))
    world.merge(run)
    assert items(world)[SIZE, f"{REGION}#1"]["Scores"]["1"]["s"] == 1


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**70) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@settings(deadline=None, max_examples=120)
@given(data=st.data(), dataset=st.sampled_from(Dataset), value=anything)
def test_whatever_stands_in_a_shard_the_merge_ends(data: st.DataObject, dataset: Dataset, value: Any) -> None:
    world = World()
    run = two_regions(world, 0, **BEFORE)
    key = keys.shard(dataset, run.slot_at, REGION, run.attempt)
    stored = world.objects.get(key)
    assert stored is not None
    head, lines = parts(stored.body)
    row = orjson.loads(lines[0])
    place = data.draw(st.sampled_from([head, head["report"], row]))
    place[data.draw(st.sampled_from(sorted(place)))] = value
    text = b"".join(_dumped(one) + b"\n" for one in (head, row))
    world.objects.put(key, gzip.compress(text, mtime=0))
    manifest = world.merge(run)
    assert manifest["complete"] is True
    assert {one["key"] for one in manifest["refused_shards"]} <= {key}


def _dumped(value: Any) -> bytes:
    """JSON, also of whole numbers beyond 64 bits."""
    import json

    return json.dumps(value).encode()


def test_an_empty_score_shard_of_a_part_stops_no_merge(world: World) -> None:
    run = world.collected(0, scores={}, instance_types=("Standard_D2*",), filtered=True)
    manifest = world.merge(run)
    assert (manifest["refused_shards"], manifest["rows"]["price"]) == ([], 1)
