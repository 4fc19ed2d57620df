"""Checkpoints of the full run's job, one per answered placement-score call, and the job's record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

from spotlake import keys
from spotlake.checked import checked
from spotlake.errors import ReclaimedError
from spotlake.models import Run
from spotlake.run_files import JobRecord
from spotlake.scores.accounts import AnsweredCall
from spotlake.stores.documents import read_json, write_json
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects

SCHEMA = 1


@dataclass(frozen=True)
class Checkpoint:
    """Answered calls of one region, one object each. A start that is killed loses only calls that are under way.

    Attributes:
        objects: The write bucket.
        run: The attempt.
        region: Region whose collector sends the calls.
        stopping: Whether the machine is being taken away.
        already: Calls that earlier starts of the job have stored, by call id.
    """

    objects: ObjectStore
    run: Run
    region: str
    stopping: Callable[[], bool]
    already: Mapping[str, AnsweredCall] = field(default_factory=dict)

    @classmethod
    def load(cls, objects: ObjectStore, run: Run, region: str, stopping: Callable[[], bool]) -> Checkpoint:
        """Read the calls of the region that earlier starts of the job have stored.

        Raises:
            StoreError: A call cannot be read, or is damaged.
        """
        already = {}
        prefix = keys.checkpoint(run.slot_at, run.attempt, f"scores/{region}/").removesuffix(".json.gz")
        for key in objects.keys(prefix):
            content, _ = read_json(objects, key, schema=SCHEMA)
            if content is not None:
                call = checked(content, AnsweredCall, key=key)
                already[call.call_id] = call
        return cls(objects, run, region, stopping, already)

    def note(self, answer: AnsweredCall) -> None:
        """Store an answered call. Then raises ReclaimedError if the machine is being taken away."""
        key = keys.checkpoint(self.run.slot_at, self.run.attempt, f"scores/{self.region}/{answer.call_id}")
        content = {
            "call_id": answer.call_id,
            "rows": [asdict(row) for row in answer.rows],
            "invalid": answer.invalid,
        }
        write_json(self.objects, key, content, schema=SCHEMA)
        if self.stopping():
            raise ReclaimedError(f"{self.region}: the machine is taken away after call {answer.call_id}")


def job_record_key(run: Run) -> str:
    """Key of the job's record, which covers all its starts."""
    return keys.checkpoint(run.slot_at, run.attempt, "job")


def read_job_record(objects: ReadOnlyObjects, run: Run) -> JobRecord | None:
    """Read the record of an attempt's job; None when no start of the job has ended."""
    key = job_record_key(run)
    content, _ = read_json(objects, key, schema=SCHEMA)
    return None if content is None else checked(content, JobRecord, key=key)


def write_job_record(objects: ObjectStore, run: Run, content: JobRecord) -> None:
    """Replace the job's record. The job's own process is the only writer."""
    write_json(objects, job_record_key(run), content, schema=SCHEMA)
