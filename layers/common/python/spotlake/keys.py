"""Makes every key of the write bucket, and the keys that are read from production. No other module makes keys.

Keys for readers of the archive name the slot alone. Keys that an attempt writes name slot and attempt, so that no
attempt overwrites another. docs/data.md describes every key.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from spotlake.models import Dataset

# Read from production's bucket, never written.
PRODUCTION_SPS_METADATA = "rawdata/azure/localfile/sps_metadata.yaml"
PRODUCTION_STATE_PREFIX = "sps-collector/azure/saved_variable/availability-zones-true/"
PRODUCTION_MAPS = PRODUCTION_STATE_PREFIX + "region_map_and_instance_map.json"
PRODUCTION_INVALID_REGIONS = PRODUCTION_STATE_PREFIX + "invalid_regions.json"
PRODUCTION_INVALID_INSTANCE_TYPES = PRODUCTION_STATE_PREFIX + "invalid_instance_types.json"

# Written: what readers of the archive know.
MANIFEST_PREFIX = "runs/azure/"
LATEST = "latest_data/latest_azure.json"
LATEST_PACKED = LATEST + ".gz"
LATEST_TABLE = "latest_data/latest_azure.parquet"
LATEST_SIZES = "latest_data/latest_sizes_azure.csv.gz"
QUERY_SELECTOR = "query-selector/azure/query_selector.json"
ASSOCIATION = "query-selector/associated/association_azure.json"
NEWEST_FILES = LATEST_PACKED, LATEST, QUERY_SELECTOR, ASSOCIATION  # in the order of writing

# Written: our own state, versioned by the bucket, each with a schema number inside.
STATE_PREFIX = "state/azure/"
CATALOGUE = STATE_PREFIX + "catalogue.json.gz"
CALL_PLAN = STATE_PREFIX + "call_plan.json.gz"
SWEEP = STATE_PREFIX + "sweep.json.gz"
MERGED_STATES_PREFIX = STATE_PREFIX + "merged/"
MERGED_CHAIN = STATE_PREFIX + "merged_chain.json"
INVALID_NAMES = STATE_PREFIX + "invalid_names.json.gz"
RESTRICTED_PAIRS = STATE_PREFIX + "restricted_pairs.json.gz"
REFUSED_SUBSCRIPTIONS = STATE_PREFIX + "refused_subscriptions.json"
LOCATIONS = STATE_PREFIX + "locations.json.gz"
LOCATION_HEALTH = STATE_PREFIX + "location_health.json.gz"
LAST_GOOD = STATE_PREFIX + "last_good.json.gz"
PRICE_MEMORY = STATE_PREFIX + "price_memory.json.gz"
FULL_RUNS = STATE_PREFIX + "full_runs.json"
HEALTH = STATE_PREFIX + "health.json"
FINDINGS = STATE_PREFIX + "findings.json"
SIZES = STATE_PREFIX + "sizes.json.gz"
PRODUCTION_SEEN = STATE_PREFIX + "production_seen.json"

DOUBTS_PREFIX = STATE_PREFIX + "doubts/"

# Written: what attempts were asked and planned; nothing here is ever overwritten.
WORK_PREFIX = "work/azure/"

# Written: the second witness of prices, as Resource Graph told it, beside the shards.
PRICE_HISTORY_PREFIX = "rawdata/azure/price_history/"

# Written: the change history (docs/history.md). Query engines read ``day=`` and ``month=`` as partitions.
HISTORY_PREFIX = "history/azure/"
HISTORY_INDEX = HISTORY_PREFIX + "index.json"
HISTORY_RUNS_PREFIX = HISTORY_PREFIX + "runs/"
HISTORY_DAYS_PREFIX = HISTORY_PREFIX + "days/"
HISTORY_STATES_PREFIX = HISTORY_PREFIX + "states/"
HISTORY_REGIONS_PREFIX = HISTORY_PREFIX + "workloads/"
GAPS_PREFIX = HISTORY_PREFIX + "gaps/"
BEFORE_PREFIX = HISTORY_PREFIX + "before/"
DATA_PACKAGE = "datapackage.json"
# Written: facts of sizes, a file a day, beside the shards.
SIZES_PREFIX = "rawdata/azure/sizes/"
_SLOT_FORM = "%Y/%m/%d/%H-%M"
_SLOT_LENGTH = len("2025/12/15/10-00")


def _day(slot_at: datetime) -> str:
    return slot_at.strftime("%Y/%m/%d")


def _slot(slot_at: datetime) -> str:
    return slot_at.strftime(_SLOT_FORM)


def shard(dataset: Dataset, slot_at: datetime, region: str, attempt: int) -> str:
    """Shard of one data set, region and attempt. Attempt 0 has the form without a number."""
    name = f"{region}.{attempt}" if attempt else region
    return f"{shards_of_slot(dataset, slot_at)}{name}.jsonl.gz"


def shards_of_slot(dataset: Dataset, slot_at: datetime) -> str:
    """The folder of a slot's shards of one data set, of all regions and attempts."""
    return f"rawdata/azure/{dataset.value}/{_slot(slot_at)}/"


