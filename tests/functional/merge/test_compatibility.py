"""What SpotLake's readers rely on, and the faults of the merge before this one: each has a test by its number."""

from __future__ import annotations

import ast
import csv
import gzip
import io
import json
import re
from pathlib import Path
from typing import Any, NoReturn

import pytest

import spotlake
from spotlake import keys
from spotlake.errors import StoreError
from spotlake.models import DESIRED_COUNTS, CollectorReport, Dataset
from spotlake.shards import ShardHeader, encode_shard
from spotlake.stores.objects import MemoryObjects
from spotlake.stores.workloads import MemoryWorkloads
from tests.functional.merge.conftest import REGION, SIZE, World

NAMES = (
    "InstanceTier", "InstanceType", "Region", "OndemandPrice", "SpotPrice", "Savings", "IF", "DesiredCount",
    "AvailabilityZone", "Score", "Time", "T2", "T3",
)  # fmt: skip
COUNTS = {0, *DESIRED_COUNTS}
BAD_SIZE = 'Standard_Odd"name,v1'


def _number(text: str) -> float:
    assert re.fullmatch(r"-?\d+(\.\d+)?(e-\d+)?", text), text
    return float(text)


def _is_price(text: str) -> bool:
    return text == "-1" or _number(text) > 0


SCHEMA: dict[str, Any] = {
    "InstanceTier": {"Standard", "Basic"}.__contains__,
    "InstanceType": bool,
    "Region": bool,
    "OndemandPrice": _is_price,
    "SpotPrice": _is_price,
    "Savings": lambda text: _number(text) <= 100,
    "IF": {"-1", "3.0", "2.5", "2.0", "1.5", "1.0"}.__contains__,
    "DesiredCount": lambda text: int(text) in {-1, *DESIRED_COUNTS},
    "AvailabilityZone": {"1", "2", "3", "Single", "N/A"}.__contains__,
    "Score": {"-1", "3", "2", "1"}.__contains__,
    "Time": re.compile(r"\d{4}-\d\d-\d\d \d\d:\d0:00").fullmatch,
    "T2": lambda text: int(text) in {-1, *COUNTS},
    "T3": lambda text: int(text) in {-1, *COUNTS},
}


def snapshot(world: World, number: int) -> list[dict[str, str]]:
    stored = world.objects.get(keys.snapshot(world.run(number).slot_at))
    assert stored is not None
    return list(csv.DictReader(io.StringIO(gzip.decompress(stored.body).decode("utf-8"), newline="")))


def latest_text(world: World) -> str:
    stored = world.objects.get(keys.LATEST)
    assert stored is not None
    return gzip.decompress(stored.body).decode("utf-8")


def latest(world: World) -> list[dict[str, Any]]:
    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is no JSON")

    rows: list[dict[str, Any]] = json.loads(latest_text(world), parse_constant=refuse)
    return rows


def items(world: World) -> dict[tuple[str, str], dict[str, Any]]:
    assert isinstance(world.workloads, MemoryWorkloads)
    return world.workloads.items


@pytest.fixture
def archive(world: World) -> World:
    """Three runs with everything that can be unknown."""
    world.merge(world.collected(0, ondemand=0.05, scores={"1": 3, "2": None, "Single": 1}))
    world.merge(world.collected(1, spot=None, band="25-30", scores={"3": 2}, count=50, sizes=[BAD_SIZE]))
    world.merge(world.collected(2, spot=0.07, ondemand=0.05, band=None, sizes=["Basic_A1", SIZE]))
    return world


def test_the_csv_has_the_columns_in_order_and_every_value_in_its_form(archive: World) -> None:
    for number in range(3):
        rows = snapshot(archive, number)
        assert tuple(rows[0])[:13] == NAMES
        for row in rows:
            assert None not in row.values()
            assert not [(name, row[name]) for name, holds in SCHEMA.items() if not holds(row[name])], row
    assert {row["InstanceType"] for row in snapshot(archive, 2)} == {"D2s_v5", "A1", 'Odd"name,v1'}


