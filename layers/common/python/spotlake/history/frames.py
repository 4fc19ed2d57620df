"""Frames: the values of all live workloads at one slot, with the times of these values (pure).

A frame is a block with the columns ``fields.FRAME``, one row a live workload, in order of region, size and zone.
"""

from __future__ import annotations

import numpy as np

from spotlake.history.blocks import Block
from spotlake.history.fields import (
    BEGAN,
    CONFIRMED,
    FRAME,
    KINDS,
    NO_ZONE_CODE,
    PRICES,
    SCORES,
    ZONE_NAMES,
)
from spotlake.merge.columns import ZONES
from spotlake.merge.growing_columns import Column, first_of_each
from spotlake.merge.state import PAIR_COLUMNS, WORKLOAD_COLUMNS, MergedState
from spotlake.merge.view import View, savings_percent
from spotlake.models import NO_ZONE
from spotlake.scores.thresholds import UNKNOWN

_CODES = np.array([ZONE_NAMES.index(zone) for zone in (*ZONES, NO_ZONE)], np.int8)  # a view's code -> ours
_VIEW_CODES = np.array([(*ZONES, NO_ZONE).index(zone) for zone in ZONE_NAMES], np.int8)


def frame_of(view: View) -> Block:
    """The frame that a view shows."""
    state, live = view.state, np.flatnonzero(view.live)
    pair, row = view.pair[live], view.row[live]
    rows = state.workloads

    def of_row(column: Column) -> Column:
        return np.where(row >= 0, column[row] if len(column) else 0, 0)

    columns: dict[str, Column] = {
        "region": state.pair["region"][pair],
        "instance_type": state.pair["size"][pair],
        "zone": _CODES[view.zone[live]],
        "physical_zone": of_row(rows["physical"]),
        "region_name": _billing_names(state)[state.pair["region"][pair]],
    }
    for name, part in PRICES.items():
        columns[name] = state.pair[part][pair]
        columns[BEGAN[name]] = state.pair[f"{part}_began"][pair]
        columns[CONFIRMED[name]] = state.pair[f"{part}_confirmed"][pair]
    for place, name in enumerate(SCORES):
        columns[name] = of_row(rows["score"][:, place])
        columns[BEGAN[name]] = of_row(rows["score_began"][:, place])
        columns[CONFIRMED[name]] = of_row(rows["seen"][:, place, :].max(axis=1))
    columns |= {"t2": view.t2[live], "t3": view.t3[live]}
    typed = {name: columns[name].astype(KINDS[name][0]) for name in FRAME}
    block = Block.of([*state.texts, *state.regions.values()], typed)
    return block.take(np.argsort(block.keys()))


def _billing_names(state: MergedState) -> Column:
    """By text of the state: the place of its billing name in ``[*texts, *regions.values()]``; 0 for none."""
    place = {text: number for number, text in enumerate(state.texts)}
    names = np.zeros(len(state.texts), np.int64)
    for number, region in enumerate(state.regions):
        if region in place:
            names[place[region]] = len(state.texts) + number
    return names


def view_of(frame: Block) -> View:
    """The view that shows a frame: what the files of a slot are made from."""
    state = MergedState(texts=list(frame.texts))
    first = first_of_each(frame["region"])
    named = zip(*(frame.take(first).text(name) for name in ("region", "region_name")), strict=True)
    state.regions = {region: name for region, name in named if name}
    first = first_of_each(frame.keys() // (len(ZONE_NAMES) + 1))
    number = np.cumsum(first) - 1  # of each row's pair
    pairs = int(first.sum())
    state.pair = {name: np.full(pairs, unknown, kind) for name, (kind, _, unknown) in PAIR_COLUMNS.items()}
    state.pair |= {"region": frame["region"][first], "size": frame["instance_type"][first]}
    for name, part in PRICES.items():
        state.pair[part] = frame[name][first]
        state.pair[f"{part}_began"] = frame[BEGAN[name]][first]
        state.pair[f"{part}_confirmed"] = frame[CONFIRMED[name]][first]
    state.workloads = {
        name: np.full((len(frame), *shape), unknown, kind) for name, (kind, shape, unknown) in WORKLOAD_COLUMNS.items()
    }
    rows = state.workloads
    rows["pair"], rows["zone"], rows["physical"] = number, _VIEW_CODES[frame["zone"]], frame["physical_zone"]
    for place, name in enumerate(SCORES):
        rows["score"][:, place] = frame[name]
        rows["score_began"][:, place] = frame[BEGAN[name]]
        rows["seen"][:, place, 0] = frame[CONFIRMED[name]]
    return View(
        state=state,
        pair=number,
        row=np.where(frame["zone"] == NO_ZONE_CODE, UNKNOWN, np.arange(len(frame))),
        zone=_VIEW_CODES[frame["zone"]].astype(np.int64),
        live=np.ones(len(frame), bool),
        t2=frame["t2"].astype(np.int16),
        t3=frame["t3"].astype(np.int16),
        savings=savings_percent(state.pair["spot"], state.pair["ondemand"]),
    )
