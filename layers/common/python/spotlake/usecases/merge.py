"""Merge a run: shards and the last state to the next state, the table, the files, the manifest.

The result is a function of the set of runs merged. Runs are folded in order of their slots; one that
comes late is folded at its place and the later ones again after it, from their raw shards. Each step may be
done again: the chain (a small object, replaced only if it is still as it was read) is what commits a state,
``table_version`` says which state the table shows, and the manifest, written last, says ``complete``.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b
from typing import Any

import orjson

from spotlake import keys
from spotlake.clock import Clock, Deadline
from spotlake.errors import ConflictError, ShardRefusedError, StoreError
from spotlake.merge.files import Files
from spotlake.merge.fold import fold_run
from spotlake.merge.items import changed_items
from spotlake.merge.rows import Columns
from spotlake.merge.state import MergedState, decode, slot_number
from spotlake.merge.view import View
from spotlake.models import CollectorReport, Dataset, Run, run_id_of, slot_of_run_id, to_iso
from spotlake.settings import Settings
from spotlake.shards import open_shard
from spotlake.stores.objects import ObjectStore, StoredObject, read_json, write_json
from spotlake.stores.workloads import Upserted, WorkloadTable
from spotlake.usecases.request import matches

CHAIN_KEY = keys.STATE_PREFIX + "merged/chain.json"
CHAIN_SCHEMA = REQUEST_SCHEMA = MANIFEST_SCHEMA = 1
_REMEMBERED_RUNS = 288  # two days: a run later than that is stored, but changes neither table nor latest
_ROUNDS = 5
_READ_THREADS = 16
# A full run whose job ended before it had prepared anything: nothing was planned, all stays as it was.
_UNPREPARED: dict[str, Any] = {
    "regions": [],
    "shards": {one.value: [] for one in Dataset},
    "pairs": 0,
    "calls_planned": 0,
    "oldest_score_age_minutes": None,
    "blocks": {},
    "calls_by_region": {},
    "catalogue": None,
}


@dataclass(frozen=True, kw_only=True)
class MergeDeps:
    """What merging works with."""

    objects: ObjectStore
    workloads: WorkloadTable
    clock: Clock
    deadline: Deadline
    settings: Settings
    monotonic: Callable[[], float] = time.monotonic


@dataclass(frozen=True, kw_only=True)
class MergeOutcome:
    """What a merge came to: the manifest, and the collectors' reports for what is learnt from them."""

    manifest: Mapping[str, Any]
    manifest_key: str
    reports: tuple[CollectorReport, ...]
    request: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """For the state machine: counts and names, no rows."""
        names = (
            "status", "coverage_percent", "coverage_sufficient", "rows", "changed_rows", "written_items",
            "consumed_write_units", "sps_calls", "throttled_calls", "stale_regions", "oldest_score_age_minutes",
        )  # fmt: skip
        return {**{name: self.manifest[name] for name in names}, "manifest_key": self.manifest_key}


@dataclass
class _Read:
    """The shards of one run, as read."""

    columns: Columns = field(default_factory=Columns)
    reports: list[CollectorReport] = field(default_factory=list)
    refused: list[dict[str, str]] = field(default_factory=list)
    digest: str = ""


@dataclass(frozen=True)
class _Head:
    """The chain as read: which runs are merged into which states."""

    version: int = 0
    runs: tuple[dict[str, Any], ...] = ()  # run_id, key, digest; by slot
    table_version: int = 0
    table_key: str = ""
    begun: tuple[str, ...] = ()  # states that somebody began to write to the table since
    etag: str | None = None


def merge_run(run: Run, failures: Sequence[Mapping[str, str]], deps: MergeDeps) -> MergeOutcome:
    """Merge a run into everything.

    Args:
        run: The run; its request's record says which shards to expect.
        failures: What the state machine caught: dataset, region, error, cause.
        deps: Stores, clock, settings.

    Raises:
        StoreError: Something could not be read or written; the text names it. Merging again goes on.
        DeadlineError: Time ran out; the same.
    """
    return _Merge(run, failures, deps).run_all()


