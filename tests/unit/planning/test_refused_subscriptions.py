from __future__ import annotations

from datetime import UTC, datetime, timedelta

from spotlake.models import Dataset, Mode, Run, run_id_of
from spotlake.reports import CollectorReport, Findings
from spotlake.scores.zones import subscription_digest
from spotlake.state.refused_subscriptions import note_refused, refused_lately
from spotlake.stores.objects import MemoryObjects

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


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
    assert refused_lately(objects, AT + timedelta(hours=5)) == (subscription_digest("sub-b"),)
    assert refused_lately(objects, AT + timedelta(hours=6)) == ()
    refused(objects, "sub-b", hours=6)
    assert refused_lately(objects, AT + timedelta(hours=7)) == (subscription_digest("sub-b"),)


def test_refusals_that_count_no_more_are_dropped() -> None:
    objects = MemoryObjects()
    for number in range(20):
        refused(objects, f"sub-{number}", hours=number)
    (body,) = objects.objects.values()
    assert body.count(b"2026112") == 6
