"""Items of the workload table: what differs between two views of the state (pure). Their form: docs/data.md."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from spotlake.merge.state import Column, slot_time
from spotlake.merge.view import SLOTS_A_DAY, View
from spotlake.models import DESIRED_COUNTS, NO_ZONE, to_iso
from spotlake.names import split_tier

# What a difference shows in: attributes of the item, by what is compared.
PRICE_NAMES = ("SpotPrice", "OndemandPrice", "Savings", "PriceAt")
EVICTION_NAMES = ("IF", "EvictionBand", "IFAt")
SCORE_NAMES = ("Scores", "T2", "T3", "PhysicalZone")
REGION_NAMES = ("RegionName",)
ALL_NAMES = None


def changed_items(
    before: View | None, after: View, *, run_id: str, version: int, ttl_days: int, begun: Sequence[View] = ()
) -> Iterator[dict[str, Any]]:
    """Items of the workload table that differ between two views: new, changed and retired ones.

    Args:
        before: What the table shows; None when it is empty.
        after: What it is to show.
        run_id: The newest run.
        version: Of the state behind ``after``.
        ttl_days: How long a retired item stays.
        begun: Views that somebody began to write after ``before`` and may have written in part: what they
            changed is written again, whole, even where it is as it was before.

    Yields:
        ``{"is_new", "item", "only"}``, made one by one: all of them at once would take hundreds of megabytes.
        ``only`` names the attributes to write, None means all.
    """
    if before is None:
        yield from (
            {"is_new": True, "item": _item(after, number, run_id, version, ttl_days), "only": ALL_NAMES}
            for number in np.flatnonzero(after.live | _touched(None, after, begun)).tolist()
        )
        return
    known = _places_in(before, after)
    was_live = before.live[known] & (known >= 0)
    turned = (after.live != was_live) | (known < 0)
    touched = _touched(before, after, begun)
    differences = _differences(before, after, known)
    changed = (after.live | was_live | touched) & (turned | touched | np.any(list(differences.values()), axis=0))
    whole = turned | touched
    for number in np.flatnonzero(changed).tolist():
        only = ALL_NAMES
        if not whole[number]:
            only = tuple(name for names, differs in differences.items() if differs[number] for name in names)
        # What was never live has no item yet.
        is_new = not was_live[number]
        yield {"is_new": is_new, "item": _item(after, number, run_id, version, ttl_days), "only": only}


def _touched(before: View | None, after: View, begun: Sequence[View]) -> Column:
    """Workloads that a begun upsert may have written."""
    touched = np.zeros(len(after.live), bool)
    for view in begun:
        places = _places_in(view, after)
        if before is None:
            written = view.live
        else:
            known = _places_in(before, view)
            differs = np.any(list(_differences(before, view, known).values()), axis=0)
            was_live = before.live[known] & (known >= 0)
            written = (differs | (known < 0) | (view.live != was_live)) & (view.live | was_live)
        touched |= (places >= 0) & written[places]
    return touched


def _places_in(before: View, after: View) -> Column:
    """For each workload of ``after`` its place in ``before``, -1 for a new one."""
    old, new = before.state, after.state
    rows, pairs = len(old.zones), len(old.pairs)
    # States are only appended to: usually the old names are a beginning of the new ones.
    if new.pairs[:pairs] == old.pairs and new.zones[:rows] == old.zones:
        same = new.rows["pair"][:rows] == old.rows["pair"]
        if bool(np.all(same)):
            scored = np.concatenate([np.arange(rows), np.full(len(new.zones) - rows, -1)])
            plain = np.concatenate([np.arange(pairs) + rows, np.full(len(new.pairs) - pairs, -1)])
            return np.concatenate([scored, plain]).astype(np.int64)
    places = {key: place for place, key in enumerate(_keys(before))}
    return np.array([places.get(key, -1) for key in _keys(after)], np.int64)


def _keys(view: View) -> Iterator[tuple[str, str, str]]:
    """(region, size, zone) of each workload."""
    for pair, row in zip(view.pair.tolist(), view.row.tolist(), strict=True):
        region, size = view.state.pairs[pair]
        yield region, size, view.state.zones[row] if row >= 0 else NO_ZONE


def _differences(before: View, after: View, known: Column) -> dict[tuple[str, ...], Column]:
    """By group of attributes whether a workload's item shows anything else (only where ``known`` is a place)."""
    prices = _pairs_differ(before, after, known, ("spot", "ondemand", "spot_began"))
    rates = _pairs_differ(before, after, known, ("frequency", "frequency_began", "band"))
    scores: Column = (after.t2 != before.t2[known]) | (after.t3 != before.t3[known])
    scored = (after.row >= 0) & (before.row[known] >= 0)
    new_rows, old_rows = after.row[scored], before.row[known][scored]
    for name in ("score", "score_began"):
        different = after.state.rows[name][new_rows] != before.state.rows[name][old_rows]
        scores[scored] |= different.any(axis=1)
    zones, old_zones = after.state.physical, before.state.physical
    moved = [zones[new] != old_zones[old] for new, old in zip(new_rows.tolist(), old_rows.tolist(), strict=True)]
    scores[scored] |= np.array(moved, bool)
    old_names, new_names = before.state.regions, after.state.regions
    named = np.array([old_names.get(region) != new_names.get(region) for region, _ in after.state.pairs], bool)
    return {PRICE_NAMES: prices, EVICTION_NAMES: rates, SCORE_NAMES: scores, REGION_NAMES: named[after.pair]}


