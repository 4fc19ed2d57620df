"""Figures of a snapshot, each counted by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spotlake.merge.figures import Before, Compared, Shown, count_figures, quantiles
from spotlake.merge.shown import view_figures
from spotlake.merge.view import View
from spotlake.models import DESIRED_COUNTS
from tests.unit.merge.test_views import state

SLOT = 10_000
NAN = np.nan
COUNTS = (0, *DESIRED_COUNTS)


def column(*values: float) -> Any:
    return np.array(values)


def shown(**changes: Any) -> Shown:
    """Three pairs and five workloads: of region ``b`` two pairs, of ``a`` one; ``none`` has no pair."""
    given: dict[str, Any] = {
        "slot": SLOT, "desired_count": 5, "names": {"b": "B", "none": "None", "a": "A"}, "codes": ["b", "none", "a"],
        "region": column(0, 2, 0), "prices": column(0.1, NAN, 1.0), "savings": column(50.0, NAN, 62.5),
        "rates": column(3.0, 1.5, NAN), "price_began": column(SLOT, 0, SLOT - 6), "rate_began": column(1, SLOT - 7, 0),
        "pair": column(0, 0, 1, 2, 2), "score": column(3, 1, -1, 3, 2), "t2": column(50, 0, -1, 5, 5),
        "t3": column(50, 1, -1, 0, 0), "score_began": column(SLOT - 36, SLOT - 37, 0, SLOT - 144, SLOT - 145),
    }  # fmt: skip
    return Shown(**{**given, **changes})


def at(kinds: tuple[int, ...], **counts: int) -> list[int]:
    """Counts in the order of the kinds: ``n50`` is of 50."""
    return [counts.get(f"n{kind}", 0) for kind in kinds]


def test_what_a_snapshot_shows_is_counted_by_region() -> None:
    found: Any = count_figures(shown())
    assert found == {
        "desired_count": 5,
        "regions": {
            "a": {
                "name": "A", "pairs": 1, "scores": [0, 0, 0, 1], "t3": at(COUNTS), "t2": at(COUNTS),
                "frequencies": [0, 0, 0, 1, 0, 0], "spot_price": None, "savings": None, "moves": {},
            },
            "b": {
                "name": "B", "pairs": 2, "scores": [2, 1, 1, 0], "t3": at(COUNTS, n50=1, n1=1, n0=2),
                "t2": at(COUNTS, n50=1, n0=1, n5=2), "frequencies": [1, 0, 0, 0, 0, 1],
                "spot_price": [0.1, 0.1, 0.1, 1.0, 1.0], "savings": [50.0, 50.0, 50.0, 62.5, 62.5], "moves": {},
            },
        },
        "spot_price_histogram": [
            (0.1, 0.178, 1), (0.178, 0.316, 0), (0.316, 0.562, 0), (0.562, 1.0, 0), (1.0, 1.78, 1),
        ],
        "savings_histogram": [(50.0, 55.0, 1), (55.0, 60.0, 0), (60.0, 65.0, 1)],
        "held": {"price": [1, 1, 0, 0, 0, 0], "eviction": [0, 0, 1, 0, 0, 1], "sps": [0, 0, 1, 2, 1, 0]},
        "left": None,
    }  # fmt: skip
    assert list(found["regions"]) == ["a", "b"]


def test_a_snapshot_without_workloads_has_no_count_and_no_region() -> None:
    none = column()[:0].astype(np.int64)
    found: Any = count_figures(
        shown(codes=[], names={}, **dict.fromkeys(
            ("region", "prices", "savings", "rates", "price_began", "rate_began", "pair", "score", "t2", "t3",
             "score_began"), none)),
        Before(values=shown().compared(), places=none, workloads=3),
    )  # fmt: skip
    assert found == {
        "desired_count": None, "regions": {}, "spot_price_histogram": [], "savings_histogram": [],
        "held": dict.fromkeys(("price", "eviction", "sps"), [0] * 6), "left": 3,
    }  # fmt: skip


def moves(places: list[int], workloads: int = 9, **before: Any) -> tuple[dict[str, Any], int | None]:
    """What moved in each region, and how many left. A workload's place is its place among those before."""
    given: dict[str, Any] = {
        "prices": column(0.1, NAN, 1.0), "rates": column(3.0, 1.5, NAN), "pair": column(0, 0, 1, 2, 2),
        "t2": column(50, 0, -1, 5, 5), "t3": column(50, 1, -1, 0, 0),
    }  # fmt: skip
    old = Compared(**{**given, **before})
    found = count_figures(shown(), Before(values=old, places=np.array(places), workloads=workloads))
    return {code: region["moves"] for code, region in found["regions"].items()}, found["left"]


