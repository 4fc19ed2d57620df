"""What readers see of a state: live workloads with derived values (pure)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spotlake.merge.columns import ZONES
from spotlake.merge.growing_columns import Column
from spotlake.merge.state import MergedState
from spotlake.scores.thresholds import UNKNOWN, thresholds

PLAIN_ZONE = len(ZONES)  # code of zone N/A, after the codes of the zones


@dataclass(frozen=True)
class View:
    """Live and retired workloads of a state. A pair without any scored zone is one workload of zone N/A.

    Attributes:
        state: The state behind the view.
        pair: Number of each workload's pair.
        row: Index of each workload in the state; -1 for zone N/A.
        zone: Code of each workload's zone.
        live: Whether each workload is live.
        t2, t3: T2 and T3 of each workload; -1 where no count reached the score and count 1 is not known to fail.
        savings: Savings of each pair, in percent of the on-demand price; nan when a price is unknown.
    """

    state: MergedState
    pair: Column
    row: Column
    zone: Column
    live: Column
    t2: Column
    t3: Column
    savings: Column

    @classmethod
    def of(cls, state: MergedState, retire_after_days: int) -> View:
        """Compute all derived values, from the state and the setting alone."""
        pair_live = (state.pair["listed"] > 0) & (state.pair["unseen_days"] < retire_after_days)
        row_pair = state.workloads["pair"].astype(np.int64)
        rows = state.workloads
        row_live = pair_live[row_pair] & (rows["answered"] > 0) & (rows["unseen_days"] < retire_after_days)
        scored = np.zeros(len(pair_live), bool)
        scored[row_pair[row_live]] = True
        # A pair that got its first scored zone has a retired N/A workload. A pair that always had one never had an N/A
        # workload.
        plain = np.arange(len(pair_live))
        seen = state.workloads["seen"]
        none = np.full(len(plain), UNKNOWN, np.int16)
        return cls(
            state=state,
            pair=np.concatenate([row_pair, plain]),
            row=np.concatenate([np.arange(len(row_pair)), np.full(len(plain), UNKNOWN)]),
            zone=np.concatenate([state.workloads["zone"], np.full(len(plain), PLAIN_ZONE, np.int8)]),
            live=np.concatenate([row_live, pair_live & ~scored]),
            t2=np.concatenate([thresholds(seen, 2), none]),
            t3=np.concatenate([thresholds(seen, 3), none]),
            savings=savings_percent(state.pair["spot"], state.pair["ondemand"]),
        )

    @property
    def live_count(self) -> int:
        """Number of live workloads."""
        return int(np.count_nonzero(self.live))

    def kept(self) -> View:
        """The same view over a copy of the state, without the history that T2 and T3 are derived from."""
        return replace(self, state=self.state.copy(without="seen"))

    def in_order(self) -> Column:
        """Numbers of the live workloads by region, size and zone."""
        state, live = self.state, np.flatnonzero(self.live)
        rank = np.empty(len(state.texts), np.int64)
        rank[sorted(range(len(rank)), key=state.texts.__getitem__)] = np.arange(len(rank))
        region, size = (rank[state.pair[name]][self.pair[live]] for name in ("region", "size"))
        order: Column = live[np.lexsort((self.zone[live], size, region))]
        return order


def savings_percent(spot: Column, ondemand: Column) -> Column:
    """Savings in percent of the on-demand price, two decimals; nan when a price is unknown, or absurdly high."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        savings = np.round((ondemand - spot) / ondemand * 100, 2)
    return np.where(np.isinf(savings), np.nan, savings)
