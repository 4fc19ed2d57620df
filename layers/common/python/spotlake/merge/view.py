"""What readers see of a state: live workloads with their values, as the csv, the latest file, the items (pure).

In files unknown is -1 or "N/A", and only here; columns and forms: docs/data.md.
"""

from __future__ import annotations

import csv
import functools
import gzip
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import orjson

from spotlake.merge.state import Column, MergedState, slot_time
from spotlake.models import DESIRED_COUNTS, NO_ZONE, SLOT_MINUTES, to_iso
from spotlake.names import split_tier
from spotlake.thresholds import thresholds

CSV_COLUMNS = (
    "InstanceTier", "InstanceType", "Region", "OndemandPrice", "SpotPrice", "Savings", "IF", "DesiredCount",
    "AvailabilityZone", "Score", "Time", "T2", "T3",
    # Ours, after those that SpotLake's readers know:
    "RegionCode", "ArmSkuName", "PhysicalZone", "PriceTime", "IFTime", "ScoreTime",
)  # fmt: skip
LATEST_COLUMNS = CSV_COLUMNS[:13]
_SLOTS_A_DAY = 24 * 60 // SLOT_MINUTES
_CHUNK = 4096
UNKNOWN = -1


@dataclass(frozen=True)
class View:
    """Live and retired workloads of a state; a pair without any scored zone is one workload of zone N/A.

    Attributes:
        state: What it is a view of.
        pair: Number of each workload's pair.
        row: Number of each workload's row, -1 for zone N/A.
        live: Whether each is live.
        t2, t3: By workload; -1 for zone N/A.
        savings: Percent of on-demand, by pair; nan when either price is unknown.
    """

    state: MergedState
    pair: Column
    row: Column
    live: Column
    t2: Column
    t3: Column
    savings: Column

    @classmethod
    def of(cls, state: MergedState, retire_after_days: int) -> View:
        """Derive everything that is derived; a function of the state and the setting alone."""
        oldest = max(state.slot - retire_after_days * _SLOTS_A_DAY, 1)
        pair_live = state.pair["listed"] >= oldest
        row_pair = state.rows["pair"].astype(np.int64)
        row_live = pair_live[row_pair] & (state.rows["answered"] >= oldest)
        scored = np.zeros(len(state.pairs), bool)
        scored[row_pair[row_live]] = True
        # The N/A workload of a pair that has been scored since is retired; of one never seen without, it never was.
        plain = np.arange(len(state.pairs), dtype=np.int64)
        plain_live = pair_live & ~scored
        seen = state.rows["seen"]
        none = np.full(len(plain), UNKNOWN, np.int16)
        return cls(
            state=state,
            pair=np.concatenate([row_pair, plain]),
            row=np.concatenate([np.arange(len(row_pair), dtype=np.int64), np.full(len(plain), UNKNOWN, np.int64)]),
            live=np.concatenate([row_live, plain_live]),
            t2=np.concatenate([thresholds(seen, 2), none]),
            t3=np.concatenate([thresholds(seen, 3), none]),
            savings=_savings(state.pair["spot"], state.pair["ondemand"]),
        )

    def table(self, slot_at: datetime, count: int, casing: str) -> dict[str, list[Any]]:
        """Live workloads in columns, sorted by region, size and zone; Score as last answered at ``count``."""
        state = self.state
        numbers = np.flatnonzero(self.live)
        pair, row = self.pair[numbers], self.row[numbers]
        names = [_name_columns(state, region, size, casing) for region, size in state.pairs]
        zones = [state.zones[number] if number >= 0 else NO_ZONE for number in row.tolist()]
        order = sorted(range(len(numbers)), key=lambda place: (state.pairs[int(pair[place])], zones[place]))
        pair, row, numbers = pair[order], row[order], numbers[order]
        zones = [zones[place] for place in order]
        place_of_count = DESIRED_COUNTS.index(count)
        score = np.where(row >= 0, _at(state.rows["score"][:, place_of_count], row), 0)
        score_began = np.where(row >= 0, _at(state.rows["score_began"][:, place_of_count], row), 0)
        named = [names[number] for number in pair.tolist()]
        columns = state.pair
        return {
            "InstanceTier": [one[0] for one in named],
            "InstanceType": [one[1] for one in named],
            "Region": [one[2] for one in named],
            "OndemandPrice": _numbers(columns["ondemand"], pair),
            "SpotPrice": _numbers(columns["spot"], pair),
            "Savings": _numbers(self.savings, pair),
            "IF": _numbers(columns["frequency"], pair),
            "DesiredCount": [count] * len(numbers),
            "AvailabilityZone": zones,
            "Score": np.where(score > 0, score, UNKNOWN).tolist(),
            "Time": [slot_at.strftime("%Y-%m-%d %H:%M:%S")] * len(numbers),
            "T2": self.t2[numbers].tolist(),
            "T3": self.t3[numbers].tolist(),
            "RegionCode": [one[3] for one in named],
            "ArmSkuName": [one[4] for one in named],
            "PhysicalZone": [
                (state.physical[number] or NO_ZONE) if number >= 0 else NO_ZONE for number in row.tolist()
            ],
            "PriceTime": _times(columns["spot_began"][pair]),
            "IFTime": _times(columns["frequency_began"][pair]),
            "ScoreTime": _times(score_began),
        }

    def selector(self, casing: str) -> list[dict[str, str]]:
        """Distinct tier, size and region of live workloads."""
        live = sorted({int(number) for number in self.pair[self.live]}, key=lambda number: self.state.pairs[number])
        named = (_name_columns(self.state, *self.state.pairs[number], casing) for number in live)
        return [{"InstanceTier": one[0], "InstanceType": one[1], "Region": one[2]} for one in named]


