"""Finishes an attempt: merges the data, then stores lessons for later runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from spotlake.events import FindingsResult, MergeResult, PricesResult
from spotlake.merge.findings import Findings, fold_findings, looked_at, of_one_run
from spotlake.merge.growing_columns import distinct
from spotlake.merge.slot import AttemptRead, SlotRead
from spotlake.merge.state import slot_time
from spotlake.merge.view import View
from spotlake.models import Dataset, Mode, Run, to_iso
from spotlake.names import is_spot_eligible
from spotlake.planning.attempt import Failure
from spotlake.planning.catalogue import Catalogue, fold_listing
from spotlake.planning.price_memory import DISAGREEMENT, UNKNOWN_KIND, fold_prices
from spotlake.planning.sweep import Sweep, block_id, record_answers
from spotlake.reports import CollectorReport
from spotlake.settings import Settings
from spotlake.state.call_plan import CALL_PLAN
from spotlake.state.catalogue import change_catalogue
from spotlake.state.findings import FINDINGS
from spotlake.state.full_runs import note_full_run
from spotlake.state.last_good import note_last_good
from spotlake.state.lessons import learn_from
from spotlake.state.price_memory import PRICE_MEMORY
from spotlake.state.refused_subscriptions import note_refused
from spotlake.state.sweep import change_sweep
from spotlake.stores.objects import ObjectStore
from spotlake.usecases.merge.merge_run import MergeDeps, merge_run
from spotlake.usecases.merge.write_manifest import Merged, result_of


@dataclass(frozen=True, kw_only=True)
class FinishDeps:
    """Dependencies of finishing: those of the merge, and the write bucket."""

    merge: MergeDeps
    objects: ObjectStore


def finish_run(run: Run, failures: Sequence[Failure], deps: FinishDeps) -> MergeResult:
    """Merge, then update the catalogue, refused names, restricted pairs, health of locations, row counts and sweep.

    Each document is changed on condition, so a change of another attempt at the same time is not lost.

    Args:
        run: The attempt.
        failures: Failures that were caught while the attempt collected.
        deps: Dependencies.

    Raises:
        StoreError, DeadlineError: As ``merge_run``; finishing again continues the work.
    """
    merged = merge_run(run, failures, deps.merge)
    own = next(one for one in merged.slot.attempts if one.record.run.attempt == run.attempt)
    _note_listing(merged, deps.objects, deps.merge.settings)
    learn_from(deps.objects, run, own.reports)
    note_refused(deps.objects, run, own.reports)
    listings = [] if own.record.scope.instance_types else own.reports  # some sizes are no whole listing
    note_last_good(deps.objects, run.slot_at, listings, merged.slot.account.accounts())
    _note_answers(merged.slot, deps.objects)
    if run.mode is Mode.FULL and _is_whole(own):
        note_full_run(deps.objects, run.slot_at, done=True)
    result = result_of(deps.objects, run)
    result = cast("MergeResult", {**result, **_note_prices(merged, listings, deps.objects)})
    return cast("MergeResult", {**result, **_note_findings(run, result, deps)})


def _note_prices(merged: Merged, listings: Sequence[CollectorReport], objects: ObjectStore) -> PricesResult:
    """Remember what the listings taught of prices; what of it is new to people, and how far the witnesses differ."""
    slot_at = merged.slot.slot_at
    compared = {one.region: one.compared(slot_at) for one in merged.witnesses}
    memory = PRICE_MEMORY.change(objects, lambda one: fold_prices(one, slot_at, listings, compared))
    return {
        "new_unknown_kinds": memory.new_in(UNKNOWN_KIND, slot_at),
        "new_price_disagreements": memory.new_in(DISAGREEMENT, slot_at),
        "witness_disagreement_percent": memory.worst_disagreement_percent(),
    }


def _note_findings(run: Run, result: MergeResult, deps: FinishDeps) -> FindingsResult:
    """Remember what of the data needs eyes, and say what of it is new."""
    looks = looked_at(result, deps.merge.settings)

    def says_nothing_of_now(known: Findings) -> bool:
        return bool(result.get("filtered")) or to_iso(run.slot_at) < known.at

    known = FINDINGS.change(
        deps.objects, lambda one: one if says_nothing_of_now(one) else fold_findings(one, run.slot_at, looks)
    )
    found = of_one_run(known, run.slot_at, looks) if says_nothing_of_now(known) else known
    return {"findings": list(found.present()), "data_findings": len(found.present()), "new_findings": len(found.new())}


def _is_whole(attempt: AttemptRead) -> bool:
    """Whether a full run of everything listed the prices of most regions."""
    if attempt.work is None or attempt.record.scope.filtered:
        return False
    listed = sum(one.dataset is Dataset.PRICE and one.status == "complete" for one in attempt.reports)
    return 2 * listed > len(attempt.work.items)


def _note_listing(merged: Merged, objects: ObjectStore, settings: Settings) -> None:
    """Update the catalogue from the price listings of this attempt."""
    looked = merged.slot.looks.by_part["spot"]
    sizes = {
        region: [size for size in merged.listed.get(region, ()) if is_spot_eligible(size)]
        for region in sorted({*looked, *merged.listed})
    }
    names = merged.newest.state.regions

    def change(catalogue: Catalogue) -> Catalogue:
        # A part by hand says nothing of what it did not ask for; a region that is known by nothing else is better kept.
        listing = {one: found for one, found in sizes.items() if one in looked or one not in catalogue.pairs}
        catalogue = _with_lost_regions(catalogue, merged.newest)
        named = {region: names[region] for region in listing if region in names}
        return fold_listing(
            catalogue, merged.run.slot_at.date(), listing, named,
            keep_days=settings.catalogue_days, keep_closed_days=settings.retire_after_days,
        )  # fmt: skip

    change_catalogue(objects, change)


def _with_lost_regions(catalogue: Catalogue, newest: View) -> Catalogue:
    """Add the live pairs of regions that the catalogue does not have: it was lost, and nobody would look at them."""
    state = newest.state
    live = distinct(newest.pair[newest.live])
    regions = state.pair["region"][live]
    lost = {number for number in distinct(regions).tolist() if state.texts[number] not in catalogue.pairs}
    if not lost:
        return catalogue
    found: dict[str, dict[str, str]] = {}
    for pair in live[np.isin(regions, list(lost))].tolist():
        region, size, listed = (int(state.pair[name][pair]) for name in ("region", "size", "listed"))
        if is_spot_eligible(state.texts[size]):
            day = slot_time(listed).date().isoformat()
            found.setdefault(state.texts[region], {})[state.texts[size]] = day
    return replace(catalogue, pairs=dict(sorted({**catalogue.pairs, **found}.items())))


def _note_answers(slot: SlotRead, objects: ObjectStore) -> None:
    """Record which blocks of the stored plan were answered, at which count. A part's own plan has other blocks."""
    plan = [block_id(block) for block in CALL_PLAN.read(objects).blocks]
    known = frozenset(plan)
    answered: dict[int, list[str]] = {}
    failed: dict[int, list[str]] = {}
    for attempt in slot.attempts:
        work = attempt.work
        for call in work.calls() if work is not None else ():
            block = work.blocks.get(call.call_id) if work is not None else None
            if block in known and block is not None:
                target = answered if slot.account.is_answered(call) else failed
                target.setdefault(call.desired_count, []).append(block)

    def change(sweep: Sweep) -> Sweep:
        for count in {*answered, *failed}:
            sweep = record_answers(
                sweep,
                slot_at=slot.slot_at,
                count=count,
                answered=answered.get(count, []),
                failed=failed.get(count, []),
                plan=plan,
            )
        return sweep

    if answered or failed:
        change_sweep(objects, change)
