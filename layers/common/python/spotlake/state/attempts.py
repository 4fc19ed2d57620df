"""The documents of an attempt: its record, its work and its end. They are never overwritten.

Plan writes the record when it takes the claim, and the work when it has planned the calls. Merge writes the end when it
begins. A repeated step finds the stored document and uses it. To a merge, a damaged document is an expired one: the
raw shards and the manifest say the rest, and no other slot has to wait for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypedDict

from spotlake import keys
from spotlake.errors import DamagedStateError, StoreError
from spotlake.models import Mode, Run, RunJson, from_iso, run_id_of
from spotlake.planning.attempt import FIRST_FORM, AttemptRecord, Failure, Work
from spotlake.planning.scope import Scope, ScopeJson
from spotlake.run_files import parse_manifest
from spotlake.state.first_form import read_first_form
from spotlake.state.work_content import parsed_work, work_content
from spotlake.stores.documents import decode_json, encode_json, put_once, read_json
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects

RECORD_SCHEMA = WORK_SCHEMA = END_SCHEMA = 1
_CONTENT_TYPE = "application/gzip"
_LOG = logging.getLogger(__name__)


class RecordJson(TypedDict):
    """An attempt's record; see ``AttemptRecord``."""

    run: RunJson
    scope: ScopeJson
    includes: Sequence[int]


def write_record(objects: ObjectStore, record: AttemptRecord) -> AttemptRecord:
    """Store an attempt's record. Returns the stored record, which is the first one when Plan is repeated."""
    run = record.run
    key = keys.attempt_record(run.slot_at, run.attempt)
    content: RecordJson = {"run": run.to_dict(), "scope": record.scope.to_dict(), "includes": record.includes}
    body = encode_json(key, content, schema=RECORD_SCHEMA)
    stored = put_once(objects, key, body, content_type=_CONTENT_TYPE)
    return record if stored == body else _record(decode_json(stored, key, schema=RECORD_SCHEMA), key)


def read_record(objects: ReadOnlyObjects, slot_at: datetime, attempt: int) -> AttemptRecord:
    """Read an attempt's record. Raises StoreError when there is none, or when the record has expired."""
    record = _find_record(objects, slot_at, attempt)
    if record is None:
        raise StoreError(f"{keys.attempt_record(slot_at, attempt)} is missing: the attempt was never planned")
    return record


def known_record(objects: ReadOnlyObjects, slot_at: datetime, attempt: int) -> AttemptRecord:
    """Read the record of an attempt in the chain. If the record has expired, the manifest says what it was.

    Records expire after some days; raw shards, manifests and the chain stay. So old attempts are merged again without
    their records, and so is one whose record is damaged. Without a manifest too, the attempt counts as one at
    everything that is not known.
    """
    found = _readable(_find_record, objects, slot_at, attempt) or _record_of_manifest(objects, slot_at, attempt)
    if found is not None:
        return found
    forgotten = Run(
        run_id=run_id_of(slot_at),
        mode=Mode.INCREMENTAL,
        desired_counts=(1,),
        started_at=slot_at,
        owner="",
        attempt=attempt,
    )
    return AttemptRecord(run=forgotten, scope=Scope(), known=False)


def _record_of_manifest(objects: ReadOnlyObjects, slot_at: datetime, attempt: int) -> AttemptRecord | None:
    """What the slot's manifest says of an attempt; None when it says nothing, or cannot be read."""
    key = keys.manifest(slot_at)
    stored = objects.get(key)
    try:
        entries = [] if stored is None else parse_manifest(stored.body, key)["attempts"]
        entry = next((one for one in entries if one["attempt"] == attempt), None)
        if entry is None:
            return None
        run = Run(
            run_id=run_id_of(slot_at),
            mode=Mode(entry["mode"]),
            desired_counts=tuple(entry["desired_counts"]),
            started_at=from_iso(entry["started_at"]),
            owner="",
            attempt=attempt,
        )
        scope = Scope(
            regions=tuple(entry["regions"]),
            instance_types=tuple(entry["instance_types"]),
            resume=entry["resumed"],
            filtered=entry["filtered"],
        )
    except (StoreError, KeyError, ValueError):
        return None
    return AttemptRecord(run=run, scope=scope)


