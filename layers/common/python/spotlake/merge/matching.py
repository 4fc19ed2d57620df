"""Finds the workloads of one view in another one (pure)."""

from __future__ import annotations

import numpy as np

from spotlake.merge.growing_columns import Column
from spotlake.merge.state import MergedState
from spotlake.merge.view import PLAIN_ZONE, View


def places_in(before: View, after: View) -> Column:
    """For each workload of ``after``: its index in ``before``, -1 for a new workload."""
    texts = texts_in(before.state, after.state)
    old, new = _keys(before, texts), _keys(after, np.arange(len(after.state.texts)))
    if np.array_equal(old, new):
        return np.arange(len(new))
    if not len(old):
        return np.full(len(new), -1)
    order = np.argsort(old)
    places = order[np.minimum(np.searchsorted(old, new, sorter=order), len(old) - 1)]
    return np.where(old[places] == new, places, -1)


def texts_in(before: MergedState, after: MergedState) -> Column:
    """Numbers in ``after`` of the texts of ``before``; -1 for a text that ``after`` does not have."""
    numbers = {text: number for number, text in enumerate(after.texts)}
    return np.fromiter((numbers.get(text, -1) for text in before.texts), np.int64)


def _keys(view: View, texts: Column) -> Column:
    """One number per workload for region, size and zone; ``texts`` numbers the names."""
    pair = view.state.pair
    keys: Column = texts[pair["region"]] * 2**32 + texts[pair["size"]]
    return keys[view.pair] * (PLAIN_ZONE + 1) + view.zone