def _savings(spot: Column, ondemand: Column) -> Column:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.round((ondemand - spot) / ondemand * 100, 2)


def _at(column: Column, row: Column) -> Column:
    """Values at row numbers; those of -1 are of no meaning (and must be masked)."""
    return column[row] if len(column) else np.zeros(len(row), column.dtype)


def _name_columns(state: MergedState, region: str, size: str, casing: str) -> tuple[str, str, str, str, str]:
    """Tier, size, display name as readers compare them; then ARM code and ARM size."""
    tier, rest = split_tier(size)
    name = state.regions.get(region, region)
    if casing == "lower":
        return tier.lower(), rest.lower(), name.lower(), region, size
    return tier, rest, name, region, size


def _numbers(column: Column, pair: Column) -> list[float]:
    """Values with -1 for unknown, in their shortest form."""
    values = np.where(np.isnan(column), UNKNOWN, column)[pair]
    return values.tolist() if values.dtype == np.float64 else [round(value, 1) for value in values.tolist()]


def _times(slots: Column) -> list[str]:
    texts = {
        number: slot_time(number).strftime("%Y-%m-%d %H:%M:%S") if number else NO_ZONE for number in set(slots.tolist())
    }
    return [texts[number] for number in slots.tolist()]


def encode_csv(table: Mapping[str, list[Any]]) -> bytes:
    """The snapshot: gzip csv with a header, no index column."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    writer.writerows(zip(*(table[name] for name in CSV_COLUMNS), strict=True))
    return gzip.compress(text.getvalue().encode(), compresslevel=4, mtime=0)


def encode_latest(table: Mapping[str, list[Any]]) -> bytes:
    """The latest file: gzip of a strict JSON array, ``id`` from 1 without holes, no blanks."""
    rows = zip(*(table[name] for name in LATEST_COLUMNS), strict=True)
    packed = []
    chunk: list[dict[str, Any]] = []
    # In chunks: one dumps of everything would hold it all as dictionaries at once.
    for number, row in enumerate(rows, 1):
        chunk.append({"id": number, **dict(zip(LATEST_COLUMNS, row, strict=True))})
        if len(chunk) == _CHUNK:
            packed.append(orjson.dumps(chunk)[1:-1])
            chunk = []
    if chunk:
        packed.append(orjson.dumps(chunk)[1:-1])
    return gzip.compress(b"[" + b",".join(packed) + b"]", compresslevel=4, mtime=0)


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
        item["ExpiresAt"] = int(slot_time(state.slot + ttl_days * _SLOTS_A_DAY).timestamp())
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
