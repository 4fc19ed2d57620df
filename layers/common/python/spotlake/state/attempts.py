"""The documents of an attempt: its record, its work, and how its collecting ended. None is ever overwritten.

The record is written when the claim is taken, the work when the calls are planned, the end when the merge
begins. A repeated step finds what was stored first and goes by that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from spotlake import keys
from spotlake.errors import StoreError
from spotlake.models import Dataset, Mode, Run, ScoreCall, WorkItem, run_id_of
from spotlake.packing import unpack
from spotlake.planning.attempt import FIRST_FORM, AttemptRecord, Failure, Work
from spotlake.planning.scope import Scope
from spotlake.state.first_form import read_first_form
from spotlake.stores.documents import encode_json, put_once, read_json
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects

RECORD_SCHEMA = WORK_SCHEMA = END_SCHEMA = 1
_CONTENT_TYPE = "application/gzip"


def write_record(objects: ObjectStore, record: AttemptRecord) -> AttemptRecord:
    """Store what an attempt was asked; returns what is stored: the first one, when Plan is repeated."""
    run = record.run
    key = keys.attempt_record(run.slot_at, run.attempt)
    content = {"run": run.to_dict(), "scope": record.scope.to_dict(), "includes": record.includes}
    body = encode_json(key, content, schema=RECORD_SCHEMA)
    stored = put_once(objects, key, body, content_type=_CONTENT_TYPE)
    return record if stored == body else _record(_content(stored, key, RECORD_SCHEMA), key)


def read_record(objects: ReadOnlyObjects, slot_at: datetime, attempt: int) -> AttemptRecord:
    """What an attempt was asked. Raises StoreError when it was never planned, or so long ago that it is gone."""
    record = _find_record(objects, slot_at, attempt)
    if record is None:
        raise StoreError(f"{keys.attempt_record(slot_at, attempt)} is missing: the attempt was never planned")
    return record


def known_record(objects: ReadOnlyObjects, slot_at: datetime, attempt: int) -> AttemptRecord:
    """What an attempt of the chain was asked; when the bucket has forgotten it, that of an attempt at everything.

    Records go after some days, raw shards and the chain stay: what they hold is merged again without them.
    """
    forgotten = Run(
        run_id=run_id_of(slot_at),
        mode=Mode.INCREMENTAL,
        desired_counts=(1,),
        started_at=slot_at,
        owner="",
        attempt=attempt,
    )
    return _find_record(objects, slot_at, attempt) or AttemptRecord(run=forgotten, scope=Scope())


def _find_record(objects: ReadOnlyObjects, slot_at: datetime, attempt: int) -> AttemptRecord | None:
    if attempt == FIRST_FORM:
        first = read_first_form(objects, slot_at)
        return None if first is None else AttemptRecord(run=first[0], scope=first[1])
    key = keys.attempt_record(slot_at, attempt)
    content, _ = read_json(objects, key, schema=RECORD_SCHEMA)
    return None if content is None else _record(content, key)


def write_work(objects: ObjectStore, work: Work) -> Work:
    """Store what an attempt planned; returns what is stored: the first one, when the step is repeated."""
    key = keys.work(work.run.slot_at, work.run.attempt)
    body = encode_json(key, _work_content(work), schema=WORK_SCHEMA)
    stored = put_once(objects, key, body, content_type=_CONTENT_TYPE)
    return work if stored == body else _work(_content(stored, key, WORK_SCHEMA), key)


def read_work(objects: ReadOnlyObjects, slot_at: datetime, attempt: int) -> Work | None:
    """What an attempt planned; None when it ended before. Raises StoreError when it is damaged."""
    if attempt == FIRST_FORM:
        first = read_first_form(objects, slot_at)
        return None if first is None else Work(run=first[0], items=first[2])
    key = keys.work(slot_at, attempt)
    content, _ = read_json(objects, key, schema=WORK_SCHEMA)
    return None if content is None else _work(content, key)


def write_end(objects: ObjectStore, run: Run, failures: Sequence[Failure]) -> tuple[Failure, ...]:
    """Store what was caught while an attempt collected; returns what is stored, as ``write_work``."""
    key = keys.attempt_end(run.slot_at, run.attempt)
    body = encode_json(key, {"failures": [one.to_dict() for one in failures]}, schema=END_SCHEMA)
    stored = put_once(objects, key, body, content_type=_CONTENT_TYPE)
    return tuple(Failure.from_dict(one) for one in _content(stored, key, END_SCHEMA)["failures"])


def read_end(objects: ReadOnlyObjects, slot_at: datetime, attempt: int) -> tuple[Failure, ...] | None:
    """What was caught while an attempt collected; None when it never came to its merge."""
    content, _ = read_json(objects, keys.attempt_end(slot_at, attempt), schema=END_SCHEMA)
    return None if content is None else tuple(Failure.from_dict(one) for one in content["failures"])


def attempts_of(objects: ReadOnlyObjects, slot_at: datetime) -> tuple[int, ...]:
    """Numbers of the slot's attempts, in order; 0 among them when there is a record without a number."""
    prefix = keys.attempts_of_slot(slot_at)
    numbered = {int(key.removeprefix(prefix).split("/", 1)[0]) for key in objects.keys(prefix)}
    if objects.get(keys.first_form_record(slot_at)) is not None:
        numbered.add(0)
    return tuple(sorted(numbered))


