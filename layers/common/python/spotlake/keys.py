"""Every key of the write bucket (and those read from production's), made here and nowhere else.

A run's keys depend on its slot alone, so doing a run twice writes the same keys. Docs: design
section 4 in docs/data.md.
"""

from __future__ import annotations

from datetime import datetime

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
QUERY_SELECTOR = "query-selector/azure/query_selector.json"

# Written: our own state, versioned by the bucket, each with a schema number inside.
STATE_PREFIX = "state/azure/"
CATALOGUE = STATE_PREFIX + "catalogue.json.gz"
CALL_PLAN = STATE_PREFIX + "call_plan.json.gz"
SWEEP = STATE_PREFIX + "sweep.json.gz"
MERGED_STATES_PREFIX = STATE_PREFIX + "merged/"
MERGED_CHAIN = STATE_PREFIX + "merged_chain.json"
INVALID_NAMES = STATE_PREFIX + "invalid_names.json.gz"
RESTRICTED_PAIRS = STATE_PREFIX + "restricted_pairs.json.gz"
LOCATIONS = STATE_PREFIX + "locations.json.gz"
LOCATION_HEALTH = STATE_PREFIX + "location_health.json.gz"


def _day(slot_at: datetime) -> str:
    return slot_at.strftime("%Y/%m/%d")


def _slot(slot_at: datetime) -> str:
    return slot_at.strftime("%Y/%m/%d/%H-%M")


def shard(dataset: Dataset, slot_at: datetime, region: str) -> str:
    """What one collector of one region got."""
    return f"rawdata/azure/{dataset.value}/{_slot(slot_at)}/{region}.jsonl.gz"


def snapshot(slot_at: datetime) -> str:
    """The merged csv.gz of a slot."""
    return f"rawdata/azure/{_day(slot_at)}/{slot_at.strftime('%H-%M-%S')}.csv.gz"


def manifest(slot_at: datetime) -> str:
    """The commit mark of a run: written last, says ``complete``."""
    return f"{MANIFEST_PREFIX}{_slot(slot_at)}.json"


def manifest_day(slot_at: datetime) -> str:
    """The folder of the manifests of that slot's day."""
    return f"{MANIFEST_PREFIX}{_day(slot_at)}/"


def report_page(slot_at: datetime) -> str:
    """The page to look at."""
    return f"{MANIFEST_PREFIX}{_slot(slot_at)}.html"


def memory_samples(slot_at: datetime) -> str:
    """Memory samples of a run: Timestamp, Service, PID, Memory_MB first."""
    return f"rawdata/azure/localfile/{_slot(slot_at)}_memory.csv.gz"


def execution(slot_at: datetime) -> str:
    """Execution statistics of a run."""
    return f"rawdata/azure/localfile/{_slot(slot_at)}_execution.json"


def run_request(slot_at: datetime) -> str:
    """What was asked of a run: the Run, its filters and where its catalogue stood."""
    return f"{STATE_PREFIX}work/{_slot(slot_at)}/run.json.gz"


def merged_state(run_id: str, version: int, fence: int) -> str:
    """The merged state after a run, in one version of the chain, by one writer."""
    return f"{MERGED_STATES_PREFIX}{run_id}-{version}-{fence}.gz"


def work_item(slot_at: datetime, region: str) -> str:
    """What the collectors of one region are to do."""
    return f"{STATE_PREFIX}work/{_slot(slot_at)}/regions/{region}.json.gz"


def checkpoint(slot_at: datetime, name: str) -> str:
    """What the full run's job has done so far, one object a step."""
    return f"{STATE_PREFIX}work/{_slot(slot_at)}/checkpoints/{name}.json.gz"