def test_latest_has_the_same_columns_numbers_as_numbers_and_ids_from_1(archive: World) -> None:
    rows = latest(archive)
    assert [row["id"] for row in rows] == list(range(1, len(rows) + 1))
    text = {"InstanceTier", "InstanceType", "Region", "AvailabilityZone", "Time"}
    for row in rows:
        assert tuple(row) == ("id", *NAMES)
        assert {name for name, value in row.items() if isinstance(value, str)} == text
        assert row["DesiredCount"] == 1
        assert not [name for name, holds in SCHEMA.items() if name != "IF" and not holds(str(row[name]))], row
        assert row["IF"] in {-1, 3.0, 2.5, 2.0, 1.5, 1.0}
    assert ": " not in latest_text(archive).replace('"Time":"', "")  # it is downloaded whole: no blanks


def test_latest_is_compressed_on_the_wire_and_the_selector_is_distinct(archive: World) -> None:
    stored = archive.objects.get(keys.QUERY_SELECTOR)
    assert stored is not None
    chosen = json.loads(gzip.decompress(stored.body))
    assert all(list(one) == ["InstanceTier", "InstanceType", "Region"] for one in chosen)
    assert len({json.dumps(one) for one in chosen}) == len(chosen) == 3


def test_fault_22_t3_is_not_simply_the_last_count_asked(world: World) -> None:
    for number, count in enumerate((1, 5, 10)):
        world.merge(world.collected(number, scores={"1": 3}, count=count))
    world.merge(world.collected(3, scores={"1": 1}, count=15))
    assert [(row["T3"], row["T2"]) for row in latest(world)] == [(10, 10)]


def test_fault_23_a_score_falls_at_an_equal_count_and_unknown_lowers_nothing(world: World) -> None:
    for number, score in enumerate((3, 1)):
        world.merge(world.collected(number, scores={"1": score}))
    assert [(row["Score"], row["T3"]) for row in latest(world)] == [(1, 0)]
    world.merge(world.collected(2, scores={"1": 3}))
    world.merge(world.collected(3, scores={"1": None}))
    assert [(row["Score"], row["T3"]) for row in latest(world)] == [(3, 1)]


def test_fault_24_one_size_in_two_tiers_is_two_rows_for_ever(world: World) -> None:
    for number in range(4):
        world.merge(world.collected(number, scores={"1": 3}, sizes=["Standard_A1", "Basic_A1"]))
        assert len(latest(world)) == len(snapshot(world, number)) == 2


def test_fault_25_the_time_changes_no_row_and_another_count_does_not_make_another_row(world: World) -> None:
    world.merge(world.collected(0, scores={"1": 3}))
    assert world.merge(world.collected(1, scores={"1": 3})).manifest["changed_rows"] == 0
    world.merge(world.collected(2, scores={"1": 3}, count=50))
    assert len(items(world)) == 1


def test_fault_26_the_first_run_writes_items_selector_and_counts(world: World) -> None:
    manifest = world.merge(world.collected(0, scores={"1": 3})).manifest
    assert manifest["written_items"] == len(items(world)) == 1
    assert world.objects.get(keys.QUERY_SELECTOR) is not None
    assert manifest["rows"] == {"sps": 1, "price": 1, "eviction": 1, "merged": 1}


def test_fault_26_a_state_that_cannot_be_read_is_no_first_run(world: World) -> None:
    world.merge(world.collected(0, scores={"1": 3}))
    before = latest_text(world)
    world.objects.put(keys.MERGED_CHAIN, b'{"schema": 1, "version"')
    with pytest.raises(StoreError, match=re.escape(keys.MERGED_CHAIN)):
        world.merge(world.collected(1, scores={"1": 1}))
    assert latest_text(world) == before


@pytest.mark.parametrize("missing", ["spot", "band", "scores"])
def test_fault_27_what_is_missing_keeps_what_was_known(world: World, missing: str) -> None:
    world.merge(world.collected(0, ondemand=0.05, scores={"1": 3, "2": 2}, sizes=[SIZE, "Standard_E2s_v5"]))
    before = [{name: value for name, value in row.items() if name != "Time"} for row in latest(world)]
    parts: dict[str, Any] = {"spot": 0.01, "ondemand": 0.05, "band": "0-5", "scores": {"1": 3, "2": 2}, missing: None}
    manifest = world.merge(world.collected(1, **parts)).manifest  # of one of the two sizes besides
    assert [{name: value for name, value in row.items() if name != "Time"} for row in latest(world)] == before
    (stale,) = manifest["stale"]
    assert (manifest["status"], stale["region"], stale["cause"]) == ("partial", REGION, "missing")


