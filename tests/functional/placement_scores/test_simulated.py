"""The collector against the simulated Azure, over real connections and with a real sign-in."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spotlake.azure.http import HttpClient, new_session
from spotlake.azure.locations import fetch_locations
from spotlake.azure.tokens import TokenSource
from spotlake.clock import Deadline, RunClock, WallClock
from spotlake.errors import AzureRefusedError, SignInError
from spotlake.models import Dataset, Mode, Run, ScoreCall, WorkItem
from spotlake.reports import CollectorReport
from spotlake.scores.geography import Locations
from spotlake.scores.zones import subscription_digest
from spotlake.settings import Settings
from spotlake.shards import open_shard
from spotlake.state.lessons import learn_from, read_learnt
from spotlake.stores.ledger import MemoryLedger
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.collect.placement_scores import PlacementDeps, collect_placement_scores
from spotlake_local.azure.simulated import SimulatedAzure
from spotlake_local.azure.world import World
from tests.support.azure import credentials_of
from tests.support.shards import parsed_rows

SLOT_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
REGIONS = ("koreacentral", "eastus", "westcentralus")
SIZES = ("Standard_D2s_v5", "Standard_E4s_v5", "Standard_F8s_v2", "Standard_D4s_v3", "Standard_E8s_v3")


@dataclass
class Site:
    """A collector's surroundings, all but Azure in memory."""

    azure: SimulatedAzure
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    objects: MemoryObjects = field(default_factory=MemoryObjects)
    slot_at: datetime = SLOT_AT
    attempt: int = 0

    def __post_init__(self) -> None:
        self.session = new_session(connections=8)
        self.tokens = TokenSource(
            credentials_of(self.azure), authority_url=self.azure.authority_url, ca_file=self.azure.ca_file
        )
        self.at(self.slot_at)
        self.locations: Locations = fetch_locations(
            HttpClient("locations", self.session),
            self.azure.url,
            tokens=self.tokens,
            subscriptions=self.azure.subscriptions,
            now_at=SLOT_AT,
        )

    def at(self, slot_at: datetime) -> None:
        self.slot_at = slot_at
        self.azure.set_clock(slot_at)
        self.clock = RunClock(slot_at, WallClock().now(), WallClock())

    def run(self) -> Run:
        return Run(
            run_id=self.slot_at.strftime("%Y%m%dT%H%MZ"),
            mode=Mode.INCREMENTAL,
            desired_counts=(1,),
            started_at=self.slot_at,
            owner="execution-1",
            attempt=self.attempt,
        )

    def collect(
        self, calls: tuple[ScoreCall, ...], *, subscriptions: tuple[str, ...] = (), **changes: Any
    ) -> tuple[CollectorReport, list[dict[str, Any]]]:
        self.attempt += 1
        run = self.run()
        deps = PlacementDeps(
            objects=self.objects,
            ledger=self.ledger,
            session=self.session,
            tokens=self.tokens,
            subscriptions=subscriptions or self.azure.subscriptions,
            zones=self.locations.zone_map(self.azure.subscriptions),
            clock=self.clock,
            deadline=Deadline.after(120),
            settings=Settings(azure_source="simulated", azure_management_url=self.azure.url),
            threads=4,
            sleep=lambda _: None,
        )
        work = WorkItem(region="koreacentral", calls=calls, fallback_locations=("japaneast", "swedencentral"))
        report = collect_placement_scores(run, work, replace(deps, **changes))
        key = f"rawdata/azure/sps/{run.slot_at:%Y/%m/%d/%H-%M}/koreacentral.{run.attempt}.jsonl.gz"
        body = self.objects.objects[key]
        shard = open_shard(
            body, key=key, dataset=Dataset.SPS, run_id=run.run_id, region="koreacentral", attempt=run.attempt
        )
        return report, parsed_rows(shard)

    def answers(self) -> dict[str, int]:
        stats: dict[str, int] = self.azure.stats()["answers"]
        return {name: times for name, times in stats.items() if name.startswith("sps")}


@pytest.fixture
def site(azure: SimulatedAzure) -> Iterator[Site]:
    made = Site(azure)
    yield made
    made.session.close()


