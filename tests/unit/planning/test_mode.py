"""Which way an execution takes: the day's full run, the Map, or a full run of what its input names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spotlake.clock import ManualClock
from spotlake.errors import InvalidInputError
from spotlake.models import Run
from spotlake.planning.catalogue import Catalogue, fold_listing
from spotlake.settings import Settings
from spotlake.state.catalogue import read_catalogue, write_catalogue
from spotlake.stores.claims import MemoryClaims
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.plan.plan_run import PlanDeps, plan_run
from spotlake.usecases.plan.prepare_work import PrepareDeps

TODAY_AT = datetime(2026, 11, 23, 0, 10, tzinfo=UTC)
SIZE = "Standard_D2s_v5"


class PreparedError(Exception):
    """The incremental way was taken: there is nothing behind it here."""


def preparing(run: Run) -> PrepareDeps:
    raise PreparedError(run.mode)


class House:
    """A write bucket with a catalogue in it."""

    def __init__(self, **settings: Any) -> None:
        self.objects = MemoryObjects()
        self.settings = Settings(**settings)
        self.executions = 0

    def list_regions(self, *regions: str, days_ago: int = 0, whole: bool) -> None:
        before = read_catalogue(self.objects) or Catalogue()
        day = TODAY_AT.date() - timedelta(days=days_ago)
        listing = {region: [SIZE] for region in regions}
        write_catalogue(self.objects, fold_listing(before, day, listing, {}, keep_days=3, whole=whole))

    def way(self, **wanted: Any) -> str:
        """ "full" or "incremental", as planned."""
        deps = PlanDeps(
            objects=self.objects,
            claims=MemoryClaims(),
            wall=ManualClock(TODAY_AT),
            is_running=lambda _: False,
            settings=self.settings,
            prepare=preparing,
        )
        try:
            planned = plan_run(wanted, execution_id="arn:one", started_at=TODAY_AT.isoformat(), deps=deps)
        except PreparedError:
            return "incremental"
        return str(planned["run"]["mode"])


def test_the_first_run_ever_and_the_first_of_a_day_are_full() -> None:
    assert House().way() == "full"
    house = House()
    house.list_regions("eastus", "koreacentral", days_ago=1, whole=True)
    assert house.way() == "full"
    house.list_regions("eastus", whole=True)  # koreacentral could not be listed today
    assert house.way() == "incremental"


def test_a_run_of_some_regions_does_not_stand_for_the_day_s_full_run() -> None:
    house = House()
    assert house.way(regions=["koreacentral"]) == "full"
    house.list_regions("koreacentral", whole=False)
    assert house.way(regions=["koreacentral"]) == "incremental"
    assert house.way() == "full"


def test_regions_beyond_those_collected_so_far_are_listed_first() -> None:
    house = House()
    house.list_regions("koreacentral", whole=False)
    assert house.way(regions=["eastus"]) == "full"
    with pytest.raises(InvalidInputError, match="regions: 'eastus'"):
        house.way(regions=["eastus"], mode="incremental")
    with pytest.raises(InvalidInputError, match="instance_types: 'Standard_ND"):
        house.way(regions=["koreacentral"], instance_types=["Standard_ND*"])
    assert house.way(regions=["eastus"], instance_types=["Standard_ND*"]) == "full"


def test_what_a_whole_catalogue_lacks_is_refused() -> None:
    house = House()
    house.list_regions("koreacentral", whole=True)
    with pytest.raises(InvalidInputError, match="regions: 'koreacentrall'"):
        house.way(regions=["koreacentrall"])
    with pytest.raises(InvalidInputError, match="instance_types: 'Standard_Z"):
        house.way(instance_types=["Standard_Z*"])


def test_full_runs_that_cannot_list_anything_do_not_keep_a_day_from_being_collected() -> None:
    house = House()
    house.list_regions("eastus", "koreacentral", days_ago=1, whole=True)
    assert [house.way() for _ in range(3)] == ["full", "full", "incremental"]


def test_runs_of_some_regions_use_up_none_of_the_day_s_attempts() -> None:
    house = House()
    house.list_regions("eastus", "koreacentral", days_ago=1, whole=True)
    assert [house.way(regions=["eastus"]) for _ in range(3)] == ["full"] * 3
    assert house.way() == "full"


def test_the_regions_of_the_settings_are_the_whole_of_it() -> None:
    house = House(regions=("koreacentral",))
    house.list_regions("koreacentral", whole=True)
    assert house.way() == "incremental"
    assert house.way(regions=["koreacentral"]) == "incremental"
    house.settings = Settings(regions=("koreacentral", "eastus"))  # one more: it is not in the catalogue yet
    assert [house.way() for _ in range(3)] == ["full", "full", "incremental"]