def test_what_moved_is_counted_by_workload_and_direction() -> None:
    same = [0, 1, 2, 3, 4]
    assert moves(same) == ({"a": {}, "b": {}}, 4)
    assert moves(same, prices=column(0.2, 0.5, 0.5)) == (
        {"a": {"spot_price": {"unknown": 1}}, "b": {"spot_price": {"up": 2, "down": 2}}}, 4,
    )  # fmt: skip
    assert moves(same, prices=column(NAN, NAN, NAN), rates=column(2.5, NAN, 2.5)) == (
        {
            "a": {"interruption_frequency": {"known": 1}},
            "b": {"spot_price": {"known": 4}, "interruption_frequency": {"up": 2, "unknown": 2}},
        },
        4,
    )  # fmt: skip
    assert moves(same, t2=column(-1, 1, 0, 5, 1), t3=column(45, 1, -1, -1, 5)) == (
        {
            "a": {"t2": {"unknown": 1}},
            "b": {"t2": {"known": 1, "down": 1, "up": 1}, "t3": {"known": 1, "up": 1, "down": 1}},
        },
        4,
    )  # fmt: skip


def test_what_appeared_and_left_is_counted() -> None:
    assert moves([0, -1, -1, -1, 4], workloads=2) == (
        {"a": {"workload": {"appeared": 1}}, "b": {"workload": {"appeared": 2}}}, 0,
    )  # fmt: skip
    assert moves([-1] * 5, workloads=7)[1] == 7
    assert moves([4, 3, -1, 1, 0])[0]["b"] == {  # each at its own place
        "spot_price": {"down": 2, "up": 2}, "interruption_frequency": {"known": 2, "unknown": 2},
        "t2": {"up": 2, "down": 2}, "t3": {"up": 2, "down": 2},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("prices", "bins"),
    [
        ((0.0, NAN, -1.0), []),
        ((10.0,), [(10.0, 17.8, 1)]),
        ((9.99, 10.0, 17.7, 17.8), [(5.62, 10.0, 1), (10.0, 17.8, 2), (17.8, 31.6, 1)]),
        ((1e-6, 1e-6), [(1e-06, 1.78e-06, 2)]),
        ((1000.0, 100.0), [(100.0, 178.0, 1), (178.0, 316.0, 0), (316.0, 562.0, 0), (562.0, 1000.0, 0),
                           (1000.0, 1780.0, 1)]),
    ],
)  # fmt: skip
def test_prices_are_counted_in_four_bins_a_decade(prices: tuple[float, ...], bins: list[Any]) -> None:
    pairs, none = np.zeros(len(prices), np.int64), np.empty(0, np.int64)
    nothing = dict.fromkeys(("pair", "score", "t2", "t3", "score_began"), none)
    found = count_figures(
        shown(prices=column(*prices), region=pairs, savings=pairs * NAN, rates=pairs * NAN, **nothing)
    )
    assert found["spot_price_histogram"] == bins


def savings(*values: float) -> list[Any]:
    return count_figures(shown(savings=column(*values)))["savings_histogram"]


def test_a_price_at_an_edge_is_in_one_bin_whichever_logarithm_the_processor_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """numpy has faster logarithms on some processors, whose last digit may be another one."""
    exact = np.log10
    monkeypatch.setattr(np, "log10", lambda values: exact(values) - 1e-12)
    assert count_figures(shown(prices=column(0.1, NAN, 1.0)))["spot_price_histogram"][0] == (0.1, 0.178, 1)


def test_savings_are_counted_in_steps_of_five_percent() -> None:
    assert savings(0.0, 4.99, 5.0) == [(0.0, 5.0, 2), (5.0, 10.0, 1)]
    assert savings(100.0, 99.9, 95.0) == [(95.0, 100.0, 3)]
    assert savings(-0.01, NAN, 0.0) == [(-5.0, 0.0, 1), (0.0, 5.0, 1)]
    assert savings(94.99, 130.0, NAN) == [(90.0, 95.0, 1), (95.0, 100.0, 1)]


def test_an_absurd_value_makes_no_thousands_of_bins() -> None:
    far = savings(-49_905.0, 97.0, 97.0)  # 10,001 bins
    assert far == [(-49_905.0, -49_900.0, 1), (95.0, 100.0, 2)]
    near = savings(-49_900.0, 97.0, 97.0)  # 10,000 bins
    assert (len(near), near[0], near[1], near[-1]) == (
        10_000, (-49_900.0, -49_895.0, 1), (-49_895.0, -49_890.0, 0), (95.0, 100.0, 2),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("slots", "place"),
    [(0, 0), (1, 1), (6, 1), (7, 2), (36, 2), (37, 3), (144, 3), (145, 4), (432, 4), (433, 5), (9_999, 5)],
)
def test_values_are_counted_by_their_ages(slots: int, place: int) -> None:
    found = count_figures(shown(price_began=column(SLOT - slots, 0, 0)))["held"]["price"]
    assert found == [int(number == place) for number in range(6)]


