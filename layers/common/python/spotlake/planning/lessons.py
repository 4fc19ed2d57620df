"""Lessons of earlier runs: refused names, restricted pairs, health of each routing location (pure).

Collectors report what they found. After the merge one writer adds all reports of a run to the state. Adding a run twice
changes nothing, and an older run does not undo the findings of a newer run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain

from spotlake.models import Dataset, Run, slot_of_run_id
from spotlake.names import join_key
from spotlake.reports import CollectorReport, Findings, LocationAnswers

RESTRICTED_DAYS = 7  # then a pair is asked again through a second subscription
SMALLEST_WEIGHT = 0.05  # a bad location still gets some calls, which show when it has recovered
_RECOVERY = timedelta(hours=1)  # after so long without a call half of what a location lost is forgiven
_LATEST_SHARE = 0.5  # of the newest run in a location's weight

type Pair = tuple[str, str]  # region, size
type PairRuns = Mapping[Pair, str]  # -> id of the run that found it


@dataclass(frozen=True, kw_only=True)
class InvalidNames:
    """Names that Azure refused, each with the run that was refused (run ids sort by time).

    Attributes:
        regions: ARM code -> run id.
        instance_types: ARM size -> run id.
    """

    regions: Mapping[str, str] = field(default_factory=dict)
    instance_types: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LocationScore:
    """Health of a routing location after a run: 1.0 when all calls were answered quickly, 0.0 when none was."""

    weight: float
    run_id: str


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """All lessons.

    Attributes:
        invalid: Names that calls leave out until the next full run asks for them again.
        restricted: Pairs that two subscriptions may not use; they count as restricted for every subscription.
        restricted_for: Digest of a subscription -> pairs that this subscription may not use and another may. Such a
            pair is asked through another subscription from the start.
        health: Routing location -> health.
    """

    invalid: InvalidNames = field(default_factory=InvalidNames)
    restricted: PairRuns = field(default_factory=dict)
    restricted_for: Mapping[str, PairRuns] = field(default_factory=dict)
    health: Mapping[str, LocationScore] = field(default_factory=dict)

    def weights(self, locations: Iterable[str], now_at: datetime) -> dict[str, float]:
        """The share of a location's quota to use, 0.05 to 1.0. A location without a known health gets 1.0."""
        return {name: _weight(self.health.get(name), now_at) for name in locations}


def _weight(score: LocationScore | None, now_at: datetime) -> float:
    if score is None:
        return 1.0
    rested = max(0.0, (now_at - slot_of_run_id(score.run_id)) / _RECOVERY)
    lost: float = (1.0 - score.weight) * 0.5**rested
    return max(SMALLEST_WEIGHT, 1.0 - lost)


def fold(learnt: Learnt, run: Run, reports: Sequence[CollectorReport]) -> Learnt:
    """Add the placement-score reports of a run to the lessons (pure).

    Args:
        learnt: The lessons before the run.
        run: The run.
        reports: Reports of all collectors that wrote a shard. Reports of other data sets are skipped.
    """
    ours = [report for report in reports if report.dataset is Dataset.SPS]
    found = [report.found for report in ours]

    def names(known: Mapping[str, str], refused: Iterable[str], answered: Iterable[str]) -> dict[str, str]:
        healed = set(answered)
        kept = {name: at for name, at in known.items() if at > run.run_id or name not in healed}
        return dict(sorted({**kept, **{name: max(kept.get(name, ""), run.run_id) for name in refused}}.items()))

    return Learnt(
        invalid=InvalidNames(
            regions=names(
                learnt.invalid.regions,
                chain.from_iterable(one.invalid_regions for one in found),
                chain.from_iterable(one.answered_regions for one in found),
            ),
            instance_types=names(
                learnt.invalid.instance_types,
                chain.from_iterable(one.invalid_instance_types for one in found),
                chain.from_iterable(one.answered_instance_types for one in found),
            ),
        ),
        restricted=_fold_restricted(learnt.restricted, run, found),
        restricted_for=_fold_restricted_for(learnt.restricted_for, run, found),
        health=_fold_health(learnt.health, run, found),
    )


def _fold_restricted(known: PairRuns, run: Run, found: Sequence[Findings]) -> dict[Pair, str]:
    pairs = _not_lapsed(known, run)
    opened = {(region, size) for one in found for region, size in one.unrestricted_pairs}
    pairs = {pair: at for pair, at in pairs.items() if at > run.run_id or (pair[0], join_key(pair[1])) not in opened}
    for one in found:
        for region, size in one.restricted_pairs:
            pairs[region, size] = max(pairs.get((region, size), ""), run.run_id)
    return dict(sorted(pairs.items()))


def _fold_restricted_for(
    known: Mapping[str, PairRuns], run: Run, findings: Sequence[Findings]
) -> dict[str, dict[Pair, str]]:
    """End these restrictions by age alone: a pair that is not asked through a subscription is not seen to open."""
    found = {digest: _not_lapsed(pairs, run) for digest, pairs in known.items()}
    for one in findings:
        for digest, listed in one.restricted_for.items():
            pairs = found.setdefault(digest, {})
            pairs.update({(region, size): max(pairs.get((region, size), ""), run.run_id) for region, size in listed})
    return {digest: dict(sorted(pairs.items())) for digest, pairs in sorted(found.items()) if pairs}


def _not_lapsed(pairs: PairRuns, run: Run) -> dict[Pair, str]:
    oldest = run.slot_at - timedelta(days=RESTRICTED_DAYS)
    return {pair: at for pair, at in pairs.items() if slot_of_run_id(at) > oldest}


def _fold_health(
    known: Mapping[str, LocationScore], run: Run, findings: Sequence[Findings]
) -> dict[str, LocationScore]:
    seen: defaultdict[str, list[LocationAnswers]] = defaultdict(list)
    for found in findings:
        for location, answers in found.locations.items():
            seen[location].append(answers)
    health = dict(known)
    for location, samples in seen.items():
        before = health.get(location)
        if before is not None and before.run_id >= run.run_id:
            continue
        sent = sum(one.sent for one in samples)
        bad = sum(one.failed + 0.5 * one.slow for one in samples)
        share = 1.0 - min(1.0, bad / sent) if sent else 1.0
        old = _weight(before, run.slot_at)
        weight = round(_LATEST_SHARE * share + (1 - _LATEST_SHARE) * old, 4)
        health[location] = LocationScore(weight=weight, run_id=run.run_id)
    return dict(sorted(health.items()))


@dataclass(frozen=True)
class Restrictions:
    """The restrictions that a collector applies; sizes are in the form of ``join_key``.

    Attributes:
        everywhere: Pairs that need not be asked through a second subscription.
        by_subscription: Digest of a subscription -> pairs to ask through another subscription.
    """

    everywhere: frozenset[Pair] = frozenset()
    by_subscription: Mapping[str, frozenset[Pair]] = field(default_factory=dict)
