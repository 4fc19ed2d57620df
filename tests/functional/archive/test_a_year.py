"""A virtual year in short: whatever goes wrong, what is shown at the end is true, and nothing is stuck.

``python -m benchmarks.year`` is the whole year. Here more goes wrong in fewer days, and what is gone is forgotten
sooner.
"""

from __future__ import annotations

import pytest

from spotlake import keys
from spotlake.settings import Settings
from tests.functional.archive.year import STEP, Year, fresh, made_again, newest_state
from tests.functional.archive.year_truth import snapshot, state_bytes, untruths

SOON = Settings(catalogue_days=2, retire_after_days=3, retired_ttl_days=5)
GROWTH = 1.2


@pytest.mark.parametrize("seed", [6])
def test_after_a_bad_season_everything_shown_is_true(seed: int) -> None:
    year = Year(seed=seed, luck=0.25, settings=SOON)
    year.live(25)
    year.live(12, calm=True)
    assert untruths(year) == []
    assert state_bytes(year) <= GROWTH * state_bytes(fresh(year))
    assert {"pause", "table_outage", "lose", "damage", "shrink", "grow", "subscriptions"} <= set(year.happened)
    assert year.happened["rebuild"]
    before = newest_state(year).encode()
    assert made_again(year) == before


def test_a_region_that_closed_ends_though_nobody_knows_it_any_more() -> None:
    year = Year(settings=SOON)
    year.live(1, calm=True)
    year.azure.sold["regiona"] = {}
    year.azure.located.remove("regiona")
    year.objects.delete(keys.CATALOGUE)
    year.live(7, calm=True)
    assert untruths(year) == []
    assert "regiona" not in {row["RegionCode"] for row in snapshot(year, year.clock.now() - STEP)}


def test_an_empty_listing_of_a_full_run_is_a_look() -> None:
    year = Year(settings=SOON)
    year.live(1, calm=True)
    year.azure.sold["regiona"] = {}
    year.live(8, calm=True)  # its pairs leave the catalogue, and full runs alone list it
    before = newest_state(year).encode()
    assert made_again(year) == before
