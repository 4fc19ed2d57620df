"""Forgets what was retired long ago, so that the state grows with what is sold, and not with the years (pure)."""

from __future__ import annotations

import numpy as np

from spotlake.merge.evidence import Patience
from spotlake.merge.growing_columns import Column
from spotlake.merge.state import MergedState
from spotlake.models import SLOTS_A_DAY


def forget(state: MergedState, slot: int, patience: Patience) -> None:
    """Drop pairs and workloads that were retired long ago, and texts that nothing names any more.

    Age counts from the retirement (the last counted day), not from the last sight: after a long pause, what is retired
    in this slot must still be shown as retired. What comes back after it was dropped begins a new history.

    Args:
        state: The state with the slot folded in. Changed in place.
        slot: The slot's number.
        patience: When something is retired, and when it is forgotten.
    """
    day = slot // SLOTS_A_DAY

    def is_gone(columns: dict[str, Column]) -> Column:
        retired = columns["unseen_days"] >= patience.retire_after_days
        gone: Column = retired & (columns["unseen_day"].astype(np.int64) <= day - patience.forget_after_days)
        return gone

    gone = is_gone(state.pair)
    rows_gone = gone[state.workloads["pair"]] | is_gone(state.workloads)
    if not gone.any() and not rows_gone.any():
        return
    numbers = np.cumsum(~gone, dtype=np.int64) - 1
    state.pair = {name: column[~gone] for name, column in state.pair.items()}
    state.workloads = {name: column[~rows_gone] for name, column in state.workloads.items()}
    state.workloads["pair"] = numbers[state.workloads["pair"]].astype(state.workloads["pair"].dtype)
    _forget_texts(state)


def _forget_texts(state: MergedState) -> None:
    named = [*((state.pair, name) for name in ("region", "size", "band")), (state.workloads, "physical")]
    used = np.zeros(len(state.texts), bool)
    used[0] = True
    for columns, name in named:
        used[columns[name]] = True
    numbers = np.cumsum(used, dtype=np.int64) - 1
    for columns, name in named:
        columns[name] = numbers[columns[name]].astype(columns[name].dtype)
    state.texts = [text for text, is_used in zip(state.texts, used.tolist(), strict=True) if is_used]
    known = set(state.texts)
    state.regions = {region: name for region, name in state.regions.items() if region in known}
