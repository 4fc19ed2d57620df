"""Makes the manifest of a slot: what was asked, answered, and left as before (pure). Fields: docs/data.md.

The manifest is a function of the slot's attempts. "complete" means that everything that was owed has an answer. A pair
that was not asked, because the quota was used up or nothing was planned, never counts as answered.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from spotlake.merge.slot import AttemptRead, SlotRead
from spotlake.merge.stale import LISTINGS, Stale, listings, stale_parts
from spotlake.models import Dataset, Mode, run_id_of, to_iso
from spotlake.planning.attempt import FIRST_FORM
from spotlake.reports import CollectorReport, PairAccount
from spotlake.run_files import AccountEntry, AttemptEntry, Collected, CollectorEntry

NOTHING_PLANNED = "nothing was planned"
NO_QUOTA = "no call could be asked: the quota is used up"
NOT_DUE = "its turn is a later slot"  # settings price_every_minutes and eviction_every_minutes
NO_PAIRS = "no pair is known yet: the catalogue begins with the first price listing"


def collected(slot: SlotRead) -> Collected:
    """The part of the manifest that describes collecting: status, coverage, accounts, stale regions, collectors."""
    accounts = slot.account.accounts()
    coverage, reasons = _coverage(slot, accounts)
    stale = stale_parts(slot, accounts)
    shares = [one or 0.0 for name, one in coverage.items() if reasons.get(name) != NOT_DUE]
    percent = _floored(sum(shares) / len(shares))
    scores = [one for one in slot.reports if one.dataset is Dataset.SPS]
    works = [attempt.work for attempt in slot.attempts if attempt.work is not None]
    runs = [attempt.work.run if attempt.work else attempt.record.run for attempt in slot.attempts]
    regions = {region for work in works for region in work.items}
    return {
        "run_id": run_id_of(slot.slot_at),
        "status": _status(percent, stale, reasons),
        "attempts": [_attempt(one) for one in slot.attempts],
        "mode": (Mode.FULL if any(run.mode is Mode.FULL for run in runs) else Mode.INCREMENTAL).value,
        "desired_counts": list(dict.fromkeys(count for run in runs for count in run.desired_counts)),
        "filtered": all(attempt.record.scope.filtered for attempt in slot.attempts),
        "regions_requested": len(regions),
        "regions_complete": _regions_complete(slot, regions, accounts),
        "pairs": sum(len(sizes) for sizes in _owed(slot).values()),
        "coverage": coverage,
        "coverage_reasons": reasons,
        "coverage_percent": percent,
        "accounts": [_account(one) for one in accounts],
        "sps_calls": sum(one.counts.get("calls_sent", 0) for one in scores),
        "calls_planned": sum(work.calls_planned for work in works),
        "calls_waiting": works[-1].calls_waiting if works else 0,
        "calls_unsent": sum(one.counts.get("calls_unsent", 0) for one in scores),
        "throttled_calls": sum(one.counts.get("throttles", 0) for one in scores),
        "quota_left": works[-1].quota_left if works else None,
        "oldest_waiting_minutes": works[-1].oldest_waiting_minutes if works else None,
        "stale": [one.to_dict() for one in stale],
        "stale_regions": len({one.region for one in stale}),
        "refused_shards": [
            {"key": one.key, "dataset": one.dataset.value, "region": one.region, "reason": one.reason}
            for attempt in slot.attempts
            for one in attempt.refused
        ],
        "collectors": [_collector(one, attempt) for attempt in slot.attempts for one in attempt.reports],
    }


def listed_everywhere(content: Collected) -> set[str]:
    """The data sets that a slot owed in all its regions; others are not due everywhere, and not to be compared."""
    names = {dataset.value: name for name, dataset in LISTINGS}
    asked: dict[str, set[str]] = {name: set() for name in names}
    for region, dataset in [(one["region"], one["dataset"]) for one in [*content["collectors"], *content["stale"]]]:
        if dataset in asked:
            asked[dataset].add(region)
    return {"sps"} | {names[name] for name, there in asked.items() if len(there) >= content["regions_requested"]}


def rows_difference_percent(now: Mapping[str, int], before: Mapping[str, int]) -> float | None:
    """Largest difference in rows between two runs, over all data sets, in percent; None: nothing to compare.

    >>> rows_difference_percent({"sps": 90, "price": 100}, {"sps": 100, "price": 100})
    10.0
    """
    shares = [abs(now[name] - known) / known for name, known in before.items() if known and name in now]
    return round(100 * max(shares), 2) if shares else None


def _status(percent: float, stale: Sequence[Stale], reasons: Mapping[str, str]) -> str:
    if percent == 0:
        return "failed"
    lacking = [reason for reason in reasons.values() if reason != NOT_DUE]
    return "partial" if stale or lacking else "complete"


def _floored(percent: float) -> float:
    """Round down to two decimals: 100 only when nothing is missing.

    >>> _floored(99.999)
    99.99
    """
    return math.floor(percent * 100) / 100


def _owed(slot: SlotRead) -> dict[str, set[str]]:
    """Region -> sizes whose scores any attempt owes."""
    owed: dict[str, set[str]] = {}
    for attempt in slot.attempts:
        if attempt.work is not None:
            for region, sizes in attempt.work.owed_sizes().items():
                owed.setdefault(region, set()).update(sizes)
    return owed


def _coverage(slot: SlotRead, accounts: Sequence[PairAccount]) -> tuple[dict[str, float | None], dict[str, str]]:
    """Coverage in percent by data set; None, with a reason, for a data set of which nothing could be asked."""
    reasons: dict[str, str] = {}
    asked = sum(one.asked for one in accounts)
    coverage: dict[str, float | None] = {"sps": None}
    if asked:
        coverage["sps"] = _floored(100 * sum(one.answered for one in accounts) / asked)
    elif _first_form_scored(slot):
        coverage["sps"] = 100.0
    else:
        waiting = any(attempt.work is not None and attempt.work.calls_waiting for attempt in slot.attempts)
        planned = any(attempt.work is not None for attempt in slot.attempts)
        reasons["sps"] = NO_QUOTA if waiting else NO_PAIRS if planned else NOTHING_PLANNED
    for name, dataset in LISTINGS:
        owed, whole = listings(slot, dataset)
        coverage[name] = _floored(100 * len(owed & whole) / len(owed)) if owed else None
        if not owed:
            reasons[name] = NOT_DUE if _is_later(slot, dataset) else NOTHING_PLANNED
    return coverage, reasons


def _is_later(slot: SlotRead, dataset: Dataset) -> bool:
    """Whether Plan wrote down that this listing is not due, for every region of every attempt."""
    items = [item for attempt in slot.attempts if attempt.work is not None for item in attempt.work.items.values()]
    planned = all(attempt.work is not None for attempt in slot.attempts)
    return planned and bool(items) and all(dataset in item.later for item in items)


def _first_form_scored(slot: SlotRead) -> bool:
    """Whether attempt 0 wrote all its score shards, each of them whole.

    Shards of attempt 0 have rows and no account. A later attempt's shard without an account asked no owed pair.
    """
    first = [attempt for attempt in slot.attempts if attempt.record.run.attempt == FIRST_FORM]
    reports = [one for attempt in first for one in attempt.reports if one.dataset is Dataset.SPS]
    refused = any(one.dataset is Dataset.SPS for attempt in first for one in attempt.refused)
    return bool(reports) and not refused and all(one.status == "complete" for one in reports)


def _regions_complete(slot: SlotRead, regions: Iterable[str], accounts: Sequence[PairAccount]) -> int:
    """Number of regions that have everything that was owed, including scores if any score could be asked."""
    lacking = {one.region for one in accounts if one.missing} | {
        report.region for report in slot.reports if not report.accounts and report.status != "complete"
    }
    nothing_asked = not any(one.asked for one in accounts) and not _first_form_scored(slot)
    for _, dataset in LISTINGS:
        owed, whole = listings(slot, dataset)
        lacking |= owed - whole
    return 0 if nothing_asked else sum(region not in lacking for region in regions)


def _attempt(attempt: AttemptRead) -> AttemptEntry:
    run, scope = attempt.record.run, attempt.record.scope
    if attempt.work is not None:
        run = attempt.work.run
    step = next((one for one in attempt.failures or () if not one.dataset), None)
    return {
        "attempt": run.attempt,
        "mode": run.mode.value,
        "started_at": to_iso(run.started_at),
        "desired_counts": list(run.desired_counts),
        "filtered": scope.filtered,
        "resumed": scope.resume,
        "regions": list(scope.regions),
        "instance_types": list(scope.instance_types),
        "planned": attempt.work is not None,
        "calls_planned": attempt.work.calls_planned if attempt.work else 0,
        "calls_waiting": attempt.work.calls_waiting if attempt.work else 0,
        "error": step.error if step else None,
        "cause": step.cause if step else None,
    }


def _account(one: PairAccount) -> AccountEntry:
    return {
        "region": one.region,
        "desired_count": one.desired_count,
        "asked": one.asked,
        "scored": one.scored,
        "without_score": {reason: len(sizes) for reason, sizes in one.without_score.items()},
        "unanswered": {reason: len(sizes) for reason, sizes in one.unanswered.items()},
    }


def _collector(report: CollectorReport, attempt: AttemptRead) -> CollectorEntry:
    return {
        "attempt": attempt.record.run.attempt,
        "dataset": report.dataset.value,
        "region": report.region,
        "status": report.status,
        "rows": report.rows,
        "seconds": report.seconds,
        "counts": report.counts,
    }
