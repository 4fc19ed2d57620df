"""Merge a run: shards and the last state to the next state, the table, the files, the manifest.

The result is a function of the set of runs merged. Runs are folded in order of their slots; one that
comes late is folded at its place and the later ones again after it, from their raw shards. Each step may be
done again: the chain (``state/merged_states.py``) commits a state and says which one the table shows, and the
manifest, written last, says ``complete``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import orjson

from spotlake import keys
from spotlake.clock import Clock, Deadline
from spotlake.errors import ConflictError, StoreError
from spotlake.merge import manifest
from spotlake.merge.files import Files
from spotlake.merge.fold import fold_run
from spotlake.merge.state import MergedState, slot_number
from spotlake.merge.table_changes import Changes, Writing
from spotlake.merge.view import View
from spotlake.models import CollectorReport, Run, slot_of_run_id, to_iso
from spotlake.settings import Settings
from spotlake.state.merged_states import Cut, Head, MergedRun, States
from spotlake.stores.objects import ObjectStore
from spotlake.stores.workloads import Upserted, WorkloadTable
from spotlake.usecases.merge.read_shards import RunRows, read_request, read_rows

_REMEMBERED_RUNS = 144  # a day: a run later than that gets its snapshot, but changes neither table nor latest
_ROUNDS = 8
_FOLDING_SECONDS = 5.0  # what folding a later run again may take
_WRITING_SECONDS = 15.0  # what is left for the files when the table takes too long


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
            "rows_difference_percent",
        )  # fmt: skip
        return {**{name: self.manifest[name] for name in names}, "manifest_key": self.manifest_key}


def merge_run(run: Run, failures: Sequence[Mapping[str, str]], deps: MergeDeps) -> MergeOutcome:
    """Merge a run into everything.

    Args:
        run: The run; its request's record says which shards to expect.
        failures: What the state machine caught: dataset, region, error, cause.
        deps: Stores, clock, settings.

    Raises:
        StoreError: Something could not be read or written; the text names it. Merging again goes on.
        DeadlineError: Time ran out before the state was committed; the same.
    """
    return _Merge(run, failures, deps).run_all()


@dataclass(frozen=True)
class _Committed:
    """The chain, the newest state in it, and the state right after this run."""

    head: Head
    newest: View
    own: View


class _Merge:
    def __init__(self, run: Run, failures: Sequence[Mapping[str, str]], deps: MergeDeps) -> None:
        self.run, self.deps, self.objects, self.settings = run, deps, deps.objects, deps.settings
        self.failures = {(one["dataset"], one["region"]): one for one in failures}
        self.states = States(deps.objects)
        self.began = deps.monotonic()
        self.request = read_request(deps.objects, run.slot_at)
        self.seconds: dict[str, float] = {}
        # What is folded into is, as a rule, what the table shows: it is compared with later.
        self.shown: tuple[str, View] | None = None

    def run_all(self) -> MergeOutcome:
        read = self._timed("read", lambda: read_rows(self.objects, self.run.slot_at, self.request))
        counts = read.columns.counts()
        committed = self._timed("fold", lambda: self._commit(read))
        del read.columns  # its 40 MB are not needed any more
        upserted = self._timed("upsert", lambda: self._upsert(committed))
        outputs = self._timed("write", lambda: self._write_files(committed))
        key = keys.manifest(self.run.slot_at)
        content = self._manifest(read, counts, committed, upserted, [*outputs, key])
        self.objects.put(key, orjson.dumps(content), content_type="application/json")
        return MergeOutcome(manifest=content, manifest_key=key, reports=tuple(read.reports), request=self.request)

    def _timed[T](self, name: str, work: Callable[[], T]) -> T:
        began = self.deps.monotonic()
        result = work()
        self.seconds[name] = round(self.deps.monotonic() - began, 3)
        return result

    # -- folding and committing ------------------------------------------------------------------

    def _commit(self, read: RunRows) -> _Committed:
        """Fold, store the states and replace the chain; again from the start when somebody was quicker."""
        for _ in range(_ROUNDS):
            try:
                return self._commit_once(self.states.head(), read)
            except ConflictError:
                continue
        raise StoreError(f"{keys.MERGED_CHAIN}: others replaced it {_ROUNDS} times in a row")

    def _commit_once(self, head: Head, read: RunRows) -> _Committed:
        known = next((one for one in head.runs if one.run_id == self.run.run_id), None)
        if known is not None and known.digest == read.digest:
            own = self._view(self.states.load(known.key))
            newest = own if known is head.runs[-1] else self._view(self.states.load(head.runs[-1].key))
            return _Committed(head, newest, own)
        before = [one for one in head.runs if one.run_id < self.run.run_id]
        after = [one for one in head.runs if one.run_id > self.run.run_id]
        if not before and known is None and len(head.runs) >= _REMEMBERED_RUNS:
            alone = MergedState()
            fold_run(alone, read.columns, slot_number(self.run.slot_at))
            return _Committed(head, self._view(self.states.load(head.runs[-1].key)), self._view(alone))
        base = known or (before[-1] if before else None)
        state = self._loaded(base.key, head) if base else MergedState()
        entries = [*before, self._fold(state, self.run.run_id, read, head.version + 1)]
        own = self._view(state) if not after else self._view(state).kept()
        for later in after:
            self.deps.deadline.check(f"folding run {later.run_id} again", needs_seconds=_FOLDING_SECONDS)
            slot_at = slot_of_run_id(later.run_id)
            again = read_rows(self.objects, slot_at, read_request(self.objects, slot_at))
            entries.append(self._fold(state, later.run_id, again, head.version + 1))
        newest = own if not after else self._view(state)
        fresh = replace(head, version=head.version + 1, runs=tuple(entries[-_REMEMBERED_RUNS:]))
        return _Committed(self.states.replace_head(fresh), newest, own)

    def _view(self, state: MergedState) -> View:
        return View.of(state, self.settings.retire_after_days)

    def _loaded(self, key: str, head: Head) -> MergedState:
        """A state to fold into; when it is what the table shows, that is kept for comparing."""
        state = self.states.load(key)
        if key == head.table_key:
            self.shown = key, self._view(state).kept()
        return state

    def _fold(self, state: MergedState, run_id: str, read: RunRows, version: int) -> MergedRun:
        fold_run(state, read.columns, slot_number(slot_of_run_id(run_id)))
        key = keys.merged_state(run_id, version, self.run.fence)
        self.states.store(state, key)
        return MergedRun(run_id, key, read.digest)

    # -- the table -------------------------------------------------------------------------------

    def _upsert(self, committed: _Committed) -> Upserted:
        """Bring the table from the state it shows to the newest one.

        That this has begun is written down first: whoever comes after a merge that was cut off, or besides one
        that goes on, then writes all that it may have written, whole. Who finds a newer state leaves the table to
        the one who committed that.
        """
        head, key = committed.head, committed.head.runs[-1].key
        if head.table_version >= head.version:
            return Upserted()
        current = self.states.change_head(
            lambda one: (
                replace(one, begun=tuple(dict.fromkeys((*one.begun, key)))) if one.version == head.version else one
            )
        )
        if current.version > head.version or current.table_version >= head.version:
            return Upserted()
        before = self._before(current.table_key)
        others = [self._view(self.states.load(other)) for other in current.begun if other != key]
        again = [*others, committed.newest] if key in head.begun else others
        writing = Writing(run_id=head.runs[-1].run_id, version=head.version, ttl_days=self.settings.retired_ttl_days)
        changes = Changes(before, committed.newest, writing, begun=again)
        cut = current.cut
        if cut is not None:
            changes = changes.beginning_at(cut.next, done_from=cut.begin if cut.key == key else None)
        left = Deadline(lambda: self.deps.deadline.seconds_left() - _WRITING_SECONDS)
        upserted = self.deps.workloads.upsert(changes, deadline=left)
        self._finish_table(current, key, changes, upserted)
        return upserted

    def _before(self, key: str) -> View | None:
        """What the table shows."""
        if not key:
            return None
        return self.shown[1] if self.shown is not None and self.shown[0] == key else self._view(self.states.load(key))

    def _finish_table(self, current: Head, key: str, changes: Changes, upserted: Upserted) -> None:
        """Write down what the table shows now, or where its upsert was cut off."""
        if upserted.done < len(changes):
            begin = current.cut.begin if current.cut is not None and current.cut.key == key else changes.number(0)
            cut = Cut(key=key, begin=begin, next=changes.number(upserted.done))
            self.states.change_head(lambda one: replace(one, cut=cut) if one.version == current.version else one)
            return
        # When somebody has committed a newer state meanwhile, it is theirs to say what the table shows.
        after = self.states.change_head(
            lambda one: (
                replace(one, table_version=one.version, table_key=key, begun=(), cut=None)
                if one.version == current.version
                else one
            )
        )
        self.states.prune(after)

    # -- the files -------------------------------------------------------------------------------

    def _write_files(self, committed: _Committed) -> list[str]:
        """The snapshot of this run, and what shows the newest one. Returns the keys."""
        newest = Files(committed.newest, self.settings.name_casing)
        own = newest if committed.own is committed.newest else Files(committed.own, self.settings.name_casing)
        snapshot = keys.snapshot(self.run.slot_at)
        body = own.snapshot(self.run.slot_at, self.run.desired_counts[0])
        self.objects.put(snapshot, body, content_type="text/csv", content_encoding="gzip")
        newest_at = slot_of_run_id(committed.head.runs[-1].run_id)
        self._put_newest(keys.LATEST, newest.latest(newest_at), committed.head)
        self._put_newest(keys.QUERY_SELECTOR, newest.selector(), committed.head)
        return [snapshot, keys.LATEST, keys.QUERY_SELECTOR]

    def _put_newest(self, key: str, body: bytes, head: Head) -> None:
        """Write what shows the newest state, unless a newer one is committed: then that merge writes it."""
        for _ in range(_ROUNDS):
            stored = self.objects.get(key)
            if self.states.head().version > head.version:
                return
            try:
                self.objects.put(
                    key,
                    body,
                    content_type="application/json",
                    content_encoding="gzip",
                    if_absent=stored is None,
                    if_etag=stored.etag if stored else None,
                )
            except ConflictError:
                continue
            return
        raise StoreError(f"{key}: others replaced it {_ROUNDS} times in a row")

    def _manifest(
        self,
        read: RunRows,
        counts: Mapping[str, int],
        committed: _Committed,
        upserted: Upserted,
        outputs: Sequence[str],
    ) -> dict[str, Any]:
        told = manifest.collected(self.run, self.request, read.reports, read.refused, self.failures)
        is_complete = not told["stale"] and not upserted.left
        rows = {**counts, "merged": int(committed.own.live.sum())}
        return {
            "schema": manifest.SCHEMA,
            "complete": True,
            "status": "complete" if is_complete else "partial",
            **told,
            "coverage_sufficient": told["coverage_percent"] >= self.settings.minimum_coverage_percent,
            "filtered": self.request["asked"]["filtered"],
            "rows": rows,
            "rows_difference_percent": self._rows_difference(rows),
            "changed_rows": upserted.done + upserted.left,
            "written_items": upserted.written,
            "items_left": upserted.left,
            "consumed_write_units": upserted.write_units,
            "write_throttles": upserted.throttles,
            "seconds": {**self.seconds, "total": round(self.deps.monotonic() - self.began, 3)},
            "merged_at": to_iso(self.deps.clock.now()),
            "outputs": list(outputs),
        }

    def _rows_difference(self, rows: Mapping[str, int]) -> float | None:
        """Against the same slot of the day before; a run that was asked for a part is compared with nothing."""
        stored = self.objects.get(keys.manifest(self.run.slot_at - timedelta(days=1)))
        if stored is None or self.request["asked"]["filtered"]:
            return None
        before = orjson.loads(stored.body)
        return None if before.get("filtered", True) else manifest.rows_difference_percent(rows, before["rows"])
