"""Finds what kept old values in a slot, and why (pure): listings by region, scores by scored region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spotlake.merge.slot import AttemptRead, SlotRead
from spotlake.models import Dataset
from spotlake.planning.attempt import Failure
from spotlake.reports import PairAccount
from spotlake.run_files import StaleEntry
from spotlake.scores.accounts import NO_REPORT

LISTINGS = (("price", Dataset.PRICE), ("eviction", Dataset.EVICTION))


@dataclass(frozen=True, kw_only=True)
class Stale:
    """A region's data set that keeps old values, in whole or in part.

    Attributes:
        dataset, region: The data set and the region; for scores the scored region. Both are empty when a whole attempt
            got nothing.
        error, cause: Class name of the error, and one sentence.
        missing: Number of pairs, or listings, without an answer.
        asked: Number of pairs, or listings, that were asked.
        since: Slot in which the data set was last whole (ISO); None when it never was.
    """

    dataset: str
    region: str
    error: str
    cause: str
    missing: int = 1
    asked: int = 1
    since: str | None = None

    def to_dict(self) -> StaleEntry:
        """Return the form that the manifest holds."""
        return {
            "dataset": self.dataset,
            "region": self.region,
            "error": self.error,
            "cause": self.cause,
            "missing": self.missing,
            "asked": self.asked,
            "since": self.since,
        }


def listings(slot: SlotRead, dataset: Dataset) -> tuple[set[str], set[str]]:
    """Regions whose listing any attempt owes, and those of them with a whole listing for every such attempt.

    A listing of some sizes counts only for attempts that asked for the same sizes.
    """
    owed: set[str] = set()
    lacking: set[str] = set()
    for attempt in slot.attempts:
        if attempt.work is None:
            continue
        regions = {region for region, item in attempt.work.items.items() if dataset in item.datasets}
        sizes = set(attempt.record.scope.instance_types)
        served = {
            report.region
            for other in slot.attempts
            if set(other.record.scope.instance_types) in (set(), sizes)
            for report in other.reports
            if report.dataset is dataset and report.status == "complete"
        }
        owed |= regions
        lacking |= regions - served
    return owed, owed - lacking


def stale_parts(slot: SlotRead, accounts: Sequence[PairAccount]) -> list[Stale]:
    """Everything that was owed and that no attempt got an answer for."""
    since = next((attempt.work.confirmed_at for attempt in reversed(slot.attempts) if attempt.work), {})
    found = [_unplanned(attempt, slot) for attempt in slot.attempts if attempt.work is None]
    for region in dict.fromkeys(one.region for one in accounts if one.missing):
        own = [one for one in accounts if one.region == region and one.missing]
        found.append(_stale_scores(slot, region, own, since.get(region, {}).get(Dataset.SPS.value)))
    for _, dataset in LISTINGS:
        owed, whole = listings(slot, dataset)
        for region in sorted(owed - whole):
            error, cause = _why(slot, dataset, region)
            last = since.get(region, {}).get(dataset.value)
            found.append(Stale(dataset=dataset.value, region=region, error=error, cause=cause, since=last))
    found.extend(_stale_first_form(slot))
    return found


def _unplanned(attempt: AttemptRead, slot: SlotRead) -> Stale:
    """Entry for an attempt that ended before planning. The attempt that replaced it records the reason."""
    number = attempt.record.run.attempt
    knowing = (one for one in slot.attempts if one is attempt or number in one.record.includes)
    failure = next((fail for one in knowing for fail in one.failures or () if not fail.dataset), None)
    error, cause = (failure.error, failure.cause) if failure else ("UnknownError", "it ended before it had planned")
    return Stale(dataset="", region="", error=error, cause=f"attempt {number}: {cause}")


def _stale_scores(slot: SlotRead, region: str, accounts: Sequence[PairAccount], since: str | None) -> Stale:
    """Entry for a region with unanswered pairs, whichever collectors sent the calls."""
    reasons: dict[str, int] = {}
    for one in accounts:
        for reason, sizes in one.unanswered.items():
            reasons[reason] = reasons.get(reason, 0) + len(sizes)
    senders = [
        report
        for report in slot.reports
        if any(own.region == region and own.missing for own in report.accounts) and report.error
    ]
    error = senders[0].error if senders else None
    if NO_REPORT in reasons:
        lost = _scores_failure(slot)
        error = lost.error if lost else error or "ShardRefusedError"
    missing, asked = sum(one.missing for one in accounts), sum(one.asked for one in accounts)
    said = ", ".join(f"{number} {reason}" for reason, number in sorted(reasons.items()))
    counts = ", ".join(str(one.desired_count) for one in accounts)
    return Stale(
        dataset=Dataset.SPS.value,
        region=region,
        error=error or "AzureError",
        cause=f"{missing} of {asked} pairs have no answer at desired count {counts} ({said})",
        missing=missing,
        asked=asked,
        since=since,
    )


def _stale_first_form(slot: SlotRead) -> list[Stale]:
    """Entries for score shards of attempt 0 that are missing or were not whole."""
    found = []
    for attempt in slot.attempts:
        if attempt.record.run.attempt:
            continue
        found += [
            Stale(dataset=one.dataset.value, region=one.region, error=one.error or "", cause=one.cause or "")
            for one in attempt.reports
            if one.dataset is Dataset.SPS and one.status != "complete"
        ]
        found += [
            Stale(dataset=one.dataset.value, region=one.region, error="ShardRefusedError", cause=one.reason)
            for one in attempt.refused
            if one.dataset is Dataset.SPS
        ]
    return found


def _why(slot: SlotRead, dataset: Dataset, region: str) -> tuple[str, str]:
    """Error and cause of an unfinished listing, from the newest attempt."""
    for attempt in reversed(slot.attempts):
        caught = next((one for one in attempt.failures or () if (one.dataset, one.region) == (dataset, region)), None)
        if caught is not None:
            return caught.error, caught.cause
        report = next((one for one in attempt.reports if (one.dataset, one.region) == (dataset, region)), None)
        if report is not None and report.error:
            return report.error, report.cause or ""
        refused = next((one for one in attempt.refused if (one.dataset, one.region) == (dataset, region)), None)
        if refused is not None:
            step = next((one for one in attempt.failures or () if not one.dataset), None)
            return (step.error, step.cause) if step else ("ShardRefusedError", refused.reason)
    return "UnknownError", "no attempt says why"


def _scores_failure(slot: SlotRead) -> Failure | None:
    """Error and cause of a score collector, or of the whole step."""
    caught = (one for attempt in slot.attempts for one in attempt.failures or ())
    return next((one for one in caught if one.dataset in ("", Dataset.SPS.value)), None)
