"""The documents of what runs have taught: refused names, restricted pairs, health of locations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict

from spotlake import keys
from spotlake.models import Run
from spotlake.names import join_key
from spotlake.planning.lessons import InvalidNames, Learnt, LocationScore, Pair, PairRuns, Restrictions, fold
from spotlake.reports import CollectorReport
from spotlake.stores.documents import change_json, read_json
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects

SCHEMA = 1
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


def read_learnt(objects: ReadOnlyObjects) -> Learnt:
    """The state; what was never written is empty. Raises StoreError when it is damaged."""
    return replace(
        _restricted(_content(objects, keys.RESTRICTED_PAIRS)),
        invalid=read_invalid_names(objects),
        health=_health(_content(objects, keys.LOCATION_HEALTH)),
    )


def read_invalid_names(objects: ReadOnlyObjects) -> InvalidNames:
    """Names that are left out of the calls."""
    return _invalid(_content(objects, keys.INVALID_NAMES))


def read_restrictions(objects: ReadOnlyObjects) -> Restrictions:
    """What is known of restrictions. Raises StoreError when it is damaged."""
    content = _content(objects, keys.RESTRICTED_PAIRS)

    def joined(pairs: Mapping[str, Mapping[str, str]]) -> frozenset[Pair]:
        return frozenset((region, join_key(size)) for region, sizes in pairs.items() for size in sizes)

    return Restrictions(
        joined(content.get("pairs", {})),
        {digest: joined(pairs) for digest, pairs in content.get("by_subscription", {}).items()},
    )


def learn_from(objects: ObjectStore, run: Run, reports: Sequence[CollectorReport]) -> None:
    """Fold an attempt's reports into the state; only what changed is written, and no other writer's change is lost.

    Raises:
        StoreError: The state cannot be read or written.
    """

    def refused(content: InvalidJson | None) -> InvalidJson | None:
        before = Learnt(invalid=_invalid(content or InvalidJson()))
        after = fold(before, run, reports).invalid
        return None if after == before.invalid else {"regions": after.regions, "instance_types": after.instance_types}

    def restricted(content: RestrictedJson | None) -> RestrictedJson | None:
        before = _restricted(content or RestrictedJson())
        after = fold(before, run, reports)
        if (after.restricted, after.restricted_for) == (before.restricted, before.restricted_for):
            return None
        by_subscription = {digest: _by_region(pairs) for digest, pairs in after.restricted_for.items()}
        return {"pairs": _by_region(after.restricted), "by_subscription": by_subscription}

    def health(content: HealthJson | None) -> HealthJson | None:
        before = Learnt(health=_health(content or HealthJson()))
        after = fold(before, run, reports).health
        scores: dict[str, Weight] = {name: {"weight": one.weight, "run_id": one.run_id} for name, one in after.items()}
        return None if after == before.health else {"locations": scores}

    change_json(objects, keys.INVALID_NAMES, refused, schema=SCHEMA)
    change_json(objects, keys.RESTRICTED_PAIRS, restricted, schema=SCHEMA)
    change_json(objects, keys.LOCATION_HEALTH, health, schema=SCHEMA)


def _invalid(content: InvalidJson) -> InvalidNames:
    return InvalidNames(regions=content.get("regions", {}), instance_types=content.get("instance_types", {}))


def _restricted(content: RestrictedJson) -> Learnt:
    return Learnt(
        restricted=_pairs_of(content.get("pairs", {})),
        restricted_for={digest: _pairs_of(pairs) for digest, pairs in content.get("by_subscription", {}).items()},
    )


def _health(content: HealthJson) -> dict[str, LocationScore]:
    return {
        name: LocationScore(weight=one["weight"], run_id=one["run_id"])
        for name, one in content.get("locations", {}).items()
    }


def _by_region(pairs: PairRuns) -> dict[str, dict[str, str]]:
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for (region, size), run_id in pairs.items():
        found[region][size] = run_id
    return dict(found)


def _pairs_of(by_region: Mapping[str, Mapping[str, str]]) -> dict[Pair, str]:
    return {(region, size): run_id for region, sizes in by_region.items() for size, run_id in sizes.items()}


def _content(objects: ReadOnlyObjects, key: str) -> Any:
    content, _ = read_json(objects, key, schema=SCHEMA)
    return content or {}
