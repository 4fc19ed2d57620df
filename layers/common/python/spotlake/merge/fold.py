"""Folds the rows of one slot into the state (pure). Slots are folded in order of time.

A missing or unknown value never replaces a known value. A time says when a value began.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spotlake.merge.columns import ZONES, Columns
from spotlake.merge.evidence import Looks, Patience, confirm, note_looks
from spotlake.merge.forgetting import forget
from spotlake.merge.growing_columns import Column, distinct
from spotlake.merge.pair_numbers import Numbers, PairNumbers
from spotlake.merge.state import MergedState
from spotlake.models import REGIONAL_ZONE
from spotlake.names import join_key

_NOT_THERE = -1
_REGIONAL = ZONES.index(REGIONAL_ZONE)


def fold_slot(state: MergedState, columns: Columns, slot: int, looks: Looks, patience: Patience) -> None:
    """Fold a slot's rows into the state, in place.

    Args:
        state: The state before the slot. Nothing in the state is newer than ``slot``.
        columns: The slot's rows, with one row per pair or zone.
        slot: The slot's number: the time of all its observations.
        looks: What the slot looked at: what is not there though it was looked for is counted.
        patience: When absence makes a value unknown.
    """
    state.slot = max(state.slot, slot)
    state.regions |= columns.regions
    pairs = _Pairs(state, columns.pairs)
    texts = state.text_numbers(columns.texts)
    _fold_prices(state, pairs, columns, slot)
    scored = _fold_scores(state, pairs, columns, texts, slot)
    _fold_evictions(state, pairs, columns, texts, slot)  # rates come last: they create no pair, prices and scores do
    note_looks(state, looks, scored, slot, patience)
    forget(state, slot, patience)


class _Pairs:
    """Translates a run's pair numbers to those of the state. With ``added``, a new pair gets a number."""

    def __init__(self, state: MergedState, named: PairNumbers) -> None:
        self._state, self._named = state, named
        names = {text: number for number, text in enumerate(state.texts)}
        keys: Numbers[str] = Numbers()
        key_of_text = np.array([keys[join_key(one)] for one in state.texts], np.int64)
        key_of_size = np.array([keys[join_key(one)] for one in named.sizes], np.int64)
        region = np.array([names.setdefault(one, len(names)) for one in named.regions], np.int64)[named.region]
        size = np.array([names.setdefault(one, len(names)) for one in named.sizes], np.int64)[named.size]
        pair = state.pair
        self._numbers = _places(_code(pair["region"], pair["size"]), _code(region, size))
        self._keys = _code(region, key_of_size[named.size])
        other = self._numbers == _NOT_THERE  # new pairs, or pairs spelt otherwise
        if other.any():
            known = _code(pair["region"], key_of_text[pair["size"]])
            self._numbers[other] = _places(known, self._keys[other])

    def known(self, chosen: Column) -> Column:
        """State numbers of the chosen pairs of the run; -1 for a pair that the state does not have."""
        numbers: Column = self._numbers[chosen]
        return numbers

    def added(self, chosen: Column) -> Column:
        """State numbers of the chosen pairs of the run. Pairs that the state does not have are appended."""
        fresh: dict[int, int] = {}  # region and join key, as one number -> the run's pair that came first
        missing = chosen[self._numbers[chosen] == _NOT_THERE]
        for place, key in zip(missing.tolist(), self._keys[missing].tolist(), strict=True):
            fresh.setdefault(key, place)
        if fresh:
            self._append(list(fresh.values()))
            first = len(self._state.pair["region"]) - len(fresh)  # pairs are numbered without holes
            added = _places(np.array(list(fresh)), self._keys)
            unknown = self._numbers == _NOT_THERE
            self._numbers[unknown] = np.where(added[unknown] == _NOT_THERE, _NOT_THERE, first + added[unknown])
        return self.known(chosen)

    def _append(self, places: Sequence[int]) -> None:
        """Append pairs of the run. A size is spelt as where it came first, or it would be two partitions."""
        state, regions, sizes = self._state, list(self._named.regions), list(self._named.sizes)
        spelt: dict[str, str] = {}
        for number in dict.fromkeys(state.pair["size"].tolist()):
            spelt.setdefault(join_key(state.texts[number]), state.texts[number])
        named = [(regions[self._named.region[place]], sizes[self._named.size[place]]) for place in places]
        state.add_pairs((region, spelt.setdefault(join_key(size), size)) for region, size in named)


def _code(regions: Column, others: Column) -> Column:
    """One number for a region and something else."""
    code: Column = regions.astype(np.int64) * 2**32 + others
    return code


def _fold_prices(state: MergedState, pairs: _Pairs, columns: Columns, slot: int) -> None:
    chosen, spot, ondemand = (columns.prices[name] for name in ("pair", "spot", "ondemand"))
    # A size that never had a spot price is no spot workload, even if it has an on-demand price.
    wanted = ~np.isnan(spot) | (pairs.known(chosen) != _NOT_THERE)
    numbers, spot, ondemand = pairs.added(chosen[wanted]), spot[wanted], ondemand[wanted]
    _replace(state, "spot", numbers, spot, slot)
    # The price list writes an unknown price as 0.
    _replace(state, "ondemand", numbers, np.where(ondemand > 0, ondemand, np.nan), slot)
    state.pair["listed"][numbers[~np.isnan(spot)]] = slot


