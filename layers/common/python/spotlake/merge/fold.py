"""Folding one run's rows into the state (pure). Runs are folded in order of their slots.

A missing or unknown value never replaces a known one; a time marks when a value began.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from spotlake.merge.rows import ZONES, Columns
from spotlake.merge.state import Column, MergedState
from spotlake.names import join_key

_NOT_THERE = -1
type _Numbers = np.ndarray[Any, np.dtype[np.int64]]


def fold_run(state: MergedState, columns: Columns, slot: int) -> None:
    """Fold a run's rows into the state, in place.

    Args:
        state: Everything before; nothing in it is newer than ``slot``.
        columns: The run's rows.
        slot: The run's slot number, the time of all its observations.
    """
    state.slot = max(state.slot, slot)
    state.regions |= columns.regions
    pairs = _Pairs(state, list(columns.pairs))
    _fold_prices(state, pairs, columns, slot)
    _fold_evictions(state, pairs, columns, slot)
    _fold_scores(state, pairs, columns, slot)


class _Pairs:
    """The state's numbers of a run's pairs; what is new to the state gets one when ``added``."""

    def __init__(self, state: MergedState, named: Sequence[tuple[str, str]]) -> None:
        self._state, self._named = state, named
        exact = {pair: number for number, pair in enumerate(state.pairs)}
        found = [exact.get(pair, _NOT_THERE) for pair in named]
        self._by_key: dict[tuple[str, str], int] = {}
        if _NOT_THERE in found:  # new pairs, or pairs spelt otherwise
            self._by_key = {(region, join_key(size)): number for (region, size), number in exact.items()}
            found = [
                self._by_key.get((region, join_key(size)), _NOT_THERE) if number == _NOT_THERE else number
                for (region, size), number in zip(named, found, strict=True)
            ]
        self._numbers: _Numbers = np.array(found, np.int64)

    def known(self, chosen: _Numbers) -> _Numbers:
        """Numbers in the state of the pairs chosen from the run's, -1 for those not in it."""
        for place, key in self._missing(chosen):
            self._numbers[place] = self._by_key.get(key, _NOT_THERE)  # it may be there under another spelling by now
        return self._numbers[chosen]

    def added(self, chosen: _Numbers) -> _Numbers:
        """The same, with those not in the state appended to it (its columns must grow then)."""
        for place, key in self._missing(chosen):
            if key not in self._by_key:
                self._by_key[key] = len(self._state.pairs)
                self._state.pairs.append(self._named[place])
            self._numbers[place] = self._by_key[key]
        return self._numbers[chosen]

    def _missing(self, chosen: _Numbers) -> Iterator[tuple[int, tuple[str, str]]]:
        for place in dict.fromkeys(chosen[self._numbers[chosen] == _NOT_THERE].tolist()):
            region, size = self._named[place]
            yield place, (region, join_key(size))


def _fold_prices(state: MergedState, pairs: _Pairs, columns: Columns, slot: int) -> None:
    chosen = np.array(columns.price_pairs, np.int64)
    spot = np.array(columns.spot, np.float64)  # None becomes nan
    ondemand = np.array(columns.ondemand, np.float64)
    # A size that has no spot price and never had one is no spot workload, whatever it costs on demand.
    wanted = ~np.isnan(spot) | (pairs.known(chosen) != _NOT_THERE)
    numbers, spot, ondemand = pairs.added(chosen[wanted]), spot[wanted], ondemand[wanted]
    state.grow()
    _replace(state, "spot", numbers, spot, slot)
    # 0 is the price list's way of saying "unknown".
    _replace(state, "ondemand", numbers, np.where(ondemand > 0, ondemand, np.nan), slot)
    state.pair["listed"][numbers[~np.isnan(spot)]] = slot


def _fold_evictions(state: MergedState, pairs: _Pairs, columns: Columns, slot: int) -> None:
    numbers = pairs.known(np.array(columns.eviction_pairs, np.int64))
    # A size that no price list and no catalogue knows has no ARM casing: it is no workload.
    known = numbers != _NOT_THERE
    for band in sorted(set(columns.bands) - set(state.bands)):
        state.bands.append(band)
    places = {band: place for place, band in enumerate(state.bands)}
    frequency = np.array(columns.frequency, np.float32)
    bands = np.array([places[band] for band in columns.bands], np.int16)
    _replace(state, "frequency", numbers[known], frequency[known], slot)
    mapped = known & ~np.isnan(frequency)
    state.pair["band"][numbers[mapped]] = bands[mapped]


def _fold_scores(state: MergedState, pairs: _Pairs, columns: Columns, slot: int) -> None:
    if not columns.scores:
        return
    numbers = pairs.added(np.array(columns.score_pairs, np.int64))
    at = _rows(state, numbers, np.array(columns.zones, np.int64))
    for number, physical in zip(at.tolist(), columns.physical, strict=True):
        if physical:
            state.physical[number] = physical
    state.rows["answered"][at] = slot
    state.pair["listed"][numbers] = slot
    scores = np.array(columns.scores, np.int64)
    # Of two answers for one count and slot the lower wins: the highest score is written first.
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] > 0]
    at, places, scores = at[order], np.array(columns.places, np.int64)[order], scores[order]
    state.rows["seen"][at, places, scores - 1] = slot  # nothing in the state is newer
    before = state.rows["score"][at, places]
    state.rows["score"][at, places] = scores
    changed = state.rows["score"][at, places] != before
    state.rows["score_began"][at[changed], places[changed]] = slot


def _rows(state: MergedState, pairs: _Numbers, zones: _Numbers) -> _Numbers:
    """Numbers of the workloads; new ones are appended, in order of pair and zone."""
    codes = {zone: code for code, zone in enumerate(ZONES)}
    old_zones = np.array([codes[zone] for zone in state.zones], np.int64)
    old_keys = state.rows["pair"].astype(np.int64) * len(ZONES) + old_zones
    keys = pairs * len(ZONES) + zones
    order = np.argsort(old_keys)
    sorted_keys = old_keys[order]
    places = np.searchsorted(sorted_keys, keys)
    places[places == len(sorted_keys)] = 0
    new = sorted_keys[places] != keys if len(sorted_keys) else np.ones(len(keys), bool)
    found = order[places] if len(order) else np.zeros(len(keys), np.int64)
    fresh, of_fresh = np.unique(keys[new], return_inverse=True)
    found[new] = of_fresh + len(state.zones)
    state.zones += [ZONES[code] for code in (fresh % len(ZONES)).tolist()]
    state.physical += [""] * len(fresh)
    state.grow()
    if len(fresh):
        state.rows["pair"][-len(fresh) :] = fresh // len(ZONES)
    return found


def _replace(state: MergedState, name: str, numbers: _Numbers, values: Column, slot: int) -> None:
    """Put known values; where one differs from before, it began in this slot."""
    known = ~np.isnan(values)
    numbers, values = numbers[known], values[known].astype(state.pair[name].dtype)
    changed = state.pair[name][numbers] != values  # nan differs from everything
    state.pair[name][numbers] = values
    state.pair[f"{name}_began"][numbers[changed]] = slot