@pytest.mark.parametrize("part", ["csv.gz", "latest_azure", "query_selector", "runs/azure", "merged_chain", "merged/"])
def test_fault_28_an_upload_that_fails_fails_the_merge_by_name(part: str) -> None:
    class Refusing(MemoryObjects):
        def put(self, key: str, body: bytes, **options: Any) -> str:
            if part in key:
                raise StoreError(f"cannot write s3://memory/{key}: AccessDenied")
            return super().put(key, body, **options)

    world = World(objects=Refusing())
    run = world.collected(0, scores={"1": 3})
    with pytest.raises(StoreError, match=part):
        world.merge(run)
    assert world.objects.get(keys.manifest(run.slot_at)) is None


def test_fault_29_the_same_run_gives_the_same_bytes() -> None:
    bodies = set()
    for _ in range(3):
        world = World()
        run = world.collected(0, scores={"1": 3, "2": 2})
        world.merge(run)
        bodies.add((world.objects.get(keys.snapshot(run.slot_at)), latest_text(world)))
    assert len(bodies) == 1


def test_fault_30_counts_are_those_of_known_values(world: World) -> None:
    run = world.collected(0, band="25-30", scores={"1": 3, "2": None, "3": 1})
    assert world.merge(run).manifest["rows"] == {"sps": 2, "price": 1, "eviction": 0, "merged": 3}


def test_fault_31_nothing_unknown_becomes_nan(archive: World) -> None:
    assert latest(archive)  # json's own constants are refused there
    assert not re.search(r"nan|inf|null", latest_text(archive), re.IGNORECASE)
    for number in range(3):
        assert not [row for row in snapshot(archive, number) if {"nan", "", "inf"} & set(map(str.lower, row.values()))]


def test_fault_32_a_late_run_replaces_nothing_newer_and_who_left_is_marked(world: World) -> None:
    early = world.collected(0, spot=0.01, scores={"1": 1})
    world.merge(world.collected(1, spot=0.02, scores={"1": 3}))
    newer = latest_text(world)
    world.merge(early)
    assert latest_text(world) == newer
    assert [row["SpotPrice"] for row in snapshot(world, 0)] == ["0.01"]
    world.merge(world.collected(300, sizes=["Standard_E2s_v5"]), retire_after_days=1)
    assert {"RetiredAt", "ExpiresAt"} <= set(items(world)[SIZE, f"{REGION}#1"])


def test_fault_33_no_state_is_code() -> None:
    folder = Path(spotlake.__file__).parent
    imported = {
        name.name.partition(".")[0]
        for file in folder.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (node.names if isinstance(node, ast.Import) else [ast.alias(node.module or "")])
    }
    assert not imported & {"pickle", "marshal", "shelve", "dill", "joblib"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"run_id": "20251215T0950Z"}, "other_run"),
        ({"region": "eastus"}, "other_region"),
        ({"dataset": Dataset.SPS}, "other_dataset"),
    ],
    ids=["another_run", "another_region", "another_data_set"],
)
def test_a_shard_of_something_else_is_refused_by_name_and_costs_only_itself(
    world: World, changes: dict[str, Any], reason: str
) -> None:
    run = world.collected(0, scores={"1": 3})
    key = keys.shard(Dataset.PRICE, run.slot_at, REGION)
    fields: dict[str, Any] = {"dataset": Dataset.PRICE, "run_id": run.run_id, "region": REGION, **changes}
    report = CollectorReport(dataset=fields["dataset"], region=fields["region"], status="complete", rows=1)
    header = ShardHeader(source="simulated", collected_at="2025-12-15T10:00:00Z", report=report, **fields)
    body = encode_shard(header, [world.price(SIZE, 0.5)])
    world.objects.put(key, body)
    manifest = world.merge(run).manifest
    assert manifest["refused_shards"] == [{"key": key, "dataset": "spot_price", "region": REGION, "reason": reason}]
    assert [(row["SpotPrice"], row["Score"], row["IF"]) for row in latest(world)] == [(-1, 3, 3.0)]