def price_histories_of_slot(slot_at: datetime) -> str:
    """The folder of a slot's price histories."""
    return f"{PRICE_HISTORY_PREFIX}{_slot(slot_at)}/"


def price_history(slot_at: datetime, region: str, attempt: int) -> str:
    """Resource Graph's price history of a region, as read in one attempt."""
    return f"{price_histories_of_slot(slot_at)}{region}.{attempt}.jsonl.gz"


def sizes_file(slot_at: datetime, attempt: int) -> str:
    """Facts of all sizes and regions as they were known after one attempt."""
    return f"{sizes_of_slot(slot_at)}{attempt}.csv.gz"


def sizes_of_slot(slot_at: datetime) -> str:
    """The beginning of the keys of a slot's facts of sizes."""
    return f"{SIZES_PREFIX}{_slot(slot_at)}."


def folders_of_slots() -> tuple[str, ...]:
    """Folders whose keys name slots that may have been merged."""
    shards = tuple(f"rawdata/azure/{dataset.value}/" for dataset in Dataset)
    return (*shards, WORK_PREFIX, f"{STATE_PREFIX}work/", MANIFEST_PREFIX)


def folder_of_day(folder: str, day: date) -> str:
    """The part of a folder of slots that belongs to one day."""
    return f"{folder}{day:%Y/%m/%d}/"


def slot_in(folder: str, key: str) -> datetime | None:
    """The slot that a key of a folder of slots names; None for any other key.

    >>> slot_in("runs/azure/", "runs/azure/2025/12/15/10-00.json").isoformat()
    '2025-12-15T10:00:00+00:00'
    """
    try:
        return datetime.strptime(key.removeprefix(folder)[:_SLOT_LENGTH], _SLOT_FORM).replace(tzinfo=UTC)
    except ValueError:
        return None


def region_and_attempt(shard_key: str) -> tuple[str, int]:
    """The collecting region and the attempt that a shard's key names.

    >>> region_and_attempt("rawdata/azure/sps/2025/12/15/10-00/eastus.42.jsonl.gz")
    ('eastus', 42)
    >>> region_and_attempt("rawdata/azure/sps/2025/12/15/10-00/eastus.jsonl.gz")
    ('eastus', 0)
    """
    region, _, number = shard_key.rpartition("/")[2].removesuffix(".jsonl.gz").partition(".")
    return region, int(number or 0)


def snapshot(slot_at: datetime) -> str:
    """The snapshot of a slot (csv.gz)."""
    return f"rawdata/azure/{_day(slot_at)}/{slot_at.strftime('%H-%M-%S')}.csv.gz"


def snapshots_of_day(day: date) -> str:
    """The folder of a day's snapshots."""
    return f"rawdata/azure/{day:%Y/%m/%d}/"


