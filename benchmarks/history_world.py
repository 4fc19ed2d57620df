"""A made market for the benchmark of the change history: full size, steady changes, a price wave."""

from __future__ import annotations

import numpy as np

from spotlake.history.blocks import Block, joined, ordered
from spotlake.history.changes import SlotChanges, with_values
from spotlake.history.fields import CHANGES, CONFIRMED, FRAME, KEYS, KINDS, SCORES, TIME_NOTES, TIMED, TIMES, VALUES
from spotlake.merge.growing_columns import Column
from spotlake.models import DESIRED_COUNTS, SLOTS_A_DAY

REGIONS, SIZES, WORKLOADS = 57, 1_700, 149_582
SHARE = 0.0187  # of the workloads that change in a slot


class World:
    """A frame that changes, and the changes."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self.regions = [f"region{number:02d}" for number in range(REGIONS)]
        self.sizes = [f"Standard_D{number}s_v5" for number in range(SIZES)]
        keys = self._random.choice(REGIONS * SIZES * 3, WORKLOADS, replace=False)
        keys.sort()
        pair, size = keys // 3, keys // 3 % SIZES
        # Zones of a pair have one price and rate, as Azure's have; the larger the count, the lower the score.
        by_size = np.round(self._random.gamma(2, 0.5, SIZES), 4)
        by_pair = self._random.uniform(0.1, 0.9, REGIONS * SIZES)
        room = self._random.gamma(0.7, 20, REGIONS * SIZES)[pair] * self._random.choice([0.7, 1.0, 1.4], WORKLOADS)
        columns: dict[str, Column] = {
            "region": keys // (SIZES * 3),
            "instance_type": REGIONS + size,
            "zone": keys % 3,
            "spot_price_usd_per_hour": np.round(by_size[size] * by_pair[pair], 6),
            "ondemand_price_usd_per_hour": by_size[size],
            "interruption_frequency": self._random.choice([3.0, 2.5, 2.0, 1.5, 1.0], REGIONS * SIZES)[pair],
            **{f"score_{count}": 1 + (room > count) + (room > 2 * count) for count in DESIRED_COUNTS},
        }
        rows = {name: columns.get(name, np.zeros(WORKLOADS)).astype(KINDS[name][0]) for name in FRAME}
        self.frame = ordered(Block.of([*self.regions, *self.sizes], rows))
        _set_thresholds(self.frame)
        busy = self._random.zipf(1.6, WORKLOADS).astype(float)
        self._odds = np.minimum(busy, 300) / np.minimum(busy, 300).sum()  # few workloads make most changes
        self._changed = self._slots = 0
        self.changes_by_workload = np.zeros(WORKLOADS, np.int64)

    @property
    def changed_percent(self) -> float:
        """Changed workloads a slot so far, in percent."""
        return 100 * self._changed / max(1, self._slots) / WORKLOADS

    def some_rows(self, number: int) -> Block:
        """Rows of one slot, without changing the frame."""
        chosen = np.sort(self._random.choice(WORKLOADS, number, replace=False))
        return self._rows(self.frame.take(chosen), 1)

    def day(self, first: int) -> SlotChanges:
        """The changes of a day whose first slot is ``first``; the frame changes with them."""
        parts, notes = [], []
        for number in range(SLOTS_A_DAY):
            slot = first + number
            for name in TIMED:  # one count a slot, and all prices and rates, are confirmed
                if name not in SCORES or SCORES[slot % len(SCORES)] == name:
                    self.frame[CONFIRMED[name]][:] = slot
            rows = self._changes(slot, wave=first % (30 * SLOTS_A_DAY) == 0 and number == 0)
            self.frame = with_values(self.frame, rows, slot)
            parts.append(rows)
            notes.append(self._looks(slot))
            self._changed += len(rows)
            self._slots += 1
        return SlotChanges(ordered(joined(*parts), "slot"), ordered(joined(*notes), "field", "slot"))

    def _changes(self, slot: int, *, wave: bool) -> Block:
        count = int(SHARE * WORKLOADS * self._random.uniform(0.5, 1.5))
        chosen = np.unique(self._random.choice(WORKLOADS, count, p=self._odds))
        extra = self._random.choice(WORKLOADS, count - len(chosen))
        chosen = np.unique(np.concatenate([chosen, extra, *([np.arange(0, WORKLOADS, 5)] if wave else [])]))
        self.changes_by_workload[chosen] += 1
        rows = self.frame.take(chosen).copy()
        kind = self._random.random(len(chosen))
        score = SCORES[slot % len(SCORES)]
        moved = kind < 0.75
        step = self._random.choice([-1, 1], int(moved.sum()))
        rows[score][moved] = np.clip(rows[score][moved] + step, 1, 3)
        # What remains is T2 and T3 alone, which also move as answers grow old.
        _set_thresholds(rows)
        rows["t3"][~moved] = self._random.choice([0, 1, 5, 10], int((~moved).sum()))
        if wave:
            prices = rows["spot_price_usd_per_hour"]
            rows.columns["spot_price_usd_per_hour"] = np.round(prices * self._random.uniform(0.8, 1.2, len(prices)), 6)
        return self._rows(rows, slot)

    def _rows(self, frame: Block, slot: int) -> Block:
        columns = {name: frame[name] for name in (*KEYS, *VALUES)}
        columns["slot"] = np.full(len(frame), slot, KINDS["slot"][0])
        columns["live"] = np.ones(len(frame), bool)
        return Block(frame.texts, {name: columns[name] for name in CHANGES})

    def _looks(self, slot: int) -> Block:
        names = [name for name in TIMED if name not in SCORES or SCORES[slot % len(SCORES)] == name]
        fields = np.repeat([TIMES.index(CONFIRMED[name]) for name in names], REGIONS)
        places = np.array([self.frame.place(region) for region in self.regions])
        columns = {
            "region": np.tile(places, len(names)),
            "instance_type": np.zeros(len(fields)),
            "zone": np.full(len(fields), -1),
            "slot": np.full(len(fields), slot),
            "field": fields,
            "at": np.full(len(fields), slot),
        }
        return Block(self.frame.texts, {name: columns[name].astype(KINDS[name][0]) for name in TIME_NOTES})


def _set_thresholds(rows: Block) -> None:
    """T2 and T3 as the scores say: the largest count that has such a score, with all smaller ones."""
    for name, least in (("t2", 2), ("t3", 3)):
        reached = np.ones(len(rows), bool)
        rows[name][:] = 0
        for count in DESIRED_COUNTS:
            reached &= rows[f"score_{count}"] >= least
            rows[name][reached] = count
