"""Documents of an attempt word for word; those that are damaged or gone, and what the manifest says in their place."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from spotlake import keys
from spotlake.errors import DamagedStateError, StoreError
from spotlake.models import Dataset, Mode, Run, WorkItem
from spotlake.planning.attempt import AttemptRecord, Failure, Work
from spotlake.planning.scope import Scope
from spotlake.state.attempts import (
    attempts_of,
    has_ended,
    known_end,
    known_record,
    known_work,
    read_record,
    read_work,
    write_end,
    write_record,
    write_work,
)
from spotlake.stores.objects import MemoryObjects
from tests.support.errors import says

AT = datetime(2025, 12, 15, 10, 0, tzinfo=UTC)
MANIFEST = "runs/azure/2025/12/15/10-00.json"
RUN = Run(
    run_id="20251215T1000Z", attempt=7, mode=Mode.FULL, desired_counts=(5, 10), started_at=AT.replace(minute=3),
    owner="arn",
)  # fmt: skip
RECORD = AttemptRecord(
    run=RUN, includes=(3, 5),
    scope=Scope(regions=("eastus",), instance_types=("Standard_D*",), desired_counts=(5,), resume=True, filtered=True),
)  # fmt: skip
RUN_JSON = {
    "run_id": "20251215T1000Z", "attempt": 7, "mode": "full", "desired_counts": [5, 10],
    "started_at": "2025-12-15T10:03:00+00:00", "owner": "arn",
}  # fmt: skip
RECORD_JSON: dict[str, Any] = {
    "schema": 1, "run": RUN_JSON, "includes": [3, 5],
    "scope": {
        "regions": ["eastus"], "instance_types": ["Standard_D*"], "desired_counts": [5], "resume": True,
        "filtered": True,
    },
}  # fmt: skip
FAILURE = Failure(error="E", cause="c", dataset="sps", region="eastus")


def store(documents: Mapping[str, Any] | None = None) -> MemoryObjects:
    """A bucket with these documents by key; packed where the name says so."""
    bodies = {key: orjson.dumps(content) for key, content in (documents or {}).items()}
    return MemoryObjects(
        "archive", {key: gzip.compress(body) if key.endswith(".gz") else body for key, body in bodies.items()}
    )


def key_of(objects: MemoryObjects, word: str) -> str:
    """The one key that has this word."""
    (key,) = (key for key in objects.objects if word in key)
    return key


def content(objects: MemoryObjects, word: str) -> Any:
    return orjson.loads(gzip.decompress(objects.objects[key_of(objects, word)]))


def written() -> MemoryObjects:
    """An attempt with all its documents."""
    objects = MemoryObjects("archive", {})
    assert write_record(objects, RECORD) is RECORD
    work = Work(run=RUN, items={"eastus": WorkItem(region="eastus")}, calls_planned=1)
    assert write_work(objects, work) is work
    assert write_end(objects, RUN, [FAILURE]) == (FAILURE,)
    return objects


RECORD_KEY, WORK_KEY, END_KEY = (key_of(written(), word) for word in ("record", "/work.", "end"))


def test_documents_are_written_once_and_read_as_they_stand() -> None:
    objects = written()
    assert content(objects, "record") == RECORD_JSON
    assert content(objects, "end") == {
        "schema": 1, "failures": [{"error": "E", "cause": "c", "dataset": "sps", "region": "eastus"}],
    }  # fmt: skip
    assert (content(objects, "/work.")["schema"], content(objects, "/work.")["calls_planned"]) == (1, 1)
    assert read_record(objects, AT, 7) == known_record(objects, AT, 7) == RECORD
    assert known_end(objects, AT, 7) == (FAILURE,)
    assert has_ended(objects, AT, 7)
    assert attempts_of(objects, AT) == (7,)
    other = replace(RECORD, run=replace(RUN, owner="another"))
    assert write_record(objects, other) == RECORD
    again = write_work(objects, Work(run=RUN, items={}, calls_planned=9))
    assert again == read_work(objects, AT, 7) == known_work(objects, AT, 7)
    assert (again.calls_planned, set(again.items)) == (1, {"eastus"})
    assert write_end(objects, RUN, []) == (FAILURE,)


def test_what_was_never_written_is_none_or_named() -> None:
    objects = store()
    with says(StoreError, f"{RECORD_KEY} is missing: the attempt was never planned"):
        read_record(objects, AT, 7)
    assert (read_work(objects, AT, 7), known_work(objects, AT, 7), known_end(objects, AT, 7)) == (None, None, None)
    assert (has_ended(objects, AT, 7), attempts_of(objects, AT)) == (False, ())


DAMAGED = "damaged (KeyError: 'run')"


def test_a_damaged_document_is_named_and_a_merge_goes_on_without_it(caplog: pytest.LogCaptureFixture) -> None:
    objects = store({RECORD_KEY: {"schema": 1}, WORK_KEY: {"schema": 1}, END_KEY: {"schema": 1}})
    with says(DamagedStateError, f"{RECORD_KEY}: {DAMAGED}"):
        read_record(objects, AT, 7)
    with says(DamagedStateError, f"{WORK_KEY}: {DAMAGED}"):
        read_work(objects, AT, 7)
    with caplog.at_level(logging.WARNING):
        assert (known_work(objects, AT, 7), known_end(objects, AT, 7)) == (None, None)
        assert not known_record(objects, AT, 7).known
    told = "; its attempt is merged without it"
    assert caplog.messages == [
        f"{WORK_KEY}: {DAMAGED}{told}", f"{END_KEY}: damaged (KeyError: 'failures'){told}",
        f"{RECORD_KEY}: {DAMAGED}{told}",
    ]  # fmt: skip
    for odd in (3, ["x"], [None]):
        assert known_end(store({END_KEY: {"schema": 1, "failures": odd}}), AT, 7) is None


@pytest.mark.parametrize("key", [RECORD_KEY, WORK_KEY, END_KEY])
@pytest.mark.parametrize(
    ("body", "why"),
    [(gzip.compress(b'{"schema": 2}'), "schema 2, this code reads 1"), (b"x", "damaged (BadGzipFile)")],
    ids=["another schema", "no gzip"],
)
def test_a_document_that_is_no_document_of_ours_is_not_taken_for_one(key: str, body: bytes, why: str) -> None:
    objects = MemoryObjects("archive", {key: body})
    with says(DamagedStateError, f"{key}: {why}"):
        if key == RECORD_KEY:
            write_record(objects, RECORD)
        elif key == WORK_KEY:
            write_work(objects, Work(run=RUN, items={}))
        else:
            write_end(objects, RUN, [])
    reads = {RECORD_KEY: read_record, WORK_KEY: read_work}
    if key in reads:
        with says(DamagedStateError, f"s3://archive/{key}: {why}"):
            reads[key](objects, AT, 7)
    assert (known_end(objects, AT, 7), known_work(objects, AT, 7)) == (None, None)


def manifest(*attempts: dict[str, Any]) -> dict[str, Any]:
    """A manifest that has all its fields, and these attempts."""
    numbers = (
        "regions_requested", "regions_complete", "pairs", "sps_calls", "calls_planned", "calls_waiting", "calls_unsent",
        "throttled_calls", "stale_regions", "changed_rows", "written_items", "overtaken_items", "items_left",
        "write_throttles",
    )  # fmt: skip
    unknown = (
        "quota_left", "oldest_waiting_minutes", "rows_difference_percent", "score_age_median_minutes",
        "score_age_p95_minutes", "oldest_score_age_minutes",
    )  # fmt: skip
    lists = ("accounts", "stale", "refused_shards", "collectors", "score_ages", "outputs", "desired_counts")
    maps = ("coverage", "coverage_reasons", "rows", "seconds")
    return {
        "schema": 2, "run_id": "20251215T1000Z", "status": "complete", "mode": "full", "filtered": False,
        "complete": True, "coverage_sufficient": True, "coverage_percent": 100.0, "consumed_write_units": 0.0,
        "merged_at": "2025-12-15T10:05:00Z", "attempts": list(attempts), **dict.fromkeys(numbers, 0),
        **dict.fromkeys(unknown), **{name: [] for name in lists}, **{name: {} for name in maps},
    }  # fmt: skip


def told(number: int, **changes: Any) -> dict[str, Any]:
    """What the manifest says of an attempt."""
    entry = {
        "attempt": number, "mode": "full", "started_at": "2025-12-15T10:03:00Z", "desired_counts": [5, 10],
        "filtered": True, "resumed": True, "regions": ["eastus"], "instance_types": ["Standard_D*"], "planned": True,
        "calls_planned": 1, "calls_waiting": 0, "error": None, "cause": None,
    }  # fmt: skip
    return {name: value for name, value in {**entry, **changes}.items() if value != "gone"}


FROM_MANIFEST = AttemptRecord(
    run=replace(RUN, owner=""),
    scope=Scope(regions=("eastus",), instance_types=("Standard_D*",), resume=True, filtered=True),
)
FORGOTTEN = AttemptRecord(
    run=Run(
        run_id="20251215T1000Z", attempt=7, mode=Mode.INCREMENTAL, desired_counts=(1,), started_at=AT, owner=""
    ),
    scope=Scope(), known=False,
)  # fmt: skip


def test_the_manifest_says_what_an_expired_record_was() -> None:
    other = told(3, mode="incremental", filtered=False, resumed=False, regions=[], instance_types=[])
    objects = store({MANIFEST: manifest(other, told(7))})
    assert known_record(objects, AT, 7) == FROM_MANIFEST
    whole = known_record(objects, AT, 3)
    assert (whole.run.mode, whole.run.attempt, whole.scope, whole.known) == (Mode.INCREMENTAL, 3, Scope(), True)
    assert known_record(objects, AT, 8) == replace(FORGOTTEN, run=replace(FORGOTTEN.run, attempt=8))


@pytest.mark.parametrize(
    "content",
    [
        None, [], {"schema": 99}, manifest(), manifest(told(7, mode="odd")), manifest(told(7, started_at="yesterday")),
        *(manifest(told(7, **{name: "gone"})) for name in ("desired_counts", "started_at", "regions", "instance_types",
                                                            "filtered")),
    ],
)  # fmt: skip
def test_without_record_and_manifest_an_attempt_counts_as_one_at_everything_unknown(content: Any) -> None:
    assert known_record(store({} if content is None else {MANIFEST: content}), AT, 7) == FORGOTTEN


def test_attempts_of_a_slot_are_those_with_any_document() -> None:
    objects = written()
    for number in (12, 3):
        write_record(objects, replace(RECORD, run=replace(RUN, attempt=number)))
    later = replace(RUN, run_id="20251215T1010Z", attempt=99)
    write_record(objects, replace(RECORD, run=later))
    assert attempts_of(objects, AT) == (3, 7, 12)
    assert attempts_of(objects, AT.replace(minute=10)) == (99,)


FIRST_KEY = keys.first_form_record(AT)
FIRST_JSON: dict[str, Any] = {
    "schema": 1, "run": {name: value for name, value in RUN_JSON.items() if name != "attempt"},
    "asked": {"regions": ["eastus"], "instance_types": [], "desired_counts": [1], "resume": False, "filtered": True},
    "regions": ["eastus", "westus"], "shards": {"sps": ["eastus"], "spot_price": ["eastus", "westus"]},
}  # fmt: skip


def test_the_first_form_of_a_record_is_attempt_0() -> None:
    objects = store({FIRST_KEY: FIRST_JSON})
    run = replace(RUN, attempt=0)
    scope = Scope(regions=("eastus",), desired_counts=(1,), filtered=True)
    assert read_record(objects, AT, 0) == known_record(objects, AT, 0) == AttemptRecord(run=run, scope=scope)
    items = {
        "eastus": WorkItem(region="eastus", datasets=(Dataset.SPS, Dataset.PRICE)),
        "westus": WorkItem(region="westus", datasets=(Dataset.PRICE,)),
    }
    assert read_work(objects, AT, 0) == known_work(objects, AT, 0) == Work(run=run, items=items)
    assert attempts_of(objects, AT) == (0,)
    write_record(objects, RECORD)
    assert attempts_of(objects, AT) == (0, 7)
    with pytest.raises(StoreError, match="the attempt was never planned"):
        read_record(store(), AT, 0)
    assert read_work(store(), AT, 0) is None


def test_the_first_form_before_it_named_shards_or_regions_owes_nothing() -> None:
    bare = {name: value for name, value in FIRST_JSON.items() if name not in ("regions", "shards")}
    found = read_work(store({FIRST_KEY: bare}), AT, 0)
    assert found is not None
    assert found.items == {}
    named = {**bare, "regions": ["eastus"]}
    found = read_work(store({FIRST_KEY: named}), AT, 0)
    assert found is not None
    assert found.items == {"eastus": WorkItem(region="eastus", datasets=())}


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ({"run": "x"}, "TypeError: unsupported operand type(s) for |: 'str' and 'dict'"),
        ({"asked": {}}, "KeyError: 'regions'"),
        ({"shards": []}, "AttributeError: 'list' object has no attribute 'get'"),
        ({"regions": 3}, "TypeError: 'int' object is not iterable"),
        ({"run": {**FIRST_JSON["run"], "mode": "odd"}}, "ValueError: 'odd' is not a valid Mode"),
    ],
)
def test_a_damaged_first_form_is_named_and_stops_no_merge(damage: Mapping[str, Any], why: str) -> None:
    objects = store({FIRST_KEY: {**FIRST_JSON, **damage}})
    for read in (read_record, read_work):
        with says(DamagedStateError, f"{FIRST_KEY}: damaged ({why})"):
            read(objects, AT, 0)
    assert (known_record(objects, AT, 0).known, known_work(objects, AT, 0)) == (False, None)
