"""Days on which Azure's listings are wrong, from collector to manifest: old data stay, and their age shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson
import pytest
import requests

from spotlake.azure.credentials import TokenSource
from spotlake.azure.http import new_session
from spotlake.clock import Deadline, ManualClock
from spotlake.errors import AzureError
from spotlake.merge.manifest import NO_QUOTA
from spotlake.models import Dataset, Mode, Run, WorkItem, run_id_of
from spotlake.planning.attempt import AttemptRecord, Failure
from spotlake.planning.catalogue import Catalogue
from spotlake.planning.scope import Scope
from spotlake.reports import CollectorReport
from spotlake.settings import Settings
from spotlake.state.attempts import write_record
from spotlake.state.catalogue import read_catalogue
from spotlake.stores.ledger import MemoryLedger
from spotlake.stores.objects import MemoryObjects
from spotlake.stores.turns import MemoryTurns
from spotlake.stores.workloads import MemoryWorkloads
from spotlake.usecases.collect.eviction_rates import EvictionDeps, collect_eviction_rates
from spotlake.usecases.collect.prices import PriceDeps, collect_prices
from spotlake.usecases.full_run.run_full import FullRunDeps, OnListed, run_full
from spotlake.usecases.merge.finish_run import FinishDeps, finish_run
from spotlake.usecases.merge.merge_run import MergeDeps
from spotlake.usecases.plan.prepare_work import PrepareDeps, prepare_collection
from spotlake_local.azure.simulated import SimulatedAzure
from tests.support.azure import credentials_of

FIRST = datetime(2026, 11, 30, 10, 0, tzinfo=UTC)
REGIONS = ("jioindiacentral", "southindia")


class Recast(requests.adapters.HTTPAdapter):
    """The network, on which sizes change their casing."""

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        response = super().send(*args, **kwargs)
        response._content = response.content.replace(b'"Standard_D', b'"STANDARD_d').replace(
            b'"standard_e', b'"Standard_E'
        )
        return response


@dataclass
class House:
    """Runs from plan to manifest, all in memory but Azure; placement scores are left out (there is no quota)."""

    azure: SimulatedAzure
    objects: MemoryObjects = field(default_factory=MemoryObjects)
    workloads: MemoryWorkloads = field(default_factory=MemoryWorkloads)

    def __post_init__(self) -> None:
        self.settings = Settings(**cast("dict[str, Any]", self.azure.settings()))
        self.session = new_session()
        self.turns = MemoryTurns(spacing_seconds=0.0)
        self.azure.options(graph_queries=1000)
        self.tokens = TokenSource(
            credentials_of(self.azure), authority_url=self.azure.authority_url, ca_file=self.azure.ca_file
        )

    def run(self, slot_at: datetime, mode: Mode = Mode.INCREMENTAL) -> dict[str, Any]:
        """One run to its end; its manifest."""
        run = Run(run_id=run_id_of(slot_at), mode=mode, desired_counts=(1,), started_at=slot_at, owner="one", attempt=1)
        self.azure.set_clock(slot_at)
        self.clock = ManualClock(slot_at)
        prepare = PrepareDeps(
            objects=self.objects,
            production=MemoryObjects(),
            ledger=MemoryLedger(),
            clock=self.clock,
            subscriptions=self.azure.subscriptions,
            routing=(),
            settings=self.settings,
            effort_seconds=0.0,
        )
        record = write_record(self.objects, AttemptRecord(run=run, scope=Scope()))
        failures = self.collect_fully(run, prepare) if mode is Mode.FULL else self.collect_by_region(record, prepare)
        merge = MergeDeps(
            objects=self.objects,
            workloads=self.workloads,
            clock=self.clock,
            deadline=Deadline.after(120),
            settings=self.settings,
        )
        key = finish_run(run, failures, FinishDeps(merge=merge, objects=self.objects))["manifest_key"]
        manifest: dict[str, Any] = orjson.loads(self.objects.objects[key])
        return manifest

    def collect_fully(self, run: Run, prepare: PrepareDeps) -> list[Failure]:
        run_full(
            run,
            FullRunDeps(
                objects=self.objects,
                regions=REGIONS,
                prepare=prepare,
                collect_prices=self.listed_prices,
                collect_eviction_rates=self.rates,
                collect_scores=lambda *_: pytest.fail("no call was planned"),
                stopping=lambda: False,
                on_report=lambda _: None,
            ),
        )
        return []

    def collect_by_region(self, record: AttemptRecord, prepare: PrepareDeps) -> list[Failure]:
        catalogue = read_catalogue(self.objects)
        assert catalogue is not None
        failures: list[Failure] = []
        for region, item in prepare_collection(record, catalogue, prepare).work.items.items():
            for dataset, collect in ((Dataset.PRICE, self.prices), (Dataset.EVICTION, self.rates)):
                try:
                    collect(record.run, item)
                except AzureError as error:  # as the state machine catches it
                    name = type(error).__name__
                    failures.append(Failure(error=name, cause=str(error), dataset=dataset.value, region=region))
        return failures

    def listed_prices(self, run: Run, item: WorkItem, on_listed: OnListed) -> CollectorReport:
        return self.prices(run, item, on_listed=on_listed)

    def prices(self, run: Run, item: WorkItem, **changes: Any) -> CollectorReport:
        deps = PriceDeps(
            objects=self.objects,
            session=self.session,
            clock=self.clock,
            deadline=Deadline.after(60),
            settings=self.settings,
            sleep=lambda _: None,
            **changes,
        )
        return collect_prices(run, item, deps)

    def rates(self, run: Run, item: WorkItem) -> CollectorReport:
        deps = EvictionDeps(
            objects=self.objects,
            session=self.session,
            tokens=self.tokens,
            turns=self.turns,
            clock=self.clock,
            deadline=Deadline.after(60),
            settings=self.settings,
            sleep=lambda _: None,
        )
        return collect_eviction_rates(run, item, deps)

    def catalogue(self) -> Catalogue:
        found = read_catalogue(self.objects)
        assert found is not None
        return found

    def values(self, *names: str) -> dict[tuple[str, str], tuple[Any, ...]]:
        """Of every item in the table."""
        return {key: tuple(item.get(name) for name in names) for key, item in self.workloads.items.items()}


@pytest.fixture
def house(azure: SimulatedAzure) -> House:
    made = House(azure)
    good = made.run(FIRST, Mode.FULL)
    # No score was asked: there is no quota here. That is never complete.
    assert (good["status"], good["stale"], good["coverage_reasons"]) == ("partial", [], {"sps": NO_QUOTA})
    return made


def stale(manifest: Mapping[str, Any]) -> list[tuple[str, str, str, str | None]]:
    return [(one["dataset"], one["region"], one["error"], one["since"]) for one in manifest["stale"]]


@pytest.mark.parametrize(
    ("api", "dataset", "coverage", "names"),
    [
        ("graph", "spot_if", "eviction", ("IF", "EvictionBand", "IFAt")),
        ("retail", "spot_price", "price", ("SpotPrice", "OndemandPrice", "Savings", "PriceAt")),
    ],
)
def test_nothing_at_all_three_runs_in_a_row_replaces_nothing(
    house: House, api: str, dataset: str, coverage: str, names: tuple[str, ...]
) -> None:
    before = house.values(*names)
    assert sum(values[0] is not None for values in before.values()) > 1_000
    house.azure.fault(api=api, empty=True)
    for number in (1, 2, 3):
        manifest = house.run(FIRST + timedelta(minutes=10 * number))
        assert stale(manifest) == [
            (dataset, region, "UntrustedAnswerError", "2026-11-30T10:00:00Z") for region in REGIONS
        ]
        assert (manifest["status"], manifest["coverage"][coverage]) == ("partial", 0.0)
        assert house.values(*names) == before
    house.azure.clear_faults()
    assert stale(house.run(FIRST + timedelta(minutes=40))) == []


def test_a_region_that_disappears_costs_only_itself(house: House) -> None:
    gone, there = REGIONS
    pairs, prices = house.catalogue().pairs[gone], house.values("SpotPrice")
    for api in ("retail", "graph"):
        house.azure.fault(api=api, location=gone, empty=True)
    manifest = house.run(FIRST + timedelta(days=1), Mode.FULL)
    assert {one[:2] for one in stale(manifest)} == {("spot_price", gone), ("spot_if", gone)}
    assert {one["since"] for one in manifest["stale"]} == {"2026-11-30T10:00:00Z"}
    assert (house.catalogue().pairs[gone], house.catalogue().listed[gone]) == (pairs, "2026-11-30")
    assert house.catalogue().listed[there] == "2026-12-01"
    after = house.values("SpotPrice")
    assert {key: one for key, one in after.items() if gone in key[1]} == {
        key: one for key, one in prices.items() if gone in key[1]
    }
    assert after != prices  # the first of a month


def test_pairs_that_a_listing_loses_stay_and_are_told_of(house: House) -> None:
    world = house.azure.world()
    day_at = FIRST + timedelta(days=1)  # the first of a month: some pairs have no spot price for two days
    lost = {
        (region, size)
        for region in REGIONS
        for size in world.spot_sizes(region)
        if world.spot_price(region, size, day_at) is None
    }
    manifest = house.run(day_at, Mode.FULL)
    assert manifest["stale"] == []
    assert len(lost) > 20
    days = {(region, size): house.catalogue().pairs[region][size] for region, size in lost}
    assert set(days.values()) == {"2026-11-30"}
    found = house.run(day_at + timedelta(days=2), Mode.FULL)
    assert found["stale"] == []


def test_a_size_that_changes_its_casing_is_the_same_size(house: House) -> None:
    names = ("SpotPrice", "OndemandPrice", "IF")
    before, pairs = house.values(*names), house.catalogue().pairs
    house.session.mount("http://", Recast())
    changed = house.run(FIRST + timedelta(minutes=10))
    assert (changed["stale"], changed["changed_rows"]) == ([], 0)
    house.run(FIRST + timedelta(minutes=20), Mode.FULL)
    assert house.values(*names) == before
    assert house.catalogue().pairs == pairs