def calls(
    number: int = 4, *, regions: tuple[str, ...] = REGIONS, sizes: tuple[str, ...] = SIZES
) -> tuple[ScoreCall, ...]:
    """One call for each of so many desired counts."""
    return tuple(
        ScoreCall(
            call_id=f"c{index:04}",
            location="koreacentral",
            regions=regions,
            instance_types=sizes,
            desired_count=1 + index,
        )
        for index in range(number)
    )


def truth_of(world: World, subscriptions: tuple[str, ...], row: dict[str, Any]) -> str:
    """The word that the world has for a row."""
    region, size = row["region"], row["instance_type"]
    subscription = next(name for name in subscriptions if row["subscription"] == subscription_digest(name))
    if world.is_restricted(subscription, region, size):
        return "RestrictedSkuNotAvailable"
    if row["physical_zone"] and world.is_stale(region, size, row["physical_zone"], SLOT_AT):
        return "DataNotFoundOrStale"
    return world.score(region, size, row["physical_zone"] or "", row["desired_count"], SLOT_AT)


def test_every_row_is_what_is_true_there(site: Site) -> None:
    report, rows = site.collect(calls(8))
    assert report.status == "complete"
    world, subscriptions = site.azure.world(), site.azure.subscriptions
    assert [truth_of(world, subscriptions, row) for row in rows] == [row["score_text"] for row in rows]
    asked = {(row["desired_count"], row["region"], row["instance_type"]) for row in rows}
    assert len(asked) == 8 * len(REGIONS) * len(SIZES)
    for row in rows:
        numbers = world.zone_numbers(subscriptions[0], row["region"])
        assert row["zone"] == "Single" or numbers[row["zone"]] == row["physical_zone"]
    assert site.answers() == {"sps 200": report.counts["calls_sent"]}


def test_subscriptions_with_other_zone_numbers_give_the_same_series(site: Site) -> None:
    series = []
    for subscription in site.azure.subscriptions[:4]:
        _, rows = site.collect(calls(2), subscriptions=(subscription,))
        open_rows = [row for row in rows if row["score_text"] != "RestrictedSkuNotAvailable"]
        series.append(
            {
                (row["desired_count"], row["region"], row["instance_type"], row["zone"]): row["score_text"]
                for row in open_rows
            }
        )
    shared = set.intersection(*(set(one) for one in series))
    assert len(shared) > 40
    assert all(one[key] == series[0][key] for one in series for key in shared)
    world = site.azure.world()
    numbers = {tuple(world.zone_numbers(name, "koreacentral").items()) for name in site.azure.subscriptions[:4]}
    assert len(numbers) > 1  # or this shows nothing


def test_the_simulator_refuses_nothing_whoever_runs_at_once(site: Site) -> None:
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda _: site.collect(calls(14))[0], range(4)))
    assert all(report.status == "complete" for report in reports)
    assert "sps 429" not in site.answers()


def test_slots_back_to_back_are_not_refused(site: Site) -> None:
    sent = 0
    for number in range(8):
        site.at(SLOT_AT + timedelta(minutes=10 * number))
        report, _ = site.collect(calls(12), subscriptions=site.azure.subscriptions[:2])
        sent += report.counts["calls_sent"]
    answers = site.answers()
    assert "sps 429" not in answers
    # Two subscriptions, three locations, ten calls each: 60 in the first hour, then the first slots' again.
    assert 60 <= sent <= 96
    # A token lives for an hour of the simulator's clock, the cached one was issued at 10:00.
    assert answers.get("sps 401", 0) <= 4


def test_a_token_that_expired_on_the_way_is_renewed(site: Site) -> None:
    site.collect(calls(1))
    site.at(SLOT_AT + timedelta(hours=2))
    report, _ = site.collect(calls(6))
    assert report.status == "complete"
    assert 1 <= site.answers()["sps 401"] <= 4  # as many as there are threads


def test_a_secret_that_expired_is_named(site: Site) -> None:
    site.azure.options(secret_expired=True)
    site.tokens = TokenSource(
        credentials_of(site.azure), authority_url=site.azure.authority_url, ca_file=site.azure.ca_file
    )
    with pytest.raises(SignInError, match="AADSTS7000222"):
        site.collect(calls(3))
    assert site.answers() == {}


QUOTA = "You have reached the maximum number of requests allowed. Please try again after 3600 seconds."
BACKEND = '{"error":{"code":"InternalServerError","message":"Encountered unknown error while generating."}}'