def _pairs_differ(before: View, after: View, known: Column, names: Sequence[str]) -> Column:
    differs = np.zeros(len(known), bool)
    for name in names:
        new, old = after.state.pair[name][after.pair], before.state.pair[name][before.pair[known]]
        same = (new == old) | (np.isnan(new) & np.isnan(old)) if new.dtype.kind == "f" else new == old
        differs |= ~same
    return differs


def _item(view: View, number: int, run_id: str, version: int, ttl_days: int) -> dict[str, Any]:
    """One item (docs/data.md); unknown values are absent."""
    state, pair, row = view.state, int(view.pair[number]), int(view.row[number])
    region, size = state.pairs[pair]
    tier, rest = split_tier(size)
    zone = state.zones[row] if row >= 0 else NO_ZONE
    item: dict[str, Any] = {
        "InstanceType": size,
        "Workload": f"{region}#{zone}",
        "InstanceTier": tier,
        "Size": rest,
        "Region": region,
        "RegionName": state.regions.get(region, region),
        "AvailabilityZone": zone,
        "UpdatedAt": _iso(state.slot),
        "RunId": run_id,
        "Version": version,
    }
    for name, column in (("OndemandPrice", "ondemand"), ("SpotPrice", "spot"), ("IF", "frequency")):
        value = float(state.pair[column][pair])
        if not np.isnan(value):
            item[name] = round(value, 6)
    savings = float(view.savings[pair]) if "SpotPrice" in item and "OndemandPrice" in item else None
    if savings is not None:
        item["Savings"] = savings
    if "SpotPrice" in item:
        item["PriceAt"] = _iso(int(state.pair["spot_began"][pair]))
    if "IF" in item:
        item["EvictionBand"] = state.bands[int(state.pair["band"][pair])]
        item["IFAt"] = _iso(int(state.pair["frequency_began"][pair]))
    if row >= 0:
        item |= _score_fields(view, number, row)
    if not view.live[number]:
        item["RetiredAt"] = _iso(state.slot)
        item["ExpiresAt"] = int(slot_time(state.slot + ttl_days * SLOTS_A_DAY).timestamp())
    return item


@functools.lru_cache(4096)
def _iso(slot: int) -> str:
    """A slot's time as items have it; few slots stand in many items."""
    return to_iso(slot_time(slot))


def _score_fields(view: View, number: int, row: int) -> dict[str, Any]:
    state = view.state
    scores = {
        str(count): {"s": score, "at": _iso(began)}
        for count, score, began in zip(
            DESIRED_COUNTS, state.rows["score"][row].tolist(), state.rows["score_began"][row].tolist(), strict=True
        )
        if score
    }
    fields: dict[str, Any] = {"Scores": scores, "T2": int(view.t2[number]), "T3": int(view.t3[number])}
    if state.physical[row]:
        fields["PhysicalZone"] = state.physical[row]
    return fields
