from __future__ import annotations

from datetime import UTC, datetime, timedelta

from spotlake.models import Dataset, Mode, Run, run_id_of
from spotlake.reports import CollectorReport, Findings
from spotlake.scores.zones import subscription_digest
from spotlake.state.refused_subscriptions import note_refused, usable_subscriptions
from spotlake.stores.objects import MemoryObjects

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
ALL = ("sub-a", "sub-b", "sub-c")


def refused(objects: MemoryObjects, *names: str, hours: float = 0) -> None:
    found = Findings(refused_subscriptions={subscription_digest(name): "AuthorizationFailed" for name in names})
    report = CollectorReport(dataset=Dataset.SPS, region="eastus", status="partial", rows=0, found=found)
    slot_at = AT + timedelta(hours=hours)
    run = Run(run_id=run_id_of(slot_at), attempt=1, mode=Mode.INCREMENTAL, desired_counts=(1,), started_at=slot_at,
              owner="arn")  # fmt: skip
    note_refused(objects, run, [report])


def test_a_subscription_that_azure_refuses_is_not_planned_with_for_some_hours() -> None:
    objects = MemoryObjects()
    refused(objects, "sub-b")
    assert usable_subscriptions(objects, ALL, AT + timedelta(hours=5)) == ("sub-a", "sub-c")
    assert usable_subscriptions(objects, ALL, AT + timedelta(hours=6)) == ALL
    refused(objects, "sub-b", hours=6)
    assert usable_subscriptions(objects, ALL, AT + timedelta(hours=7)) == ("sub-a", "sub-c")


def test_when_all_are_refused_all_are_asked() -> None:
    objects = MemoryObjects()
    refused(objects, *ALL)
    assert usable_subscriptions(objects, ALL, AT) == ALL


def test_refusals_that_count_no_more_are_dropped() -> None:
    objects = MemoryObjects()
    for number in range(20):
        refused(objects, f"sub-{number}", hours=number)
    (body,) = objects.objects.values()
    assert body.count(b"2026112") == 6
