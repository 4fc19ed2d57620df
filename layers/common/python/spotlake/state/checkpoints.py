"""Checkpoints of the full run's job: an answered placement-score call each, and the job's own record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

from spotlake import keys
from spotlake.checked import checked
from spotlake.errors import ReclaimedError
from spotlake.models import Run
from spotlake.run_files import JobRecord
from spotlake.scores.accounts import AnsweredCall
from spotlake.shard_rows import ScoreRow
from spotlake.stores.documents import read_json, write_json
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects

SCHEMA = 1


@dataclass(frozen=True)
class Checkpoint:
    """Answered calls of one region, an object each: a start that is killed loses only calls under way.

    Attributes:
        objects: The write bucket.
        run: The attempt.
        region: Whose collector sends the calls.
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
        """What earlier starts of this attempt's job have stored of the region."""
        already = {}
        prefix = keys.checkpoint(run.slot_at, run.attempt, f"scores/{region}/").removesuffix(".json.gz")
        for key in objects.keys(prefix):
            content, _ = read_json(objects, key, schema=SCHEMA)
            if content is not None:
                rows = tuple(ScoreRow(**row) for row in content["rows"])
                call = AnsweredCall(call_id=content["call_id"], rows=rows, invalid=tuple(content["invalid"]))
                already[call.call_id] = call
        return cls(objects, run, region, stopping, already)

    def note(self, answer: AnsweredCall) -> None:
        """Store an answered call. Raises ReclaimedError after that when the machine is being taken away."""
        key = keys.checkpoint(self.run.slot_at, self.run.attempt, f"scores/{self.region}/{answer.call_id}")
        content = {
            "call_id": answer.call_id,
            "rows": [asdict(row) for row in answer.rows],
            "invalid": answer.invalid,
        }
        write_json(self.objects, key, content, schema=SCHEMA)
        if self.stopping():
            raise ReclaimedError(f"{self.region}: told to stop after call {answer.call_id}")


def job_record_key(run: Run) -> str:
    """Where the job says what it did, over all its starts."""
    return keys.checkpoint(run.slot_at, run.attempt, "job")


def read_job_record(objects: ReadOnlyObjects, run: Run) -> JobRecord | None:
    """What the job of an attempt says of itself; None when it never ended a start."""
    key = job_record_key(run)
    content, _ = read_json(objects, key, schema=SCHEMA)
    return None if content is None else checked(content, JobRecord, key=key)


def write_job_record(objects: ObjectStore, run: Run, content: JobRecord) -> None:
    """Replace the job's record (its own process is the only writer)."""
    write_json(objects, job_record_key(run), content, schema=SCHEMA)