def manifest(slot_at: datetime) -> str:
    """The manifest of a slot's run, which is written last."""
    return f"{MANIFEST_PREFIX}{_slot(slot_at)}.json"


def manifest_day(slot_at: datetime) -> str:
    """The folder of the manifests of that slot's day."""
    return f"{MANIFEST_PREFIX}{_day(slot_at)}/"


def report_page(slot_at: datetime) -> str:
    """The page of a run."""
    return f"{MANIFEST_PREFIX}{_slot(slot_at)}.html"


def figures(slot_at: datetime) -> str:
    """The figures of a slot's snapshot."""
    return f"{MANIFEST_PREFIX}{_slot(slot_at)}_figures.json.gz"


def memory_samples(slot_at: datetime) -> str:
    """Memory samples of a run: Timestamp, Service, PID, Memory_MB first."""
    return f"rawdata/azure/localfile/{_slot(slot_at)}_memory.csv.gz"


def execution(slot_at: datetime) -> str:
    """Execution statistics of a run."""
    return f"rawdata/azure/localfile/{_slot(slot_at)}_execution.json"


def doubt(dataset: Dataset, region: str) -> str:
    """Key of the listings of a region that were not believed."""
    return f"{DOUBTS_PREFIX}{dataset.value}/{region}.json"


def attempts_of_slot(slot_at: datetime) -> str:
    """The folder of the records and plans of a slot's attempts."""
    return f"{WORK_PREFIX}{_slot(slot_at)}/"


def attempt_record(slot_at: datetime, attempt: int) -> str:
    """The record of an attempt."""
    return f"{attempts_of_slot(slot_at)}{attempt}/record.json.gz"


def work(slot_at: datetime, attempt: int) -> str:
    """The plan of an attempt: the work of all its regions."""
    return f"{attempts_of_slot(slot_at)}{attempt}/work.json.gz"


def attempt_end(slot_at: datetime, attempt: int) -> str:
    """The failures that the state machine caught while an attempt collected."""
    return f"{attempts_of_slot(slot_at)}{attempt}/end.json.gz"


def checkpoint(slot_at: datetime, attempt: int, name: str) -> str:
    """A checkpoint of a full run's job, one object per step."""
    return f"{attempts_of_slot(slot_at)}{attempt}/checkpoints/{name}.json.gz"


def first_form_record(slot_at: datetime) -> str:
    """The record of attempt 0. It was written before attempts had numbers, and is only read."""
    return f"{STATE_PREFIX}work/{_slot(slot_at)}/run.json.gz"


def merged_state(run_id: str, version: int, attempt: int) -> str:
    """The merged state after a run, in one version of the chain, by one writer."""
    return f"{MERGED_STATES_PREFIX}{run_id}-{version}-{attempt}.gz"


def history_run(slot_at: datetime) -> str:
    """The changes of one slot."""
    return f"{HISTORY_RUNS_PREFIX}{_slot(slot_at)}.parquet"


def history_day(day: date) -> str:
    """The changes of a day."""
    return f"{HISTORY_DAYS_PREFIX}day={day:%Y-%m-%d}/changes.parquet"


def history_times(day: date) -> str:
    """The times of values that do not follow from the changes of a day."""
    return f"{HISTORY_PREFIX}times/day={day:%Y-%m-%d}/times.parquet"


def history_state(day: date) -> str:
    """All live workloads before the first slot of a day."""
    return f"{HISTORY_STATES_PREFIX}day={day:%Y-%m-%d}/state.parquet"


def history_region(day: date, region: str) -> str:
    """The changes of a region in the month of that day."""
    return f"{HISTORY_REGIONS_PREFIX}month={day:%Y-%m}/{region}.parquet"


def gaps(day: date) -> str:
    """The slots of that day's month that are missing or lack something."""
    return f"{GAPS_PREFIX}month={day:%Y-%m}.csv"


def history_before(region: str) -> str:
    """Spot prices of a region from before the history of this archive."""
    return f"{BEFORE_PREFIX}{region}.parquet"