class _Merge:
    def __init__(self, run: Run, failures: Sequence[Mapping[str, str]], deps: MergeDeps) -> None:
        self.run, self.deps = run, deps
        self.objects = deps.objects
        self.failures = {(one["dataset"], one["region"]): one for one in failures}
        self.began = deps.monotonic()
        self.request = self._read_request(run.slot_at)
        self.seconds: dict[str, float] = {}
        # What is folded into is, as a rule, what the table shows: it is compared with later.
        self._last_loaded: tuple[str, MergedState] = "", MergedState()

    def run_all(self) -> MergeOutcome:
        read = self._timed("read", lambda: self._read_shards(self.run.slot_at, self.request))
        head, state, snapshot_state = self._timed("fold", lambda: self._commit(read))
        view = View.of(state, self.deps.settings.retire_after_days)
        upserted = self._timed("upsert", lambda: self._upsert(head, view))
        outputs = self._timed("write", lambda: self._write_files(view, snapshot_state))
        manifest = self._manifest(read, view, upserted, outputs)
        key = keys.manifest(self.run.slot_at)
        self.objects.put(key, orjson.dumps(manifest), content_type="application/json")
        return MergeOutcome(manifest=manifest, manifest_key=key, reports=tuple(read.reports), request=self.request)

    def _timed[T](self, name: str, work: Callable[[], T]) -> T:
        began = self.deps.monotonic()
        result = work()
        self.seconds[name] = round(self.deps.monotonic() - began, 3)
        return result

    # -- reading ---------------------------------------------------------------------------------

    def _read_request(self, slot_at: datetime) -> dict[str, Any]:
        content, _ = read_json(self.objects, keys.run_request(slot_at), schema=REQUEST_SCHEMA)
        if content is None:
            raise StoreError(f"{keys.run_request(slot_at)} is missing: the run was never planned")
        request: dict[str, Any] = _UNPREPARED | content
        return request

    def _read_shards(self, slot_at: datetime, request: Mapping[str, Any]) -> _Read:
        """Every expected shard; one that is missing or refused costs only itself."""
        read = _Read()
        expected = [(Dataset(name), region) for name, regions in request["shards"].items() for region in regions]
        regions = frozenset(request["regions"])
        digest = blake2b(digest_size=8)
        with ThreadPoolExecutor(_READ_THREADS) as pool:
            bodies = pool.map(lambda one: self.objects.get(keys.shard(one[0], slot_at, one[1])), expected)
            for (dataset, region), stored in zip(expected, bodies, strict=True):
                if stored is not None:
                    digest.update(stored.body[-64:] + len(stored.body).to_bytes(8))
                self._read_one(read, dataset, region, stored, slot_at, regions)
        read.digest = digest.hexdigest()
        globs = request["asked"]["instance_types"]
        if globs:
            wanted = functools.cache(lambda size: matches(size, globs))
            read.columns.keep(wanted)
        return read

    def _read_one(
        self,
        read: _Read,
        dataset: Dataset,
        region: str,
        stored: StoredObject | None,
        slot_at: datetime,
        regions: frozenset[str],
    ) -> None:
        key = keys.shard(dataset, slot_at, region)
        if stored is None:
            read.refused.append({"key": key, "dataset": dataset.value, "region": region, "reason": "missing"})
            return
        try:
            shard = open_shard(stored.body, key=key, dataset=dataset, run_id=run_id_of(slot_at), region=region)
            if dataset is Dataset.SPS:
                read.columns.read_scores(shard, key, regions=regions)
            elif dataset is Dataset.PRICE:
                read.columns.read_prices(shard, key)
            else:
                read.columns.read_evictions(shard, key)
            read.reports.append(shard.header.report)
        except ShardRefusedError as error:
            read.refused.append({"key": key, "dataset": dataset.value, "region": region, "reason": error.reason})

    # -- folding and committing ------------------------------------------------------------------

    def _commit(self, read: _Read) -> tuple[_Head, MergedState, MergedState]:
        """Fold, store the states and replace the chain; again from the start when somebody was quicker."""
        for _ in range(_ROUNDS):
            head = self._read_head()
            try:
                return self._commit_once(head, read)
            except ConflictError:
                continue
        raise StoreError(f"{CHAIN_KEY}: others replaced it {_ROUNDS} times in a row")

    def _commit_once(self, head: _Head, read: _Read) -> tuple[_Head, MergedState, MergedState]:
        known = next((one for one in head.runs if one["run_id"] == self.run.run_id), None)
        if known is not None and known["digest"] == read.digest:
            own = self._load(known["key"])
            return head, own if known is head.runs[-1] else self._load(head.runs[-1]["key"]), own
        before = [one for one in head.runs if one["run_id"] < self.run.run_id]
        after = [one for one in head.runs if one["run_id"] > self.run.run_id]
        if head.runs and not before and known is None and len(head.runs) >= _REMEMBERED_RUNS:
            state = MergedState()
            fold_run(state, read.columns, slot_number(self.run.slot_at))
            return head, self._load(head.runs[-1]["key"]), state  # too late for the table; its snapshot is its own
        base = known or (before[-1] if before else None)
        state = self._load(base["key"]) if base else MergedState()
        fold_run(state, read.columns, slot_number(self.run.slot_at))
        version = head.version + 1
        entries = [*before, self._store(self.run.run_id, version, state, read.digest)]
        snapshot_state = state if not after else decode(state.encode(), "own")
        for later in after:
            replayed = self._read_shards(
                slot_of_run_id(later["run_id"]), self._read_request(slot_of_run_id(later["run_id"]))
            )
            fold_run(state, replayed.columns, slot_number(slot_of_run_id(later["run_id"])))
            entries.append(self._store(later["run_id"], version, state, later["digest"]))
        fresh = replace(head, version=version, runs=tuple(entries[-_REMEMBERED_RUNS:]))
        return self._replace_head(fresh), state, snapshot_state

    def _store(self, run_id: str, version: int, state: MergedState, digest: str) -> dict[str, Any]:
        key = f"{keys.STATE_PREFIX}merged/{run_id}-{version}-{self.run.fence}.gz"
        self.objects.put(key, state.encode(), content_type="application/gzip")
        return {"run_id": run_id, "key": key, "digest": digest}

    def _load(self, key: str) -> MergedState:
        """The state of that key, to be changed by the caller."""
        if key != self._last_loaded[0]:
            stored = self.objects.get(key)
            if stored is None:
                raise StoreError(f"{key} is missing: the state cannot be rebuilt from the chain")
            self._last_loaded = key, decode(stored.body, key)
        return self._last_loaded[1].copy()

    def _read_head(self) -> _Head:
        content, etag = read_json(self.objects, CHAIN_KEY, schema=CHAIN_SCHEMA)
        if content is None:
            return _Head()
        runs = tuple(content["runs"])
        return _Head(
            content["version"], runs, content["table_version"], content["table_key"], tuple(content["begun"]), etag
        )

    def _replace_head(self, head: _Head) -> _Head:
        content = {
            "version": head.version,
            "runs": head.runs,
            "table_version": head.table_version,
            "table_key": head.table_key,
            "begun": head.begun,
        }
        etag = write_json(
            self.objects, CHAIN_KEY, content, schema=CHAIN_SCHEMA, if_absent=head.etag is None, if_etag=head.etag
        )
        return replace(head, etag=etag)

    # -- writing ---------------------------------------------------------------------------------

    def _upsert(self, head: _Head, view: View) -> Upserted:
        """Bring the table from the state it shows to the newest one.

        That this has begun is written down first: whoever comes after a merge that was cut off, or besides one
        that goes on, then writes all that it may have written, whole.
        """
        if head.table_version >= head.version:
            return Upserted(written=0, overtaken=0, write_units=0.0, throttles=0)
        key = head.runs[-1]["key"]
        current = self._change_head(lambda one: replace(one, begun=tuple(dict.fromkeys((*one.begun, key)))))
        days = self.deps.settings.retire_after_days
        before = View.of(self._load(current.table_key), days) if current.table_key else None
        others = [View.of(self._load(other), days) for other in current.begun if other != key]
        again = [*others, view] if key in head.begun else others
        changes = changed_items(
            before,
            view,
            run_id=head.runs[-1]["run_id"],
            version=head.version,
            ttl_days=self.deps.settings.retired_ttl_days,
            begun=again,
        )
        upserted = self.deps.workloads.upsert(changes, deadline=self.deps.deadline)
        # When somebody has begun a newer state meanwhile, it is theirs to say what the table shows.
        self._change_head(
            lambda one: (
                replace(one, table_version=head.version, table_key=key, begun=())
                if one.version == head.version
                else one
            )
        )
        return upserted

    def _change_head(self, change: Callable[[_Head], _Head]) -> _Head:
        """Replace the chain by a changed one, as often as somebody else is quicker."""
        for _ in range(_ROUNDS):
            current = self._read_head()
            changed = change(current)
            if changed == current:
                return current
            try:
                return self._replace_head(changed)
            except ConflictError:
                continue
        raise StoreError(f"{CHAIN_KEY}: others replaced it {_ROUNDS} times in a row")

    def _write_files(self, view: View, snapshot_state: MergedState) -> list[str]:
        """The snapshot of this run; latest and selector when it is the newest. Returns the keys."""
        settings, slot_at = self.deps.settings, self.run.slot_at
        newest = Files(view, settings.name_casing)
        own = newest
        if snapshot_state is not view.state:
            own = Files(View.of(snapshot_state, settings.retire_after_days), settings.name_casing)
        written = [keys.snapshot(slot_at)]
        body = own.snapshot(slot_at, self.run.desired_counts[0])
        self.objects.put(written[0], body, content_type="text/csv", content_encoding="gzip")
        if view.state.slot <= slot_number(slot_at) or view.state is not snapshot_state:
            newest_at = slot_of_run_id(self._read_head().runs[-1]["run_id"])
            self._put_json(keys.LATEST, newest.latest(newest_at))
            self._put_json(keys.QUERY_SELECTOR, newest.selector())
            written += [keys.LATEST, keys.QUERY_SELECTOR]
        return written

    def _put_json(self, key: str, body: bytes) -> None:
        self.objects.put(key, body, content_type="application/json", content_encoding="gzip")

    def _manifest(self, read: _Read, view: View, upserted: Upserted, outputs: Sequence[str]) -> dict[str, Any]:
        coverage, complete = self._coverage(read)
        percent = round(sum(coverage.values()) / len(coverage), 2)
        stale = self._stale(read)
        key = keys.manifest(self.run.slot_at)
        live = int(view.live.sum())
        return {
            "schema": MANIFEST_SCHEMA,
            "complete": True,
            "run_id": self.run.run_id,
            "mode": self.run.mode.value,
            "status": "complete" if not stale else "partial",
            "desired_counts": list(self.run.desired_counts),
            "regions_requested": len(self.request["regions"]),
            "regions_complete": complete,
            "pairs": self.request["pairs"],
            "coverage": coverage,
            "coverage_percent": percent,
            "coverage_sufficient": percent >= self.deps.settings.minimum_coverage_percent,
            "rows": {**read.columns.counts(), "merged": live},
            "changed_rows": upserted.written,
            "written_items": upserted.written,
            "consumed_write_units": upserted.write_units,
            "write_throttles": upserted.throttles,
            "sps_calls": sum(one.counts.get("calls_sent", 0) for one in read.reports),
            "calls_planned": self.request["calls_planned"],
            "calls_unsent": sum(len(one.unsent_call_ids) for one in read.reports),
            "throttled_calls": sum(
                one.counts.get("throttles", 0) for one in read.reports if one.dataset is Dataset.SPS
            ),
            "oldest_score_age_minutes": self.request["oldest_score_age_minutes"],
            "catalogue": self.request["catalogue"],
            "stale": stale,
            "stale_regions": len({one["region"] for one in stale}),
            "refused_shards": read.refused,
            "collectors": [_short(one) for one in read.reports],
            "seconds": {**self.seconds, "total": round(self.deps.monotonic() - self.began, 3)},
            "merged_at": to_iso(self.deps.clock.now()),
            "outputs": [*outputs, key],
        }

    def _coverage(self, read: _Read) -> tuple[dict[str, float], int]:
        """Percent by data set, and how many regions have all that was asked of them."""
        planned = self.request["calls_planned"]
        unsent = sum(len(one.unsent_call_ids) for one in read.reports)
        done = {(one.dataset, one.region) for one in read.reports if one.status == "complete"}
        reported = {one.region for one in read.reports if one.dataset is Dataset.SPS}
        silent = [calls for region, calls in self.request["calls_by_region"].items() if region not in reported]
        missing = sum(len(calls) for calls in silent)
        answered = max(planned - unsent - missing, 0)
        coverage = {"sps": round(100 * answered / planned, 2) if planned else 100.0}
        for name, dataset in (("price", Dataset.PRICE), ("eviction", Dataset.EVICTION)):
            asked = self.request["shards"][dataset.value]
            got = sum(1 for region in asked if (dataset, region) in done)
            coverage[name] = round(100 * got / len(asked), 2) if asked else 0.0
        complete = sum(
            1
            for region in self.request["regions"]
            if all((one, region) in done for one in Dataset if region in self.request["shards"][one.value])
        )
        return coverage, complete

    def _stale(self, read: _Read) -> list[dict[str, Any]]:
        """Regions and data sets that keep old values, and why."""
        found: list[dict[str, Any]] = []
        for refused in read.refused:
            caught = self.failures.get((refused["dataset"], refused["region"]), {})
            found.append(
                {
                    "dataset": refused["dataset"],
                    "region": refused["region"],
                    "error": caught.get("error") or "ShardRefusedError",
                    "cause": caught.get("cause") or refused["reason"],
                    "since": self.run.run_id,
                }
            )
        for one in read.reports:
            if one.status != "complete":
                named = {"dataset": one.dataset.value, "region": one.region}
                found.append({**named, "error": one.error, "cause": one.cause, "since": self.run.run_id})
        return found


def _short(report: CollectorReport) -> dict[str, Any]:
    return {
        "dataset": report.dataset.value,
        "region": report.region,
        "status": report.status,
        "rows": report.rows,
        "seconds": report.seconds,
        "counts": report.counts,
    }
