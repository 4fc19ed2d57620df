"""Every key, word for word as docs/data.md and docs/history.md promise it: years of archives are found under them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from spotlake import keys
from spotlake.models import Dataset

SLOT_AT = datetime(2025, 12, 5, 9, 50, 7, tzinfo=UTC)
DAY = date(2025, 12, 5)
SLOT = "2025/12/05/09-50"


@pytest.mark.parametrize(
    ("name", "given", "key"),
    [
        ("shard", (Dataset.SPS, SLOT_AT, "eastus", 42), f"rawdata/azure/sps/{SLOT}/eastus.42.jsonl.gz"),
        ("shard", (Dataset.PRICE, SLOT_AT, "eastus", 42), f"rawdata/azure/spot_price/{SLOT}/eastus.42.jsonl.gz"),
        ("shard", (Dataset.EVICTION, SLOT_AT, "eastus", 1), f"rawdata/azure/spot_if/{SLOT}/eastus.1.jsonl.gz"),
        ("shard", (Dataset.SPS, SLOT_AT, "eastus", 0), f"rawdata/azure/sps/{SLOT}/eastus.jsonl.gz"),
        ("shards_of_slot", (Dataset.EVICTION, SLOT_AT), f"rawdata/azure/spot_if/{SLOT}/"),
        ("price_histories_of_slot", (SLOT_AT,), f"rawdata/azure/price_history/{SLOT}/"),
        ("price_history", (SLOT_AT, "eastus", 42), f"rawdata/azure/price_history/{SLOT}/eastus.42.jsonl.gz"),
        ("sizes_file", (SLOT_AT, 42), f"rawdata/azure/sizes/{SLOT}.42.csv.gz"),
        ("sizes_of_slot", (SLOT_AT,), f"rawdata/azure/sizes/{SLOT}."),
        ("snapshot", (SLOT_AT,), "rawdata/azure/2025/12/05/09-50-07.csv.gz"),
        ("snapshots_of_day", (DAY,), "rawdata/azure/2025/12/05/"),
        ("manifest", (SLOT_AT,), f"runs/azure/{SLOT}.json"),
        ("manifest_day", (SLOT_AT,), "runs/azure/2025/12/05/"),
        ("report_page", (SLOT_AT,), f"runs/azure/{SLOT}.html"),
        ("figures", (SLOT_AT,), f"runs/azure/{SLOT}_figures.json.gz"),
        ("memory_samples", (SLOT_AT,), f"rawdata/azure/localfile/{SLOT}_memory.csv.gz"),
        ("execution", (SLOT_AT,), f"rawdata/azure/localfile/{SLOT}_execution.json"),
        ("doubt", (Dataset.PRICE, "eastus"), "state/azure/doubts/spot_price/eastus.json"),
        ("attempts_of_slot", (SLOT_AT,), f"work/azure/{SLOT}/"),
        ("attempt_record", (SLOT_AT, 42), f"work/azure/{SLOT}/42/record.json.gz"),
        ("work", (SLOT_AT, 42), f"work/azure/{SLOT}/42/work.json.gz"),
        ("attempt_end", (SLOT_AT, 42), f"work/azure/{SLOT}/42/end.json.gz"),
        ("checkpoint", (SLOT_AT, 42, "sps"), f"work/azure/{SLOT}/42/checkpoints/sps.json.gz"),
        ("first_form_record", (SLOT_AT,), f"state/azure/work/{SLOT}/run.json.gz"),
        ("merged_state", ("20251205T0950Z", 7, 42), "state/azure/merged/20251205T0950Z-7-42.gz"),
        ("history_run", (SLOT_AT,), f"history/azure/runs/{SLOT}.parquet"),
        ("history_day", (DAY,), "history/azure/days/day=2025-12-05/changes.parquet"),
        ("history_times", (DAY,), "history/azure/times/day=2025-12-05/times.parquet"),
        ("history_state", (DAY,), "history/azure/states/day=2025-12-05/state.parquet"),
        ("history_region", (DAY, "eastus"), "history/azure/workloads/month=2025-12/eastus.parquet"),
        ("gaps", (DAY,), "history/azure/gaps/month=2025-12.csv"),
        ("history_before", ("eastus",), "history/azure/before/eastus.parquet"),
        ("folder_of_day", ("runs/azure/", DAY), "runs/azure/2025/12/05/"),
    ],
)
def test_a_key_is_what_the_papers_say(name: str, given: tuple[Any, ...], key: str) -> None:
    assert getattr(keys, name)(*given) == key


PRODUCTION_STATE = "sps-collector/azure/saved_variable/availability-zones-true"


def test_documents_keep_their_names_for_years() -> None:
    assert {
        name: value for name, value in vars(keys).items() if name.isupper() and name[0] != "_" and name != "UTC"
    } == {
        "PRODUCTION_SPS_METADATA": "rawdata/azure/localfile/sps_metadata.yaml",
        "PRODUCTION_STATE_PREFIX": f"{PRODUCTION_STATE}/",
        "PRODUCTION_MAPS": f"{PRODUCTION_STATE}/region_map_and_instance_map.json",
        "PRODUCTION_INVALID_REGIONS": f"{PRODUCTION_STATE}/invalid_regions.json",
        "PRODUCTION_INVALID_INSTANCE_TYPES": f"{PRODUCTION_STATE}/invalid_instance_types.json",
        "MANIFEST_PREFIX": "runs/azure/",
        "LATEST": "latest_data/latest_azure.json",
        "LATEST_PACKED": "latest_data/latest_azure.json.gz",
        "LATEST_TABLE": "latest_data/latest_azure.parquet",
        "LATEST_SIZES": "latest_data/latest_sizes_azure.csv.gz",
        "QUERY_SELECTOR": "query-selector/azure/query_selector.json",
        "ASSOCIATION": "query-selector/associated/association_azure.json",
        "NEWEST_FILES": (
            "latest_data/latest_azure.json.gz",
            "latest_data/latest_azure.json",
            "query-selector/azure/query_selector.json",
            "query-selector/associated/association_azure.json",
        ),
        "STATE_PREFIX": "state/azure/",
        "CATALOGUE": "state/azure/catalogue.json.gz",
        "CALL_PLAN": "state/azure/call_plan.json.gz",
        "SWEEP": "state/azure/sweep.json.gz",
        "MERGED_STATES_PREFIX": "state/azure/merged/",
        "MERGED_CHAIN": "state/azure/merged_chain.json",
        "INVALID_NAMES": "state/azure/invalid_names.json.gz",
        "RESTRICTED_PAIRS": "state/azure/restricted_pairs.json.gz",
        "REFUSED_SUBSCRIPTIONS": "state/azure/refused_subscriptions.json",
        "LOCATIONS": "state/azure/locations.json.gz",
        "LOCATION_HEALTH": "state/azure/location_health.json.gz",
        "LAST_GOOD": "state/azure/last_good.json.gz",
        "PRICE_MEMORY": "state/azure/price_memory.json.gz",
        "FULL_RUNS": "state/azure/full_runs.json",
        "HEALTH": "state/azure/health.json",
        "FINDINGS": "state/azure/findings.json",
        "SIZES": "state/azure/sizes.json.gz",
        "PRODUCTION_SEEN": "state/azure/production_seen.json",
        "DOUBTS_PREFIX": "state/azure/doubts/",
        "WORK_PREFIX": "work/azure/",
        "PRICE_HISTORY_PREFIX": "rawdata/azure/price_history/",
        "HISTORY_PREFIX": "history/azure/",
        "HISTORY_INDEX": "history/azure/index.json",
        "HISTORY_RUNS_PREFIX": "history/azure/runs/",
        "HISTORY_DAYS_PREFIX": "history/azure/days/",
        "HISTORY_STATES_PREFIX": "history/azure/states/",
        "HISTORY_REGIONS_PREFIX": "history/azure/workloads/",
        "GAPS_PREFIX": "history/azure/gaps/",
        "BEFORE_PREFIX": "history/azure/before/",
        "DATA_PACKAGE": "datapackage.json",
        "SIZES_PREFIX": "rawdata/azure/sizes/",
    }


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
