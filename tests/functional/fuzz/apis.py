"""The five lists that Azure is asked for: documents of their form, and the collector that reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from spotlake import keys
from spotlake.azure.answers import SMALL_BYTES
from spotlake.azure.http import HttpClient, RetryPolicy
from spotlake.azure.locations import fetch_locations
from spotlake.clock import ManualClock
from spotlake.errors import SpotlakeError
from spotlake.models import Dataset, Run, WorkItem
from spotlake.names import regions_to_collect
from spotlake.reports import CollectorReport
from spotlake.scores.geography import Locations
from spotlake.scores.zones import ZoneMap, subscription_digest
from spotlake.settings import Settings
from spotlake.state.locations import LOCATIONS
from spotlake.stores.ledger import MemoryLedger
from spotlake.usecases.collect.eviction_rates import EvictionDeps, collect_eviction_rates
from spotlake.usecases.collect.placement_scores import PlacementDeps, collect_placement_scores
from spotlake.usecases.collect.prices import PriceDeps, collect_prices
from tests.functional.fuzz.answers import Reply, good, replies, session_of
from tests.functional.fuzz.worlds import SIZES, Collect, FuzzedWorld
from tests.functional.merge.conftest import NAME, REGION
from tests.functional.placement_scores.double import DoubleTokens
from tests.functional.placement_scores.test_locations import entry
from tests.unit.usecases import test_collect_eviction_rates as rates
from tests.unit.usecases.rows import of_size, ondemand
from tests.unit.usecases.rows import page as price_page
from tests.unit.usecases.test_collect_price_history import past

SUBSCRIPTIONS = ("sub-a", "sub-b")
_LINK = "https://prices.azure.com:443/api/retail/prices?$skip="
_POLICY = RetryPolicy(most_bytes=SMALL_BYTES)  # as azure_access.py has it
_LISTED = st.sampled_from([*SIZES, "Standard_L8s_v3", SIZES[0].lower() + " "])
_PLACE = {"armRegionName": REGION, "location": NAME, "effectiveStartDate": "2025-06-01T00:00:00Z"}


@dataclass(frozen=True)
class Api:
    """One list: the function that reads it, its answers, and what is done with them."""

    function: str
    dataset: Dataset
    answers: st.SearchStrategy[list[Reply]]
    collect: Callable[[list[Reply]], Collect]


# -- prices ---------------------------------------------------------------------------------------

_PRICE_ROW = st.builds(
    lambda size, price, is_spot: (
        of_size(size, retailPrice=price, **_PLACE)
        if is_spot
        else ondemand(armSkuName=size, retailPrice=price, meterId=f"o-{size}", **_PLACE)
    ),
    _LISTED,
    st.sampled_from([0.01, 0.5, "0.02"]),
    st.booleans(),
)
PRICES = st.builds(
    lambda rows, link: price_page(*rows, link=link),
    st.lists(_PRICE_ROW, min_size=1, max_size=6),
    st.sampled_from([None, None, None, None, _LINK + "1000", _LINK + "2000"]),
)


def _prices(sent: list[Reply]) -> Collect:
    def collect(run: Run, item: WorkItem, world: FuzzedWorld) -> CollectorReport:
        deps = PriceDeps(
            objects=world.world.objects,
            session=session_of(sent),
            clock=ManualClock(run.slot_at),
            deadline=world.time.deadline,
            settings=Settings(azure_source="simulated"),
            sleep=world.time.sleep,
        )
        return collect_prices(run, item, deps)

    return collect


# -- Resource Graph -------------------------------------------------------------------------------

_TOKENS = st.sampled_from(["", "", "a", "b"])
RATES = st.builds(
    lambda rows, token: rates.page(*rows, token=token),
    st.lists(st.builds(rates.rate, _LISTED, st.sampled_from(["0-5", "20+", "5 - 10 %"])), min_size=1, max_size=6),
    _TOKENS,
)
HISTORY = st.builds(
    lambda rows, token: rates.page(*rows, token=token),
    st.lists(st.builds(past, _LISTED), min_size=1, max_size=6),
    _TOKENS,
)
_GOOD_RATES = good(rates.page(*(rates.rate(size) for size in SIZES)))


def _rates(sent: list[Reply]) -> Collect:
    def collect(run: Run, item: WorkItem, world: FuzzedWorld) -> CollectorReport:
        deps = EvictionDeps(
            objects=world.world.objects,
            session=session_of(sent),
            tokens=rates.SignedIn(),
            turns=rates.NoQueue(),
            clock=ManualClock(run.slot_at),
            deadline=world.time.deadline,
            settings=Settings(azure_source="simulated"),
            sleep=world.time.sleep,
            monotonic=lambda: -world.time.seconds_left,
            epoch=lambda: 1.7e9,
            jitter=lambda: 1.0,
        )
        return collect_eviction_rates(run, item, deps)

    return collect


# -- placement scores -----------------------------------------------------------------------------

_SCORE: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "sku": st.sampled_from(SIZES),
        "region": st.sampled_from([REGION, "KoreaCentral", "Korea Central"]),
        "score": st.sampled_from(["High", "Medium", "Low", "DataNotFoundOrStale", "RestrictedSkuNotAvailable"]),
        "isQuotaAvailable": st.booleans(),
    },
    optional={"availabilityZone": st.sampled_from(["1", "2", "3", "4", "", 1]), "placementPreference": st.just(1)},
)
SCORES = st.builds(lambda rows: {"placementScores": rows}, st.lists(_SCORE, min_size=1, max_size=9))
_BUILDINGS = {REGION: {"1": "koreacentral-az1", "2": "koreacentral-az3", "3": "koreacentral-az2"}}


def _scores(sent: list[Reply], zones: ZoneMap | None = None) -> Collect:
    digests = [subscription_digest(name) for name in SUBSCRIPTIONS]
    known = zones or ZoneMap(dict.fromkeys(digests, _BUILDINGS), reference=digests[0])

    def collect(run: Run, item: WorkItem, world: FuzzedWorld) -> CollectorReport:
        deps = PlacementDeps(
            objects=world.world.objects,
            ledger=MemoryLedger(),
            session=session_of(sent),
            tokens=DoubleTokens(),
            subscriptions=SUBSCRIPTIONS,
            zones=known,
            clock=ManualClock(run.slot_at),
            deadline=world.time.deadline,
            settings=Settings(azure_source="simulated"),
            threads=1,
            sleep=world.time.sleep,
            jitter=lambda: 1.0,
        )
        return collect_placement_scores(run, item, deps)

    return collect


# -- locations and zones --------------------------------------------------------------------------

_ZONES = st.dictionaries(
    st.sampled_from(["1", "2", "3"]), st.sampled_from(["koreacentral-az1", "KoreaCentral-az2 "]), max_size=3
)
LISTED = st.builds(
    lambda zones, others: {"value": [entry(REGION, zones), *others]},
    _ZONES,
    st.lists(st.builds(entry, st.sampled_from(["eastus", "asia", "eastus2stage"]), _ZONES), max_size=3),
)
_GOOD_SCORES = good(
    {"placementScores": [
        {"sku": size, "region": REGION, "score": "High", "isQuotaAvailable": True, "availabilityZone": zone}
        for size in SIZES
        for zone in "123"
    ]}
)  # fmt: skip


def _locations(sent: list[Reply]) -> Collect:
    """Plan asks for the list, keeps it, and the scores of the run are placed by it."""

    def collect(run: Run, item: WorkItem, world: FuzzedWorld) -> CollectorReport:
        client = HttpClient("locations", session_of(sent), _POLICY, world.time.deadline, sleep=world.time.sleep)

        before = Locations(fetched_at=run.slot_at, routing=(REGION,), zones={subscription_digest("sub-a"): _BUILDINGS})
        try:
            found = fetch_locations(
                client,
                "https://management.azure.com",
                tokens=DoubleTokens(),
                subscriptions=SUBSCRIPTIONS,
                now_at=run.slot_at,
                previous=before,
            )
        except SpotlakeError:
            found = before
        LOCATIONS.write(world.world.objects, found, lambda note: None)
        kept = LOCATIONS.read(world.world.objects)
        assert kept is not None
        for region in regions_to_collect(kept.routing):
            assert len(keys.shard(Dataset.SPS, run.slot_at, region, run.attempt)) < 200
        world.time = replace(world.time, seconds_left=500.0)
        return _scores([_GOOD_SCORES], kept.zone_map(SUBSCRIPTIONS))(run, item, world)

    return collect


APIS = {
    "prices": Api("price", Dataset.PRICE, replies(PRICES), _prices),
    "eviction-rates": Api("eviction", Dataset.EVICTION, replies(RATES), _rates),
    "price-history": Api("eviction", Dataset.EVICTION, replies(HISTORY).map(lambda sent: [_GOOD_RATES, *sent]), _rates),
    "placement-scores": Api("sps", Dataset.SPS, replies(SCORES), _scores),
    "locations": Api("plan", Dataset.SPS, replies(LISTED), _locations),
}
