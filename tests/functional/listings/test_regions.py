"""Which regions a run over everything lists: those of the subscription, and those that sell and stand in no list."""

from __future__ import annotations

import pytest

from spotlake.clock import Deadline
from spotlake.errors import InvalidInputError
from spotlake.models import Mode
from spotlake.planning.run_input import require_known_regions
from spotlake.wiring_full_run import full_run_deps
from spotlake_local.azure.simulated import SimulatedAzure
from tests.support.house import House, run_of
from tests.support.listing_days import ListingDays


def regions_of_a_full_run(azure: SimulatedAzure) -> tuple[str, ...]:
    run, deadline = run_of(Mode.FULL, 1), Deadline.after(60)
    return full_run_deps(House(azure).services, run, deadline, lambda: False, lambda _: None).regions


def test_what_sells_is_collected_once_whether_it_is_listed_or_not(azure: SimulatedAzure) -> None:
    listed = regions_of_a_full_run(azure)
    azure.options(unlisted_regions=["swedensouth"])
    assert regions_of_a_full_run(azure) == listed
    assert listed.count("swedensouth") == 1
    assert set(listed) == set(azure.world().regions)


def test_another_region_that_no_list_has_is_refused_by_its_name(azure: SimulatedAzure) -> None:
    azure.options(unlisted_regions=["swedensouth", "westus"])
    regions = regions_of_a_full_run(azure)
    assert "westus" not in regions
    require_known_regions(["swedensouth"], regions)
    with pytest.raises(InvalidInputError, match="westus"):
        require_known_regions(["westus"], regions)


def test_an_unlisted_region_gets_its_prices(azure: SimulatedAzure) -> None:
    azure.options(unlisted_regions=["swedensouth"])
    days, run = ListingDays(azure, ("swedensouth",)), run_of(Mode.FULL, 1)
    manifest = days.run(run.slot_at, Mode.FULL)
    assert (manifest["stale"], manifest["regions_requested"]) == ([], 1)
    assert len(days.catalogue().pairs["swedensouth"]) == len(azure.world().spot_sizes("swedensouth"))
