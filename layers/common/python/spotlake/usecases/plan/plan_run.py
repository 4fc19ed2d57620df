"""Plan: check the input, claim the run, choose its mode, and for an incremental run prepare the work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from spotlake import keys
from spotlake.clock import Clock
from spotlake.errors import InvalidInputError, RunInProgressError
from spotlake.models import Mode, Run, floor_to_slot, from_iso, run_id_of, to_iso
from spotlake.planning.catalogue import Catalogue
from spotlake.planning.run_input import RunRequest, parse_request, require_known_regions, require_known_sizes
from spotlake.settings import Settings
from spotlake.state.catalogue import read_catalogue
from spotlake.stores.claims import Claims
from spotlake.stores.objects import ObjectStore, read_json, write_json
from spotlake.usecases.plan.prepare_work import Asked, PrepareDeps, prepare_collection, write_request

ATTEMPTS_KEY = keys.STATE_PREFIX + "full_attempts.json"
ATTEMPTS_SCHEMA = 1
FULL_ATTEMPTS_A_DAY = 2  # a full run that cannot start must not keep the day's other runs from collecting
_FULL_RUN_LEASE = timedelta(hours=3)


@dataclass(frozen=True, kw_only=True)
class PlanDeps:
    """What planning works with.

    Attributes:
        objects: The write bucket.
        claims: The claim.
        wall: The wall's time: leases are about real time.
        is_running: Whether an execution (ARN) still runs.
        settings: All of them.
        prepare: Makes the preparation's dependencies for a run (it signs in, which a full run leaves to its job).
    """

    objects: ObjectStore
    claims: Claims
    wall: Clock
    is_running: Callable[[str], bool]
    settings: Settings
    prepare: Callable[[Run], PrepareDeps]


def plan_run(raw: Any, *, execution_id: str, started_at: str, deps: PlanDeps) -> dict[str, Any]:
    """Decide what an execution does.

    Args:
        raw: The execution's input.
        execution_id: Its ARN; it holds the claim.
        started_at: When it started, by the wall (ISO).
        deps: See there.

    Returns:
        ``{"status": "planned", "run", "regions", "notes", ...}``, or ``{"status": "skipped", "reason"}`` when
        another execution is collecting. ``regions`` is empty for a full run: its job decides.

    Raises:
        InvalidInputError: The input is wrong; nothing was claimed or called.
    """
    request = parse_request(raw, now_at=None if deps.settings.clock == "run" else deps.wall.now())
    asked = Asked.of(request, deps.settings)
    slot_at = request.slot_at or floor_to_slot(deps.wall.now())
    catalogue = read_catalogue(deps.objects)
    mode = _choose_mode(request, asked, catalogue, slot_at, deps)
    # A full run's job knows better than a catalogue of some regions.
    if catalogue is not None and (catalogue.whole_on or mode is Mode.INCREMENTAL):
        require_known_regions(request.regions, catalogue.pairs)
        require_known_sizes(asked.instance_types, chain.from_iterable(catalogue.pairs.values()))
    try:
        run = _claim(slot_at, mode, request.desired_counts, execution_id, started_at, deps)
    except RunInProgressError as error:
        return {"status": "skipped", "reason": str(error), "run": {}, "regions": []}
    notes = [f"the timestamp was moved to its ten-minute slot, {to_iso(slot_at)}"] if request.floored else []
    if mode is Mode.FULL or catalogue is None:
        if asked.is_whole(deps.settings):
            _count_attempt(deps.objects, slot_at)
        write_request(deps.objects, run, asked)
        return {"status": "planned", "run": run.to_dict(), "regions": [], "notes": notes}
    prepared = prepare_collection(run, asked, catalogue, deps.prepare(run))
    return {
        "status": "planned",
        "run": prepared.run.to_dict(),
        "regions": list(prepared.regions),
        "notes": [*notes, *prepared.notes],
        "calls_planned": prepared.calls_planned,
        "calls_waiting": prepared.calls_waiting,
        "quota_left": prepared.quota_left,
        "oldest_score_age_minutes": prepared.oldest_score_age_minutes,
    }


def _choose_mode(
    request: RunRequest, asked: Asked, catalogue: Catalogue | None, slot_at: datetime, deps: PlanDeps
) -> Mode:
    """Auto is full on the first run of a UTC day, or when a region asked for is not in the catalogue yet.

    A run whose input names regions looks at those alone: it neither waits for the day's full run nor stands
    for it.
    """
    if request.mode != "auto":
        wanted = Mode(request.mode)
        if wanted is Mode.INCREMENTAL and catalogue is None:
            raise InvalidInputError("mode", request.mode, "auto or full: there is no catalogue yet")
        return wanted
    day = slot_at.date().isoformat()
    if catalogue is None:
        return Mode.FULL
    is_new = any(region not in catalogue.pairs for region in asked.regions)
    if not asked.is_whole(deps.settings):
        unlisted = any(catalogue.listed.get(region, "") < day for region in asked.regions)
        return Mode.FULL if is_new or unlisted else Mode.INCREMENTAL
    if catalogue.whole_on >= day and not is_new:
        return Mode.INCREMENTAL
    content, _ = read_json(deps.objects, ATTEMPTS_KEY, schema=ATTEMPTS_SCHEMA)
    tried = content["attempts"] if content and content["day"] == day else 0
    return Mode.FULL if tried < FULL_ATTEMPTS_A_DAY else Mode.INCREMENTAL


def _count_attempt(objects: ObjectStore, slot_at: datetime) -> None:
    day = slot_at.date().isoformat()
    content, _ = read_json(objects, ATTEMPTS_KEY, schema=ATTEMPTS_SCHEMA)
    tried = content["attempts"] if content and content["day"] == day else 0
    write_json(objects, ATTEMPTS_KEY, {"day": day, "attempts": tried + 1}, schema=ATTEMPTS_SCHEMA)


def _claim(
    slot_at: datetime, mode: Mode, counts: Sequence[int], execution_id: str, started_at: str, deps: PlanDeps
) -> Run:
    lease = timedelta(minutes=deps.settings.claim_lease_minutes)
    fence = deps.claims.acquire(
        owner=execution_id,
        run_id=run_id_of(slot_at),
        now_at=deps.wall.now(),
        lease=max(lease, _FULL_RUN_LEASE) if mode is Mode.FULL else lease,
        is_running=deps.is_running,
    )
    return Run(
        run_id=run_id_of(slot_at),
        mode=mode,
        desired_counts=tuple(counts) or (1,),
        started_at=from_iso(started_at).isoformat(),
        owner=execution_id,
        fence=fence,
    )
