"""The documents of lessons from earlier runs: refused names, restricted pairs, health of locations."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from spotlake import keys
from spotlake.models import Run
from spotlake.planning.lessons import InvalidNames, Learnt, LocationScore, Pair, PairRuns, fold
from spotlake.reports import CollectorReport
from spotlake.state.kinds import Advice, Memory, Note
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects

_LOG = logging.getLogger(__name__)
type RunsByRegion = Mapping[str, Mapping[str, str]]  # region -> size -> run id


class InvalidJson(TypedDict, total=False):
    """``invalid_names.json``: refused name -> run id of the last refusal; empty before the first."""

    regions: Mapping[str, str]
    instance_types: Mapping[str, str]


class RestrictedJson(TypedDict, total=False):
    """``restricted_pairs.json``; ``by_subscription``: digest of a subscription -> its pairs."""

    pairs: RunsByRegion
    by_subscription: Mapping[str, RunsByRegion]


class Weight(TypedDict):
    """How well a location answers, and the run of the last answer."""

    weight: float
    run_id: str


class HealthJson(TypedDict, total=False):
    """``location_health.json``: by routing location."""

    locations: Mapping[str, Weight]


@dataclass(frozen=True, kw_only=True)
class KnownRestrictions:
    """Restricted pairs, those of everybody and those of single subscriptions, with the run of the last refusal."""

    pairs: PairRuns = field(default_factory=dict)
    by_subscription: Mapping[str, PairRuns] = field(default_factory=dict)


def _parse_invalid(content: InvalidJson) -> InvalidNames:
    return InvalidNames(
        regions=dict(content.get("regions", {})), instance_types=dict(content.get("instance_types", {}))
    )


def _dump_invalid(names: InvalidNames) -> InvalidJson:
    return {"regions": names.regions, "instance_types": names.instance_types}


def _parse_restricted(content: RestrictedJson) -> KnownRestrictions:
    by_subscription = content.get("by_subscription", {})
    return KnownRestrictions(
        pairs=_pairs_of(content.get("pairs", {})),
        by_subscription={digest: _pairs_of(pairs) for digest, pairs in by_subscription.items()},
    )


def _dump_restricted(known: KnownRestrictions) -> RestrictedJson:
    by_subscription = {digest: _by_region(pairs) for digest, pairs in known.by_subscription.items()}
    return {"pairs": _by_region(known.pairs), "by_subscription": by_subscription}


type LocationScores = Mapping[str, LocationScore]


def _parse_health(content: HealthJson) -> LocationScores:
    return {
        name: LocationScore(weight=one["weight"], run_id=one["run_id"])
        for name, one in content.get("locations", {}).items()
    }


def _dump_health(health: LocationScores) -> HealthJson:
    return {"locations": {name: {"weight": one.weight, "run_id": one.run_id} for name, one in health.items()}}


INVALID = Advice(key=keys.INVALID_NAMES, schema=1, parse=_parse_invalid, dump=_dump_invalid, empty=InvalidNames)
RESTRICTED = Memory(
    key=keys.RESTRICTED_PAIRS, schema=1, parse=_parse_restricted, dump=_dump_restricted, empty=KnownRestrictions
)
LOCATION_HEALTH: Advice[LocationScores] = Advice(
    key=keys.LOCATION_HEALTH, schema=1, parse=_parse_health, dump=_dump_health, empty=dict
)


def read_learnt(objects: ReadOnlyObjects, note: Note = _LOG.warning) -> Learnt:
    """What earlier runs learnt; what was never written, or is damaged, is empty."""
    known = RESTRICTED.read(objects, note)
    return Learnt(
        restricted=known.pairs,
        restricted_for=known.by_subscription,
        invalid=INVALID.read(objects, note),
        health=LOCATION_HEALTH.read(objects, note),
    )


def read_invalid_names(objects: ReadOnlyObjects) -> InvalidNames:
    """Read the names that calls leave out."""
    return INVALID.read(objects)


def learn_from(objects: ObjectStore, run: Run, reports: Sequence[CollectorReport]) -> None:
    """Add an attempt's reports to the lessons.

    Only changed documents are written, and no other writer's change is lost.

    Raises:
        StoreError: What is known of restrictions cannot be read or written.
    """

    def restricted(before: KnownRestrictions) -> KnownRestrictions:
        known = Learnt(restricted=before.pairs, restricted_for=before.by_subscription)
        after = fold(known, run, reports)
        return KnownRestrictions(pairs=after.restricted, by_subscription=after.restricted_for)

    INVALID.change(objects, lambda before: fold(Learnt(invalid=before), run, reports).invalid)
    RESTRICTED.change(objects, restricted)
    LOCATION_HEALTH.change(objects, lambda before: fold(Learnt(health=before), run, reports).health)


def _by_region(pairs: PairRuns) -> dict[str, dict[str, str]]:
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for (region, size), run_id in pairs.items():
        found[region][size] = run_id
    return dict(found)


def _pairs_of(by_region: Mapping[str, Mapping[str, str]]) -> dict[Pair, str]:
    return {(region, size): run_id for region, sizes in by_region.items() for size, run_id in sizes.items()}
