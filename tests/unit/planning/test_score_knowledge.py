"""What a collector of placement scores needs to know comes with its work, and costs no further request."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from spotlake import keys
from spotlake.clock import Deadline
from spotlake.models import Dataset, Mode, Run
from spotlake.planning.attempt import AttemptRecord, Work
from spotlake.planning.catalogue import Catalogue, fold_listing
from spotlake.planning.scope import Scope
from spotlake.planning.score_knowledge import not_refused
from spotlake.reports import CollectorReport, Findings
from spotlake.scores.geography import Locations
from spotlake.scores.zones import subscription_digest
from spotlake.state.attempts import read_work
from spotlake.state.lessons import learn_from
from spotlake.state.locations import LOCATIONS
from spotlake.state.refused_subscriptions import note_refused
from spotlake.stores.documents import read_json, write_json
from spotlake.stores.ledger import MemoryLedger
from spotlake.stores.objects import MemoryObjects, StoredObject
from spotlake.usecases.plan.prepare_work import prepare_collection
from spotlake.wiring import Services

AT = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
RUN = Run(
    run_id="20261127T1000Z", attempt=7, mode=Mode.INCREMENTAL, desired_counts=(1,), started_at=AT, owner="arn"
)  # fmt: skip
BEFORE = Run(
    run_id="20261127T0950Z", attempt=6, mode=Mode.INCREMENTAL, desired_counts=(1,), started_at=AT, owner="arn"
)  # fmt: skip
A, B, C = ("sub-a", "sub-b", "sub-c")
REGION, SIZE = "eastus", "Standard_D2s_v5"
# Zone 1 of the second subscription is the building that the first one, the reference, calls zone 3.
ZONES = {subscription_digest(A): {REGION: {"3": "east-az1"}}, subscription_digest(B): {REGION: {"1": "east-az1"}}}
KNOWN = Locations(fetched_at=AT, routing=(REGION,), zones=ZONES, reference=subscription_digest(A))


class Watched(MemoryObjects):
    """A bucket that notes which keys are read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def get(self, key: str) -> StoredObject | None:
        self.read.append(key)
        return super().get(key)


@pytest.fixture
def objects() -> Watched:
    """An archive whose last run found a refused subscription, and pairs that may not be used."""
    bucket = Watched()
    LOCATIONS.write(bucket, KNOWN)
    found = Findings(
        refused_subscriptions={subscription_digest(C): "AuthorizationFailed"},
        restricted_pairs=((REGION, SIZE), ("westus", SIZE)),
        restricted_for={subscription_digest(B): ((REGION, "Standard_E4s_v5"),)},
    )
    reports = [CollectorReport(dataset=Dataset.SPS, region=REGION, status="complete", rows=0, found=found)]
    learn_from(bucket, BEFORE, reports)
    note_refused(bucket, BEFORE, reports)
    return bucket


@pytest.fixture
def services(objects: Watched) -> Services:
    services = Services({})
    azure = SimpleNamespace(
        credentials=lambda _: SimpleNamespace(subscriptions=(A, B, C)),
        tokens=lambda _: None,
        notes=lambda _: [],
        days_left=lambda _: None,
        locations=lambda *_: KNOWN,
    )
    vars(services).update(objects=objects, production=MemoryObjects(), ledger=MemoryLedger(), azure=azure)
    return services


def planned(services: Services) -> Work:
    catalogue = fold_listing(Catalogue(), AT.date(), {REGION: [SIZE]}, {}, keep_days=3)
    deps = services.prepare_deps(RUN, Deadline.after(60))
    prepare_collection(AttemptRecord(run=RUN, scope=Scope()), catalogue, deps)
    work = read_work(services.objects, RUN.slot_at, RUN.attempt)
    assert work is not None
    return work


def told(services: Services, work: Work) -> Any:
    """What the collector is told: subscriptions, whose building, pairs for all, pairs for one."""
    deps = services.placement_deps(RUN, Deadline.after(60), work)
    restrictions = deps.restrictions([REGION])
    zone = deps.zones.place(subscription_digest(B), REGION, "1").zone
    return deps.subscriptions, zone, restrictions.everywhere, restrictions.by_subscription[subscription_digest(B)]


EXPECTED = (A, B), "3", {(REGION, "standard_d2s_v5")}, {(REGION, "standard_e4s_v5")}


def test_a_collector_reads_nothing_but_its_work(services: Services, objects: Watched) -> None:
    work = planned(services)
    objects.read.clear()
    assert told(services, work) == EXPECTED
    assert objects.read == []


def test_work_of_an_older_plan_is_collected_with_what_the_documents_say(services: Services, objects: Watched) -> None:
    planned(services)
    key = keys.work(RUN.slot_at, RUN.attempt)
    content, _ = read_json(objects, key, schema=1)
    del content["knowledge"]
    write_json(objects, key, content, schema=1)
    work = read_work(objects, RUN.slot_at, RUN.attempt)
    assert work is not None
    objects.read.clear()
    assert told(services, work) == EXPECTED
    assert set(objects.read) == {keys.LOCATIONS, keys.RESTRICTED_PAIRS, keys.REFUSED_SUBSCRIPTIONS}


def test_what_another_run_learns_after_the_plan_is_seen_by_the_next_run(services: Services, objects: Watched) -> None:
    work = planned(services)
    late = Findings(refused_subscriptions={subscription_digest(B): "AuthorizationFailed"})
    report = CollectorReport(dataset=Dataset.SPS, region="westus", status="partial", rows=0, found=late)
    note_refused(objects, RUN, [report])
    assert told(services, work)[0] == (A, B)
    assert services.placement_deps(RUN, Deadline.after(60)).subscriptions == (A,)


def test_a_subscription_that_plan_did_not_know_is_used_without_its_zones(services: Services) -> None:
    work = planned(services)
    vars(services)["azure"].credentials = lambda _: SimpleNamespace(subscriptions=(A, B, C, "sub-new"))
    deps = services.placement_deps(RUN, Deadline.after(60), work)
    assert deps.subscriptions == (A, B, "sub-new")
    assert not deps.zones.knows(subscription_digest("sub-new"))


def test_when_all_are_refused_all_are_asked() -> None:
    assert not_refused((A, B), [subscription_digest(A)]) == (B,)
    assert not_refused((A, B), [subscription_digest(A), subscription_digest(B)]) == (A, B)