def _find_record(objects: ReadOnlyObjects, slot_at: datetime, attempt: int) -> AttemptRecord | None:
    if attempt == FIRST_FORM:
        first = read_first_form(objects, slot_at)
        return None if first is None else AttemptRecord(run=first[0], scope=first[1])
    key = keys.attempt_record(slot_at, attempt)
    content, _ = read_json(objects, key, schema=RECORD_SCHEMA)
    return None if content is None else _record(content, key)


def write_work(objects: ObjectStore, work: Work) -> Work:
    """Store an attempt's work. Returns the stored work, which is the first one when the step is repeated."""
    key = keys.work(work.run.slot_at, work.run.attempt)
    body = encode_json(key, work_content(work), schema=WORK_SCHEMA)
    stored = put_once(objects, key, body, content_type=_CONTENT_TYPE)
    return work if stored == body else parsed_work(decode_json(stored, key, schema=WORK_SCHEMA), key)


def read_work(objects: ReadOnlyObjects, slot_at: datetime, attempt: int) -> Work | None:
    """Read an attempt's work; None when the attempt ended before planning. Raises StoreError when it is damaged."""
    if attempt == FIRST_FORM:
        first = read_first_form(objects, slot_at)
        return None if first is None else Work(run=first[0], items=first[2])
    key = keys.work(slot_at, attempt)
    content, _ = read_json(objects, key, schema=WORK_SCHEMA)
    return None if content is None else parsed_work(content, key)


def known_work(objects: ReadOnlyObjects, slot_at: datetime, attempt: int) -> Work | None:
    """Read an attempt's work; None when there is none, or when it is damaged."""
    return _readable(read_work, objects, slot_at, attempt)


def write_end(objects: ObjectStore, run: Run, failures: Sequence[Failure]) -> tuple[Failure, ...]:
    """Store the failures of an attempt's collecting. Returns the stored failures, as ``write_work``."""
    key = keys.attempt_end(run.slot_at, run.attempt)
    body = encode_json(key, {"failures": [one.to_dict() for one in failures]}, schema=END_SCHEMA)
    stored = put_once(objects, key, body, content_type=_CONTENT_TYPE)
    return _failures(decode_json(stored, key, schema=END_SCHEMA), key)


def has_ended(objects: ReadOnlyObjects, slot_at: datetime, attempt: int) -> bool:
    """Whether an attempt reached its merge."""
    return objects.get(keys.attempt_end(slot_at, attempt)) is not None


def known_end(objects: ReadOnlyObjects, slot_at: datetime, attempt: int) -> tuple[Failure, ...] | None:
    """Read the failures of an attempt's collecting; None when it never reached its merge, or its end is damaged."""
    return _readable(_find_end, objects, slot_at, attempt)


def _find_end(objects: ReadOnlyObjects, slot_at: datetime, attempt: int) -> tuple[Failure, ...] | None:
    key = keys.attempt_end(slot_at, attempt)
    content, _ = read_json(objects, key, schema=END_SCHEMA)
    return None if content is None else _failures(content, key)


def _readable[T](
    read: Callable[[ReadOnlyObjects, datetime, int], T | None],
    objects: ReadOnlyObjects,
    slot_at: datetime,
    attempt: int,
) -> T | None:
    """What ``read`` reads; None when the document is damaged, which the log says."""
    try:
        return read(objects, slot_at, attempt)
    except DamagedStateError as error:
        _LOG.warning("%s; its attempt is merged without it", error)
        return None


def attempts_of(objects: ReadOnlyObjects, slot_at: datetime) -> tuple[int, ...]:
    """Sorted numbers of the slot's attempts. 0 stands for a record without a number."""
    prefix = keys.attempts_of_slot(slot_at)
    numbered = {int(key.removeprefix(prefix).split("/", 1)[0]) for key in objects.keys(prefix)}
    if objects.get(keys.first_form_record(slot_at)) is not None:
        numbered.add(0)
    return tuple(sorted(numbered))


def _record(content: RecordJson, key: str) -> AttemptRecord:
    try:
        return AttemptRecord(
            run=Run.from_dict(content["run"]),
            scope=Scope.from_dict(content["scope"]),
            includes=tuple(content["includes"]),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise DamagedStateError(f"{key}: damaged ({type(error).__name__}: {error})") from error


def _failures(content: Any, key: str) -> tuple[Failure, ...]:
    try:
        return tuple(Failure.from_dict(one) for one in content["failures"])
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedStateError(f"{key}: damaged ({type(error).__name__}: {error})") from error