def test_quantiles_are_of_the_nearest_rank() -> None:
    assert quantiles([]) is None
    assert quantiles([7.0]) == [7.0] * 5
    assert quantiles([1.0, 2.0]) == [1.0, 1.0, 1.0, 2.0, 2.0]
    assert quantiles([float(number) for number in range(1, 11)]) == [1.0, 3.0, 5.0, 8.0, 9.0]
    assert quantiles([float(number) for number in range(1, 101)]) == [10.0, 25.0, 50.0, 75.0, 90.0]


def view(*, later: bool) -> View:
    """Two regions; later one pair more, other prices and a score that fell."""
    pairs = [("r", "S_P")] if later else []
    made = state(("s", "S_A", "1"), ("=r", "S_B", "2"), ("s", "S_A", "2"), pairs=pairs)
    number = len(made.pair["spot"])
    made.slot, made.regions = (1001 if later else 1000), {"s": "+S", "r": "R"}
    made.pair["spot"][:] = [0.5, 0.25, 0.1][:number] if later else [0.25, 0.25]
    made.pair["ondemand"][:] = 1.0
    made.pair["frequency"][:2] = [3.0, 2.5]
    made.pair["spot_began"][:] = 1001 if later else 900
    made.pair["frequency_began"][:2] = 995
    one, five = DESIRED_COUNTS.index(1), DESIRED_COUNTS.index(5)
    made.workloads["score"][:, five], made.workloads["score_began"][:, five] = [3, 2, 0], [1000, 940, 0]
    made.workloads["score"][:, one] = 1
    made.workloads["seen"][:, five] = [[0, 0, 1000], [0, 940, 0], [0, 0, 0]]
    if later:
        made.workloads["seen"][0, one, 0] = 1001
    return View.of(made, 14)


def test_a_view_is_counted_at_a_desired_count_and_in_the_names_of_files() -> None:
    found: Any = view_figures(view(later=False), None, 5, str.lower)
    assert found == {
        "desired_count": 5,
        "regions": {
            "'=r": {
                "name": "'=r", "pairs": 1, "scores": [0, 1, 0, 0], "t3": at(COUNTS), "t2": at(COUNTS, n5=1),
                "frequencies": [0, 1, 0, 0, 0, 0], "spot_price": [0.25] * 5, "savings": [75.0] * 5, "moves": {},
            },
            "s": {
                "name": "'+s", "pairs": 1, "scores": [1, 0, 0, 1], "t3": at(COUNTS, n5=1), "t2": at(COUNTS, n5=1),
                "frequencies": [1, 0, 0, 0, 0, 0], "spot_price": [0.25] * 5, "savings": [75.0] * 5, "moves": {},
            },
        },
        "spot_price_histogram": [(0.178, 0.316, 2)],
        "savings_histogram": [(75.0, 80.0, 2)],
        "held": {"price": [0, 0, 0, 2, 0, 0], "eviction": [0, 2, 0, 0, 0, 0], "sps": [1, 0, 0, 1, 0, 0]},
        "left": None,
    }  # fmt: skip
    at_one: Any = view_figures(view(later=False), None, 1, str.strip)["regions"]
    assert (at_one["s"]["scores"], at_one["s"]["name"]) == ([0, 0, 2, 0], "'+S")


def test_a_view_is_compared_with_the_one_before() -> None:
    before, after = view(later=False), view(later=True)
    found: Any = view_figures(after, before, 5, str.strip)
    assert {code: region["moves"] for code, region in found["regions"].items()} == {
        "'=r": {},
        "r": {"workload": {"appeared": 1}},
        "s": {"spot_price": {"up": 2}, "t3": {"down": 1}, "t2": {"down": 1}},
    }
    assert (found["left"], found["regions"]["r"]["scores"]) == (0, [0, 0, 0, 1])
    back: Any = view_figures(before, after, 5, str.strip)
    assert (back["left"], back["regions"]["s"]["moves"]["spot_price"]) == (1, {"down": 2})
    retired = view(later=False)
    retired.live[:] = False
    again: Any = view_figures(after, retired, 5, str.strip)
    assert again["left"] == 0
    assert again["regions"]["s"]["moves"] == {"workload": {"appeared": 2}}
    none = View.of(state(), 14)
    first: Any = view_figures(after, none, 5, str.strip)
    assert (first["left"], first["regions"]["s"]["moves"]) == (0, {"workload": {"appeared": 2}})
    gone = view_figures(none, after, 5, str.strip)
    assert (gone["left"], gone["regions"], gone["desired_count"]) == (4, {}, None)


def test_pairs_without_a_scored_zone_have_figures_too() -> None:
    plain = View.of(state(pairs=[("r", "S_A"), ("r", "S_B")]), 14)
    found: Any = view_figures(plain, plain, 1, str.strip)
    region = found["regions"]["r"]
    assert (region["scores"], region["t3"], region["moves"]) == ([0, 0, 0, 2], at(COUNTS), {})
    assert (found["left"], found["held"]["sps"]) == (0, [0] * 6)