@pytest.mark.parametrize(
    ("fault", "counted"),
    [
        ({"status": 500, "body": BACKEND}, "retries"),
        ({"status": 502, "body": "<html>BadGatewayConnection</html>", "content_type": "text/html"}, "retries"),
        ({"drop": True}, "retries"),
        ({"truncate": True}, "answers_unreadable"),
        ({"empty": True}, "answers_unreadable"),
        ({"status": 429, "body": QUOTA, "content_type": "text/plain"}, "answers_quota_exhausted"),
        (
            {"status": 429, "body": QUOTA, "content_type": "text/plain", "headers": {"Retry-After": "3600"}},
            "answers_quota_exhausted",
        ),
        ({"status": 429, "body": "Please try again after 3 seconds."}, "answers_throttled"),
        (
            {"status": 401, "body": '{"error":{"code":"ExpiredAuthenticationToken","message":"expired"}}'},
            "answers_token_refused",
        ),
        (
            {"status": 403, "body": '{"error":{"code":"AuthorizationFailed","message":"no"}}'},
            "answers_subscription_refused",
        ),
        (
            {"status": 404, "body": '{"error":{"code":"SubscriptionNotFound","message":"no"}}'},
            "answers_subscription_refused",
        ),
    ],
    ids=lambda value: str(value.get("status") or next(iter(value))) if isinstance(value, dict) else "",
)
def test_one_bad_answer_loses_nothing(site: Site, fault: dict[str, Any], counted: str) -> None:
    site.azure.fault(api="sps", after=1, times=1, **fault)
    report, rows = site.collect(calls(4))
    assert (report.status, report.unsent_call_ids) == ("complete", ())
    assert report.counts[counted] == 1
    assert len({row["call_id"] for row in rows if row["call_id"].startswith("c")}) == 4


def test_names_that_are_refused_are_found_remembered_and_left_out(site: Site) -> None:
    site.azure.options(invalid_regions=["eastus"], invalid_sizes=["Standard_F8s_v2"])
    report, rows = site.collect(calls(3), threads=1)
    assert report.status == "complete"
    assert report.counts["calls_sent"] == 3 + 2
    assert {row["region"] for row in rows} == {"koreacentral", "westcentralus"}
    learn_from(site.objects, site.run(), [report])
    learnt = read_learnt(site.objects)
    assert list(learnt.invalid.regions) == ["eastus"]
    assert list(learnt.invalid.instance_types) == ["Standard_F8s_v2"]


def test_a_location_that_routes_nothing(site: Site) -> None:
    moved = tuple(replace(call, location="mars") for call in calls(3))
    report, _ = site.collect(moved, threads=1)
    assert report.status == "complete"
    assert report.counts["answers_location_unsupported"] == 1


def test_a_location_that_fails_is_left_for_others(site: Site) -> None:
    site.azure.fault(api="sps", location="koreacentral", status=500, body=BACKEND)
    report, rows = site.collect(calls(14))
    assert report.status == "complete"
    assert {row["location"] for row in rows} == {"japaneast", "swedencentral"}
    assert report.found.locations["koreacentral"].failed <= 4 + 4


def test_no_role_anywhere_is_said(site: Site) -> None:
    site.azure.options(no_role=list(site.azure.subscriptions))
    report, _ = site.collect(calls(5))
    assert (report.status, report.error) == ("failed", AzureRefusedError.__name__)
    assert "AuthorizationFailed" in (report.cause or "")
    assert len(report.unsent_call_ids) == 5


def test_a_pair_restricted_for_one_subscription_is_asked_through_another(site: Site) -> None:
    world, subscriptions = site.azure.world(), site.azure.subscriptions
    region, size = next(
        (region, size)
        for region in ("eastus", "westeurope", "eastus2")
        for size in world.spot_sizes(region)
        if world.is_restricted(subscriptions[0], region, size)
        and not world.is_restricted(subscriptions[1], region, size)
    )
    report, rows = site.collect(calls(1, regions=(region,), sizes=(size,)), subscriptions=subscriptions[:2])
    assert report.counts["second_calls"] == 1
    assert report.found.restricted_pairs == ()
    assert any(row["score"] is not None for row in rows)
    assert {row["subscription"] for row in rows} == {subscription_digest(subscriptions[1])}
    assert "Single" not in {row["zone"] for row in rows}  # it was the pair that was refused, not a place
    assert report.found.restricted_for == {subscription_digest(subscriptions[0]): ((region, size),)}