def _fold_evictions(state: MergedState, pairs: _Pairs, columns: Columns, texts: Column, slot: int) -> None:
    numbers, frequency = pairs.known(columns.evictions["pair"]), columns.evictions["frequency"]
    # A size that neither the price list nor the catalogue knows has no ARM casing, so it is no workload.
    known = (numbers != _NOT_THERE) & ~np.isnan(frequency)
    _replace(state, "frequency", numbers[known], frequency[known], slot)
    state.pair["band"][numbers[known]] = texts[columns.evictions["band"][known]]


def _fold_scores(state: MergedState, pairs: _Pairs, columns: Columns, texts: Column, slot: int) -> Column:
    """Fold the scores; returns the numbers of the pairs that they are of."""
    wanted = _of_workloads(state, pairs, columns)
    numbers, zones, scores = (columns.scores[name][wanted] for name in ("pair", "zone", "score"))
    numbers = pairs.added(numbers)
    at = _rows(state, numbers, zones)
    physical = texts[columns.scores["physical"][wanted]] if len(at) else at
    _start_anew_elsewhere(state, at[physical > 0], physical[physical > 0])
    state.workloads["physical"][at[physical > 0]] = physical[physical > 0]
    state.workloads["answered"][at] = slot
    state.pair["listed"][numbers[scores > 0]] = slot
    # Of two answers for one count and slot the lower score counts alone, so the highest score is written first.
    order = np.argsort(-scores)
    order = order[scores[order] > 0]
    at, places, scores = at[order], columns.scores["place"][wanted][order], scores[order]
    before = state.workloads["score"][at, places]
    state.workloads["score"][at, places] = scores
    lowest = state.workloads["score"][at, places]
    state.workloads["seen"][at, places, lowest - 1] = slot  # nothing in the state is newer
    changed = lowest != before
    state.workloads["score_began"][at[changed], places[changed]] = slot
    return numbers


def _start_anew_elsewhere(state: MergedState, at: Column, physical: Column) -> None:
    """Forget the scores of workloads whose zone is another building now: two buildings are never one history."""
    before = state.workloads["physical"][at]
    moved = distinct(at[(before > 0) & (before != physical)])
    for name in ("seen", "score", "score_began"):
        state.workloads[name][moved] = 0


def _of_workloads(state: MergedState, pairs: _Pairs, columns: Columns) -> Column:
    """Mask of the score rows that describe workloads.

    A call asks more pairs than are sold, because it is a rectangle. So a "no score" creates no pair, and it does not
    show that a pair is there. If it names no zone, it creates no workload either.
    """
    zones = columns.scores["zone"]
    wanted: Column = columns.scores["score"] > 0
    pairs.added(columns.scores["pair"][wanted])
    doubtful = np.flatnonzero(~wanted)
    known = pairs.known(columns.scores["pair"][doubtful])
    doubtful, known = doubtful[known != _NOT_THERE], known[known != _NOT_THERE]
    has_row = _places(_row_keys(state), known * len(ZONES) + _REGIONAL) != _NOT_THERE
    wanted[doubtful] = (zones[doubtful] != _REGIONAL) | has_row
    return wanted


def _rows(state: MergedState, pairs: Column, zones: Column) -> Column:
    """Numbers of the workloads; new ones are appended, in order of pair and zone."""
    old_keys = _row_keys(state)
    keys = pairs * len(ZONES) + zones
    found = _places(old_keys, keys)
    fresh = distinct(keys[found == _NOT_THERE])
    if len(fresh):
        state.add_workloads(fresh // len(ZONES), fresh % len(ZONES))
        found[found == _NOT_THERE] = len(old_keys) + np.searchsorted(fresh, keys[found == _NOT_THERE])
    return found


def _row_keys(state: MergedState) -> Column:
    keys: Column = state.workloads["pair"].astype(np.int64) * len(ZONES) + state.workloads["zone"]
    return keys


def _places(known: Column, wanted: Column) -> Column:
    """Index of each wanted key among the known keys; -1 for an unknown key."""
    if not len(known):
        return np.full(len(wanted), _NOT_THERE)
    order = np.argsort(known)
    places = order[np.minimum(np.searchsorted(known, wanted, sorter=order), len(known) - 1)]
    return np.where(known[places] == wanted, places, _NOT_THERE)


def _replace(state: MergedState, name: str, numbers: Column, values: Column, slot: int) -> None:
    """Write the known values. A value that differs from the one before began in this slot."""
    known = ~np.isnan(values)
    numbers, values = numbers[known], values[known].astype(state.pair[name].dtype)
    changed = state.pair[name][numbers] != values  # nan differs from everything
    state.pair[name][numbers] = values
    state.pair[f"{name}_began"][numbers[changed]] = slot
    confirm(state, name, numbers, slot)