def _content(body: bytes, key: str, schema: int) -> Any:
    content = orjson.loads(unpack(body))
    if content["schema"] != schema:
        raise StoreError(f"{key}: schema {content['schema']!r}, this code reads {schema}")
    return content


def _record(content: Mapping[str, Any], key: str) -> AttemptRecord:
    try:
        return AttemptRecord(
            run=Run.from_dict(content["run"]),
            scope=Scope.from_dict(content["scope"]),
            includes=tuple(content["includes"]),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise StoreError(f"{key}: damaged ({type(error).__name__}: {error})") from error


def _work_content(work: Work) -> dict[str, Any]:
    """Names that stand in many items once each: the object is read by every collector."""
    shared = next(iter(work.items.values()), WorkItem(region=""))
    return {
        "run": work.run.to_dict(),
        "calls_planned": work.calls_planned,
        "calls_waiting": work.calls_waiting,
        "quota_left": work.quota_left,
        "oldest_waiting_minutes": work.oldest_waiting_minutes,
        "blocks": work.blocks,
        "confirmed_at": work.confirmed_at,
        "fallback_locations": shared.fallback_locations,
        "quota_share_percent": shared.quota_share_percent,
        "regions": {
            region: {
                "instance_types": item.instance_types,
                "calls": [call.to_dict() for call in item.calls],
                "datasets": [dataset.value for dataset in item.datasets],
                "ondemand": item.ondemand,
                "filtered": item.filtered,
                "last_good_rows": item.last_good_rows,
                "absent_spot": item.absent_spot,
                "absent_ondemand": item.absent_ondemand,
                "witness": item.witness,
            }
            for region, item in work.items.items()
        },
    }


def _work(content: Mapping[str, Any], key: str) -> Work:
    try:
        return Work(
            run=Run.from_dict(content["run"]),
            items={
                region: WorkItem(
                    region=region,
                    instance_types=tuple(one["instance_types"]),
                    calls=tuple(ScoreCall.from_dict(call) for call in one["calls"]),
                    datasets=tuple(Dataset(name) for name in one["datasets"]),
                    fallback_locations=tuple(content["fallback_locations"]),
                    ondemand=one["ondemand"],
                    filtered=one["filtered"],
                    quota_share_percent=content["quota_share_percent"],
                    last_good_rows=one["last_good_rows"],
                    absent_spot=tuple(one.get("absent_spot", ())),
                    absent_ondemand=tuple(one.get("absent_ondemand", ())),
                    witness=one.get("witness", False),
                )
                for region, one in content["regions"].items()
            },
            calls_planned=content["calls_planned"],
            calls_waiting=content["calls_waiting"],
            quota_left=content["quota_left"],
            oldest_waiting_minutes=content["oldest_waiting_minutes"],
            blocks=content["blocks"],
            confirmed_at=content["confirmed_at"],
        )
    except (KeyError, ValueError, TypeError) as error:
        raise StoreError(f"{key}: damaged ({type(error).__name__}: {error})") from error
