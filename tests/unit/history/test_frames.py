"""A frame shows what a view shows, and the view that is made from a frame shows the same again."""

from __future__ import annotations

import numpy as np

from spotlake.history.frames import frame_of, view_of
from spotlake.merge.columns import ZONES
from spotlake.merge.state import MergedState
from spotlake.merge.view import View
from spotlake.models import DESIRED_COUNTS
from tests.unit.history.blocks import RATE, SPOT, frame, known, told, workload

NOW = 1000


def state() -> MergedState:
    """Region ``r`` is named and ``a`` is not; ``gone`` is a name of a region without a pair."""
    made = MergedState(slot=NOW, regions={"gone": "Gone", "r": "R"})
    made.add_pairs([("r", "B"), ("a", "A"), ("r", "A"), ("r", "Retired")])
    made.add_workloads(np.array([0, 2, 2, 3]), np.array([ZONES.index(zone) for zone in ("2", "Single", "1", "1")]))
    pair, rows = made.pair, made.workloads
    pair["listed"][:] = NOW
    pair["unseen_days"][3] = 14
    pair["spot"][:], pair["spot_began"][:], pair["spot_confirmed"][:] = [0.5, 0.25, 0.125, 9.0], 900, [990, 991, 992, 1]
    pair["ondemand"][:], pair["ondemand_began"][:], pair["ondemand_confirmed"][:] = [1.0, np.nan, 0.5, 9.0], 800, 801
    pair["frequency"][2], pair["frequency_began"][2], pair["frequency_confirmed"][2] = 2.5, 700, 701
    rows["answered"][:] = NOW
    one, five = DESIRED_COUNTS.index(1), DESIRED_COUNTS.index(5)
    rows["score"][0, one], rows["score_began"][0, one], rows["seen"][0, one, 1] = 2, 600, 610
    rows["score"][1, five], rows["score_began"][1, five] = 3, 500
    rows["seen"][1, five] = [0, 450, 510]
    (number,) = made.text_numbers(["r-az7"])
    rows["physical"][2] = number
    return made


def expected() -> list[dict[str, object]]:
    of_a = {"spot": (0.125, 900, 992), "ondemand": (0.5, 800, 801), "rate": (2.5, 700, 701), "region_name": "R"}
    return known(
        frame(
            workload("a", "A", "N/A", spot=(0.25, 900, 991), ondemand=(None, 800, 801)),
            workload("r", "A", "1", **of_a, physical_zone="r-az7"),
            workload("r", "A", "Single", **of_a, s5=(3, 500, 510), t2=5, t3=5),
            workload(
                "r", "B", "2", spot=(0.5, 900, 990), ondemand=(1.0, 800, 801), s1=(2, 600, 610), t2=1, t3=0,
                region_name="R",
            ),
        )
    )  # fmt: skip


def test_a_frame_has_all_live_workloads_with_values_and_times_in_order() -> None:
    found = frame_of(View.of(state(), 14))
    assert known(found) == expected()
    assert told(found, "t2", "t3") == [(-1, -1), (-1, -1), (5, 5), (1, 0)]
    assert set(found.texts) >= {"", "R", "r", "a", "r-az7"}


def test_a_frame_of_pairs_without_a_scored_zone_is_a_frame() -> None:
    made = MergedState(slot=NOW)
    made.add_pairs([("r", "A")])
    made.pair["listed"][:], made.pair["spot"][:] = NOW, 0.5
    made.pair["spot_began"][:] = made.pair["spot_confirmed"][:] = NOW
    assert known(frame_of(View.of(made, 14))) == known(frame(workload("r", "A", "N/A", spot=(0.5, NOW, NOW))))


def test_the_view_of_a_frame_shows_its_workloads() -> None:
    view = view_of(frame_of(View.of(state(), 14)))
    made, texts = view.state, view.state.texts
    assert made.regions == {"r": "R"}
    assert made.pairs() == [("a", "A"), ("r", "A"), ("r", "B")]
    assert (view.pair.tolist(), view.row.tolist(), view.live.tolist()) == ([0, 1, 1, 2], [-1, 1, 2, 3], [True] * 4)
    assert view.live.dtype == bool
    zones = (*ZONES, "N/A")
    assert [zones[code] for code in view.zone.tolist()] == ["N/A", "1", "Single", "2"]
    assert (view.t2.tolist(), view.t3.tolist()) == ([-1, -1, 5, 1], [-1, -1, 5, 0])
    assert (view.t2.dtype.str, view.t3.dtype.str, view.zone.dtype.str) == ("<i2", "<i2", "<i8")
    savings = [None if np.isnan(one) else one for one in view.savings.tolist()]
    assert savings == [None, 75.0, 50.0]
    assert made.pair["spot"].tolist() == [0.25, 0.125, 0.5]
    assert made.pair["spot_began"].tolist() == [900] * 3
    assert made.pair["spot_confirmed"].tolist() == [991, 992, 990]
    assert made.pair["frequency"].tolist()[1:2] == [2.5]
    assert made.pair["frequency_confirmed"].tolist() == [0, 701, 0]
    assert made.pair["spot_missed"].tolist() == [0] * 3
    rows = made.workloads
    assert rows["pair"].tolist() == [0, 1, 1, 2]
    assert [zones[code] for code in rows["zone"].tolist()] == ["N/A", "1", "Single", "2"]
    assert [texts[number] for number in rows["physical"].tolist()] == ["", "r-az7", "", ""]
    one, five = DESIRED_COUNTS.index(1), DESIRED_COUNTS.index(5)
    assert (rows["score"][:, five].tolist(), rows["score"][:, one].tolist()) == ([0, 0, 3, 0], [0, 0, 0, 2])
    assert rows["score_began"][:, five].tolist() == [0, 0, 500, 0]
    assert rows["seen"][2, five].tolist() == [510, 0, 0]
    assert rows["seen"].shape == (4, len(DESIRED_COUNTS), 3)


def test_a_frame_of_its_own_view_is_the_frame() -> None:
    first = frame_of(View.of(state(), 14))
    again = frame_of(view_of(first))
    assert known(again) == known(first)
    assert told(again, SPOT, RATE, "region_name") == told(first, SPOT, RATE, "region_name")
    assert again.columns["score_5"].dtype == np.int8
