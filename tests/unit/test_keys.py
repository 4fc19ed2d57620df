"""Every key, word for word as docs/data.md and docs/history.md promise it: years of archives are found under them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from spotlake import keys
from spotlake.models import Dataset

SLOT_AT = datetime(2025, 12, 5, 9, 50, 7, tzinfo=UTC)
DAY = date(2025, 12, 5)
SLOT = "2025/12/05/09-50"


@pytest.mark.parametrize(
    ("made", "key"),
    [
        (keys.shard(Dataset.SPS, SLOT_AT, "eastus", 42), f"rawdata/azure/sps/{SLOT}/eastus.42.jsonl.gz"),
        (keys.shard(Dataset.PRICE, SLOT_AT, "eastus", 42), f"rawdata/azure/spot_price/{SLOT}/eastus.42.jsonl.gz"),
        (keys.shard(Dataset.EVICTION, SLOT_AT, "eastus", 1), f"rawdata/azure/spot_if/{SLOT}/eastus.1.jsonl.gz"),
        (keys.shard(Dataset.SPS, SLOT_AT, "eastus", 0), f"rawdata/azure/sps/{SLOT}/eastus.jsonl.gz"),
        (keys.shards_of_slot(Dataset.EVICTION, SLOT_AT), f"rawdata/azure/spot_if/{SLOT}/"),
        (keys.price_histories_of_slot(SLOT_AT), f"rawdata/azure/price_history/{SLOT}/"),
        (keys.price_history(SLOT_AT, "eastus", 42), f"rawdata/azure/price_history/{SLOT}/eastus.42.jsonl.gz"),
        (keys.sizes_file(SLOT_AT, 42), f"rawdata/azure/sizes/{SLOT}.42.csv.gz"),
        (keys.sizes_of_slot(SLOT_AT), f"rawdata/azure/sizes/{SLOT}."),
        (keys.snapshot(SLOT_AT), "rawdata/azure/2025/12/05/09-50-07.csv.gz"),
        (keys.snapshots_of_day(DAY), "rawdata/azure/2025/12/05/"),
        (keys.manifest(SLOT_AT), f"runs/azure/{SLOT}.json"),
        (keys.manifest_day(SLOT_AT), "runs/azure/2025/12/05/"),
        (keys.report_page(SLOT_AT), f"runs/azure/{SLOT}.html"),
        (keys.figures(SLOT_AT), f"runs/azure/{SLOT}_figures.json.gz"),
        (keys.memory_samples(SLOT_AT), f"rawdata/azure/localfile/{SLOT}_memory.csv.gz"),
        (keys.execution(SLOT_AT), f"rawdata/azure/localfile/{SLOT}_execution.json"),
        (keys.doubt(Dataset.PRICE, "eastus"), "state/azure/doubts/spot_price/eastus.json"),
        (keys.attempts_of_slot(SLOT_AT), f"work/azure/{SLOT}/"),
        (keys.attempt_record(SLOT_AT, 42), f"work/azure/{SLOT}/42/record.json.gz"),
        (keys.work(SLOT_AT, 42), f"work/azure/{SLOT}/42/work.json.gz"),
        (keys.attempt_end(SLOT_AT, 42), f"work/azure/{SLOT}/42/end.json.gz"),
        (keys.checkpoint(SLOT_AT, 42, "sps"), f"work/azure/{SLOT}/42/checkpoints/sps.json.gz"),
        (keys.first_form_record(SLOT_AT), f"state/azure/work/{SLOT}/run.json.gz"),
        (keys.merged_state("20251205T0950Z", 7, 42), "state/azure/merged/20251205T0950Z-7-42.gz"),
        (keys.history_run(SLOT_AT), f"history/azure/runs/{SLOT}.parquet"),
        (keys.history_day(DAY), "history/azure/days/day=2025-12-05/changes.parquet"),
        (keys.history_times(DAY), "history/azure/times/day=2025-12-05/times.parquet"),
        (keys.history_state(DAY), "history/azure/states/day=2025-12-05/state.parquet"),
        (keys.history_region(DAY, "eastus"), "history/azure/workloads/month=2025-12/eastus.parquet"),
        (keys.gaps(DAY), "history/azure/gaps/month=2025-12.csv"),
        (keys.history_before("eastus"), "history/azure/before/eastus.parquet"),
        (keys.folder_of_day("runs/azure/", DAY), "runs/azure/2025/12/05/"),
        (keys.PRODUCTION_SPS_METADATA, "rawdata/azure/localfile/sps_metadata.yaml"),
        (
            keys.PRODUCTION_MAPS,
            "sps-collector/azure/saved_variable/availability-zones-true/region_map_and_instance_map.json",
        ),
        (keys.LATEST, "latest_data/latest_azure.json"),
        (keys.LATEST_PACKED, "latest_data/latest_azure.json.gz"),
        (keys.LATEST_TABLE, "latest_data/latest_azure.parquet"),
        (keys.LATEST_SIZES, "latest_data/latest_sizes_azure.csv.gz"),
        (keys.QUERY_SELECTOR, "query-selector/azure/query_selector.json"),
        (keys.ASSOCIATION, "query-selector/associated/association_azure.json"),
        (keys.MERGED_CHAIN, "state/azure/merged_chain.json"),
        (keys.HISTORY_INDEX, "history/azure/index.json"),
    ],
)
def test_a_key_is_what_the_papers_say(made: str, key: str) -> None:
    assert made == key


def test_the_newest_files_are_written_in_an_order() -> None:
    assert keys.NEWEST_FILES == (keys.LATEST_PACKED, keys.LATEST, keys.QUERY_SELECTOR, keys.ASSOCIATION)


def test_slots_may_be_named_in_these_folders() -> None:
    shards = ("rawdata/azure/sps/", "rawdata/azure/spot_price/", "rawdata/azure/spot_if/")
    assert keys.folders_of_slots() == (*shards, "work/azure/", "state/azure/work/", "runs/azure/")


@pytest.mark.parametrize(
    ("folder", "key", "slot_at"),
    [
        ("runs/azure/", f"runs/azure/{SLOT}.json", datetime(2025, 12, 5, 9, 50, tzinfo=UTC)),
        ("work/azure/", f"work/azure/{SLOT}/42/record.json.gz", datetime(2025, 12, 5, 9, 50, tzinfo=UTC)),
        ("rawdata/azure/sps/", f"rawdata/azure/sps/{SLOT}/eastus.1.jsonl.gz", datetime(2025, 12, 5, 9, 50, tzinfo=UTC)),
        ("runs/azure/", f"work/azure/{SLOT}.json", None),
        ("runs/azure/", "runs/azure/2025/12/05/9-5.json", None),
        ("runs/azure/", "runs/azure/2025/13/05/09-50.json", None),
        ("runs/azure/", "runs/azure/", None),
    ],
)
def test_the_slot_in_a_key(folder: str, key: str, slot_at: datetime | None) -> None:
    found = keys.slot_in(folder, key)
    assert (found, found and found.tzinfo) == (slot_at, slot_at and UTC)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("eastus.42.jsonl.gz", ("eastus", 42)),
        ("eastus.jsonl.gz", ("eastus", 0)),
        ("eastus2.0.jsonl.gz", ("eastus2", 0)),
    ],
)
def test_the_region_and_the_attempt_in_a_shards_key(name: str, found: tuple[str, int]) -> None:
    assert keys.region_and_attempt(f"rawdata/azure/sps/{SLOT}/{name}") == found
