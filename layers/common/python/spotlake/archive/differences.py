"""The values that differ between two moments, a row each (pure)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from spotlake.history.blocks import Block, aligned, places_of
from spotlake.history.fields import KEYS, TEXTS, VALUES, ZONE_NAMES, differs, is_known
from spotlake.merge.growing_columns import Column

_NAMES = (*KEYS, "value", "before", "after")


def difference_table(before: Block, after: Block) -> pa.Table:
    """The differences of two blocks with the columns ``KEYS`` and ``VALUES``, in order of workload and value."""
    before, after = aligned(before, after)
    places, kept = places_of(before.keys(), after.keys())
    _, stays = places_of(after.keys(), before.keys())
    rows = [*_live(after.take(~kept), came=True), *_live(before.take(~stays), came=False)]
    one, other = before.take(places[kept]), after.take(kept)
    for name in VALUES:
        changed = np.flatnonzero(differs(name, one[name], other[name]))
        texts = zip(_texts(one, name, changed), _texts(other, name, changed), strict=True)
        rows += [(*key, name, *pair) for key, pair in zip(_keys(other, changed), texts, strict=True)]
    rows.sort()
    columns = zip(*rows, strict=True) if rows else [()] * len(_NAMES)
    return pa.table({name: pa.array(column, pa.string()) for name, column in zip(_NAMES, columns, strict=True)})


def _live(block: Block, *, came: bool) -> list[tuple[str, ...]]:
    words = ("false", "true") if came else ("true", "false")
    return [(*key, "live", *words) for key in _keys(block, np.arange(len(block)))]


def _keys(block: Block, chosen: Column) -> list[tuple[str, str, str]]:
    rows = block.take(chosen)
    zones = [ZONE_NAMES[code] for code in rows["zone"].tolist()]
    return list(zip(rows.text("region"), rows.text("instance_type"), zones, strict=True))


def _texts(block: Block, name: str, chosen: Column) -> list[str]:
    values = block[name][chosen]
    if name in TEXTS:
        return [block.texts[place] for place in values.tolist()]
    known = is_known(name, values).tolist()
    return [f"{value:.10g}" if is_there else "" for value, is_there in zip(values.tolist(), known, strict=True)]
