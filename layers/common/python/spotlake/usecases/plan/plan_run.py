"""Plan: checks the input, claims the slot, chooses the mode, and prepares the work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import Any

from spotlake.clock import Clock
from spotlake.errors import RunInProgressError
from spotlake.events import PlanResult
from spotlake.models import Mode, Run, floor_to_slot, from_iso, run_id_of, to_iso
from spotlake.names import regions_to_collect
from spotlake.planning.attempt import AttemptRecord, Work
from spotlake.planning.groups import group_regions
from spotlake.planning.run_input import parse_input, require_known_regions, require_known_sizes
from spotlake.planning.scope import Scope
from spotlake.settings import Settings
from spotlake.state.attempts import write_record
from spotlake.state.catalogue import read_catalogue
from spotlake.state.full_runs import note_full_run, read_full_runs
from spotlake.stores.claims import COLLECTION, FULL_RUN, Claims, own_lane
from spotlake.stores.objects import ObjectStore
from spotlake.usecases.plan.prepare_work import Prepared, PrepareDeps, prepare_collection
from spotlake.usecases.plan.slot_answers import SlotAnswers, read_slot_answers

# Longer than any execution (TimeoutSeconds of statemachine/collector.asl.json), so no claim ends while its owner runs.
LEASE = timedelta(hours=3, minutes=5)


@dataclass(frozen=True, kw_only=True)
class PlanDeps:
    """Dependencies of Plan.

    Attributes:
        objects: The write bucket.
        claims: Claims of the deployment.
        wall: Wall clock, because leases last for real time.
        is_running: Whether an execution (ARN) still runs.
        settings: The settings.
        prepare: Makes the dependencies of the preparation for an attempt. It may sign in; a full run leaves that to its
            job.
    """

    objects: ObjectStore
    claims: Claims
    wall: Clock
    is_running: Callable[[str], bool]
    settings: Settings
    prepare: Callable[[Run], PrepareDeps]


def plan_run(raw: Any, *, execution_id: str, started_at: str, deps: PlanDeps) -> PlanResult:
    """Decide what an execution does, and prepare its work.

    Args:
        raw: Input of the execution.
        execution_id: ARN of the execution, which holds the claim.
        started_at: Start of the execution by the wall clock (ISO).
        deps: Dependencies.

    Returns:
        ``status`` is "planned", or "skipped" when another execution collects the same. ``groups`` holds the
        regions to collect, divided by their work. A full run has none, because its job chooses its regions.
        ``start_full_run``: the daily full run is due, and no execution does it.

    Raises:
        InvalidInputError: The input is wrong. Nothing was claimed or called.
        StoreError: A store cannot be read or written. Planning again is safe.
    """
    return _Planning(raw, execution_id, started_at, deps).plan()


class _Planning:
    def __init__(self, raw: Any, execution_id: str, started_at: str, deps: PlanDeps) -> None:
        self.deps, self.execution_id, self.started_at = deps, execution_id, started_at
        self.given = parse_input(raw, now_at=None if deps.settings.clock == "run" else deps.wall.now())
        self.scope = Scope.of(self.given, deps.settings)
        self.slot_at = self.given.slot_at or floor_to_slot(deps.wall.now())
        self.catalogue = read_catalogue(deps.objects)

    def plan(self) -> PlanResult:
        mode = self._choose_mode()
        self._require_known_names()
        try:
            run = self._claim(mode)
        except RunInProgressError as error:
            return PlanResult(status="skipped", reason=str(error), run=None, groups=[])
        answers = SlotAnswers()
        if self.scope.resume:
            answers = read_slot_answers(self.deps.objects, self.slot_at, self.scope.instance_types)
        includes = tuple(number for number in answers.attempts if number != run.attempt)
        record = write_record(self.deps.objects, AttemptRecord(run=run, scope=self.scope, includes=includes))
        if mode is Mode.FULL:
            if self._is_whole:
                note_full_run(self.deps.objects, self.slot_at, done=False)
            return self._result(record.run, collect_instead=self._is_whole and not self.catalogue.pairs)
        return self._incremental(record, answers)

    def _incremental(self, record: AttemptRecord, answers: SlotAnswers) -> PlanResult:
        deps = self.deps.prepare(record.run)
        candidates = () if self.scope.regions or self.catalogue.pairs else regions_to_collect(deps.routing)
        prepared = prepare_collection(record, self.catalogue, deps, candidates=candidates, answers=answers)
        result = self._result(prepared.work.run, prepared, start_full_run=self._full_run_is_due())
        if deps.secret_days_left is not None:
            result["secret_days_left"] = deps.secret_days_left
            result["secret_ends_soon"] = deps.secret_days_left < self.deps.settings.secret_expiry_alarm_days
        return result

    def _result(
        self, run: Run, prepared: Prepared | None = None, *, start_full_run: bool = False, collect_instead: bool = False
    ) -> PlanResult:
        notes = (
            [f"the timestamp was moved to its ten-minute slot, {to_iso(self.slot_at)}"] if self.given.floored else []
        )
        result = PlanResult(
            status="planned",
            run=run.to_dict(),
            groups=self._groups(prepared.work) if prepared else [],
            notes=[*notes, *(prepared.notes if prepared else ())],
            start_full_run=start_full_run,
            collect_instead=collect_instead,
        )
        if prepared is not None:
            work = prepared.work
            result["calls_planned"], result["calls_waiting"] = work.calls_planned, work.calls_waiting
            result["quota_left"] = work.quota_left
            result["oldest_waiting_minutes"] = work.oldest_waiting_minutes
        return result

    def _groups(self, work: Work) -> list[list[str]]:
        calls = {region: len(item.calls) for region, item in work.items.items()}
        return group_regions(calls, self.deps.settings.region_groups)

    @property
    def _is_whole(self) -> bool:
        """Whether everything that the settings collect is asked for."""
        return not self.scope.filtered and not self.scope.resume

    def _choose_mode(self) -> Mode:
        """Full when the input says so, or when the catalogue has no size of a wanted region.

        All other runs collect their slot incrementally, and the daily full run works beside them. While the first full
        run works, or after it failed, the slots list prices, which also fills the catalogue.
        """
        if self.given.mode != "auto":
            return Mode(self.given.mode)
        if self.deps.claims.is_held_by(FULL_RUN, self.execution_id):
            return Mode.FULL  # what this execution chose before a store failed it
        is_known = bool(self.catalogue.pairs) and all(region in self.catalogue.pairs for region in self.scope.regions)
        if is_known or self.scope.resume:
            return Mode.INCREMENTAL
        return Mode.FULL if self.scope.filtered or self._full_run_is_due() else Mode.INCREMENTAL

    def _full_run_is_due(self) -> bool:
        if self.given.mode != "auto" or not self._is_whole:
            return False
        if not read_full_runs(self.deps.objects).is_due(self.slot_at):
            return False
        return self.deps.claims.holder(FULL_RUN, now_at=self.deps.wall.now(), is_running=self.deps.is_running) is None

    def _require_known_names(self) -> None:
        """Refuse unknown names. A region that was never listed is accepted, so that it gets listed."""
        pairs = self.catalogue.pairs
        if not pairs:
            return
        if self.given.mode == Mode.INCREMENTAL:
            require_known_regions(self.given.regions, pairs)
        chosen = [pairs[region] for region in self.scope.regions or pairs if region in pairs]
        if len(chosen) == len(self.scope.regions or pairs):
            require_known_sizes(self.scope.instance_types, chain.from_iterable(chosen))

    def _claim(self, mode: Mode) -> Run:
        part = self.scope.filtered or self.scope.resume
        lane = own_lane(self.execution_id) if part else FULL_RUN if mode is Mode.FULL else COLLECTION
        fence = self.deps.claims.acquire(
            lane,
            owner=self.execution_id,
            run_id=run_id_of(self.slot_at),
            now_at=self.deps.wall.now(),
            lease=LEASE,
            is_running=self.deps.is_running,
        )
        return Run(
            run_id=run_id_of(self.slot_at),
            attempt=fence,
            mode=mode,
            desired_counts=self.given.desired_counts or (1,),
            started_at=from_iso(self.started_at),
            owner=self.execution_id,
        )
