"""The documents of what runs have taught: refused names, restricted pairs, health of locations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from spotlake import keys
from spotlake.models import CollectorReport, Run
from spotlake.names import join_key
from spotlake.planning.lessons import InvalidNames, Learnt, LocationScore, Pair, PairRuns, Restrictions, fold
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects, read_json, write_json

SCHEMA = 1


def read_learnt(objects: ReadOnlyObjects) -> Learnt:
    """The state; what was never written is empty. Raises StoreError when it is damaged."""
    restrictions = _content(objects, keys.RESTRICTED_PAIRS)
    return Learnt(
        invalid=read_invalid_names(objects),
        restricted=_pairs_of(restrictions.get("pairs", {})),
        restricted_for={digest: _pairs_of(pairs) for digest, pairs in restrictions.get("by_subscription", {}).items()},
        health={
            name: LocationScore(weight=one["weight"], run_id=one["run_id"])
            for name, one in _content(objects, keys.LOCATION_HEALTH).get("locations", {}).items()
        },
    )


def read_invalid_names(objects: ReadOnlyObjects) -> InvalidNames:
    """Names that are left out of the calls."""
    content = _content(objects, keys.INVALID_NAMES)
    return InvalidNames(regions=content.get("regions", {}), instance_types=content.get("instance_types", {}))


def read_restrictions(objects: ReadOnlyObjects) -> Restrictions:
    """What is known of restrictions. Raises StoreError when it is damaged."""
    content = _content(objects, keys.RESTRICTED_PAIRS)

    def joined(pairs: Mapping[str, Mapping[str, str]]) -> frozenset[Pair]:
        return frozenset((region, join_key(size)) for region, sizes in pairs.items() for size in sizes)

    return Restrictions(
        joined(content.get("pairs", {})),
        {digest: joined(pairs) for digest, pairs in content.get("by_subscription", {}).items()},
    )


def fold_reports(objects: ObjectStore, run: Run, reports: Sequence[CollectorReport]) -> Learnt:
    """Fold a run's reports into the state; only what changed is written.

    Call it once a run, after the merge, from the execution that holds the claim.

    Raises:
        StoreError: The state cannot be read or written.
    """
    before = read_learnt(objects)
    after = fold(before, run, reports)
    if after.invalid != before.invalid:
        names = {"regions": after.invalid.regions, "instance_types": after.invalid.instance_types}
        write_json(objects, keys.INVALID_NAMES, names, schema=SCHEMA)
    if (after.restricted, after.restricted_for) != (before.restricted, before.restricted_for):
        content = {
            "pairs": _by_region(after.restricted),
            "by_subscription": {digest: _by_region(pairs) for digest, pairs in after.restricted_for.items()},
        }
        write_json(objects, keys.RESTRICTED_PAIRS, content, schema=SCHEMA)
    if after.health != before.health:
        scores = {name: {"weight": one.weight, "run_id": one.run_id} for name, one in after.health.items()}
        write_json(objects, keys.LOCATION_HEALTH, {"locations": scores}, schema=SCHEMA)
    return after


def _by_region(pairs: PairRuns) -> dict[str, dict[str, str]]:
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for (region, size), run_id in pairs.items():
        found[region][size] = run_id
    return dict(found)


def _pairs_of(by_region: Mapping[str, Mapping[str, str]]) -> dict[Pair, str]:
    return {(region, size): run_id for region, sizes in by_region.items() for size, run_id in sizes.items()}


def _content(objects: ReadOnlyObjects, key: str) -> dict[str, Any]:
    content, _ = read_json(objects, key, schema=SCHEMA)
    return content or {}
