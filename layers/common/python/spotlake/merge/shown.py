"""What a snapshot shows of a view, in columns, and its figures beside the view before (pure)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spotlake.merge.figures import Before, Compared, Shown, count_figures
from spotlake.merge.growing_columns import Column
from spotlake.merge.matching import places_in
from spotlake.merge.view import View
from spotlake.models import DESIRED_COUNTS
from spotlake.names import plain_field
from spotlake.scores.thresholds import UNKNOWN
from spotlake.snapshot_figures import SnapshotFigures


def view_figures(view: View, before: View | None, count: int, shown: Callable[[str], str]) -> SnapshotFigures:
    """The figures of a view.

    Args:
        view: The view that the snapshot shows.
        before: The view that the snapshot before shows; None: nothing is compared.
        count: Desired count of the snapshot.
        shown: Casing of names; see ``Settings.name_casing``.
    """
    live = np.flatnonzero(view.live)
    now = _shown(view, live, count, shown)
    if before is None:
        return count_figures(now)
    places = places_in(before, view)[live]
    was_live = (places >= 0) & before.live[places] if len(before.live) else np.zeros(len(live), bool)
    pair = before.state.pair
    values = Compared(pair["spot"], pair["frequency"], before.pair, before.t2, before.t3)
    old = Before(values=values, places=np.where(was_live, places, -1), workloads=before.live_count)
    return count_figures(now, old)


def _shown(view: View, live: Column, count: int, shown: Callable[[str], str]) -> Shown:
    state = view.state
    numbers, pairs = _numbered(view.pair[live])
    names = ("region", "spot", "frequency", "spot_began", "frequency_began")
    pair = {name: state.pair[name][numbers] for name in names}
    texts, regions = _numbered(pair["region"])
    codes = [state.texts[number] for number in texts.tolist()]
    place, row = DESIRED_COUNTS.index(count), view.row[live]

    def of_row(name: str) -> Column:
        column = state.workloads[name][:, place]
        return np.where(row >= 0, column[row] if len(column) else 0, 0)

    score = of_row("score")
    return Shown(
        slot=state.slot,
        desired_count=count,
        names={plain_field(code): plain_field(shown(state.regions.get(code, code))) for code in codes},
        codes=list(map(plain_field, codes)),
        region=regions,
        prices=pair["spot"],
        savings=view.savings[numbers],
        rates=pair["frequency"],
        price_began=pair["spot_began"],
        rate_began=pair["frequency_began"],
        pair=pairs,
        score=np.where(score == 0, UNKNOWN, score),
        t2=view.t2[live],
        t3=view.t3[live],
        score_began=of_row("score_began"),
    )


def _numbered(numbers: Column) -> tuple[Column, Column]:
    """The distinct numbers in order, and the place of each number there."""
    place = np.zeros(int(numbers.max(initial=0)) + 1, np.int32)
    place[numbers] = 1
    distinct = np.flatnonzero(place)
    place[distinct] = np.arange(len(distinct))
    return distinct, place[numbers]
