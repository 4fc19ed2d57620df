"""What the full run's job keeps of its calls, so that a second start does not ask again."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from spotlake.errors import ReclaimedError, StoreError
from spotlake.models import Mode, Run
from spotlake.scores.accounts import AnsweredCall
from spotlake.shard_rows import ScoreRow
from spotlake.state.checkpoints import Checkpoint, read_job_record, write_job_record
from spotlake.stores.objects import MemoryObjects
from tests.support.errors import says

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
RUN = Run(run_id="20261123T1000Z", attempt=2, mode=Mode.FULL, desired_counts=(1,), started_at=AT, owner="me")
ROW_JSON: dict[str, Any] = {
    "run_id": "20261123T1000Z", "source": "simulated", "observed_at": "2026-11-23T10:00:05Z", "region": "eastus",
    "instance_type": "Standard_A1", "desired_count": 5, "zone": "2", "logical_zone": "1", "physical_zone": "eastus-az2",
    "score": 3, "score_text": "High", "is_quota_available": True,
    "location": "westus", "subscription": "ab12", "call_id": "c0001",
    "placement_preference": 7,
}  # fmt: skip
ANSWER = AnsweredCall(call_id="c0001", rows=(ScoreRow(**ROW_JSON),), invalid=("Standard_X",))


def checkpoint(objects: MemoryObjects, *, stopping: bool = False, region: str = "eastus") -> Checkpoint:
    return Checkpoint.load(objects, RUN, region, lambda: stopping)


def call_key() -> str:
    objects = MemoryObjects("archive", {})
    checkpoint(objects).note(ANSWER)
    (key,) = objects.objects
    return key


def test_an_answered_call_is_kept_and_known_to_the_next_start_of_the_same_region() -> None:
    objects = MemoryObjects("archive", {})
    first = checkpoint(objects)
    assert (first.already, first.run, first.region, first.objects) == ({}, RUN, "eastus", objects)
    first.note(ANSWER)
    (key,) = objects.objects
    assert key.endswith("scores/eastus/c0001.json.gz")
    assert orjson.loads(gzip.decompress(objects.objects[key])) == {
        "schema": 1, "call_id": "c0001", "rows": [ROW_JSON], "invalid": ["Standard_X"],
    }  # fmt: skip
    assert checkpoint(objects).already == {"c0001": ANSWER}
    assert checkpoint(objects, region="eastus2").already == {}


def test_a_machine_that_is_taken_away_keeps_the_call_and_then_ends() -> None:
    objects = MemoryObjects("archive", {})
    with says(ReclaimedError, "eastus: the machine is taken away after call c0001"):
        checkpoint(objects, stopping=True).note(ANSWER)
    again = checkpoint(objects, stopping=True)
    assert again.already == {"c0001": ANSWER}
    assert again.stopping()


def test_the_job_s_record_is_replaced_and_checked() -> None:
    objects = MemoryObjects("archive", {})
    assert read_job_record(objects, RUN) is None
    for attempts in (1, 2):
        write_job_record(
            objects, RUN, {"attempts": attempts, "seconds": 1.5, "instance_type": None, "collectors": [], "memory": []}
        )
    found = read_job_record(objects, RUN)
    assert found is not None
    assert found["attempts"] == 2
    (key,) = objects.objects
    assert key.endswith("job.json.gz")
    assert orjson.loads(gzip.decompress(objects.objects[key]))["schema"] == 1
    objects.objects[key] = gzip.compress(b'{"schema": 1, "attempts": "x"}')
    with pytest.raises(StoreError, match="job"):
        read_job_record(objects, RUN)


def test_a_call_that_expires_while_the_job_starts_is_asked_again() -> None:
    class Expiring(MemoryObjects):
        def get(self, key: str) -> None:
            return None

    objects = Expiring("archive", {})
    checkpoint(objects).note(ANSWER)
    assert checkpoint(objects).already == {}
