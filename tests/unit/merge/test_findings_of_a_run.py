"""Which numbers of a run become findings, at their limits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from spotlake.events import MergeResult
from spotlake.merge.findings import LASTING, NAMES, Finding, Findings, fold_findings, looked_at, of_one_run
from spotlake.merge.manifest import collected
from spotlake.merge.price_findings import price_findings
from spotlake.merge.slot import AttemptRead, SlotRead
from spotlake.models import Dataset, Mode, Run, WorkItem
from spotlake.planning.attempt import AttemptRecord, Work
from spotlake.planning.scope import Scope
from spotlake.reports import CollectorReport
from spotlake.reports import Findings as CollectorFindings
from spotlake.settings import Settings

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SLOT = timedelta(minutes=10)
LIMITS = Settings(rows_alarm_percent=10, score_age_alarm_hours=2, unconfirmed_alarm_percent=5, witness_alarm_percent=3)
QUIET: dict[str, Any] = {
    "coverage_sufficient": True, "rows_difference_percent": 9.99, "oldest_score_age_minutes": 119,
    "unconfirmed_percent": 4.99, "witness_disagreement_percent": 2.99, "overtaken_items": 0, "items_left": 0,
    "quota_left": 1,
}  # fmt: skip


def looks(**changes: Any) -> dict[str, bool | None]:
    return dict(looked_at(cast("MergeResult", {**QUIET, **changes}), LIMITS))


def test_a_quiet_run_is_looked_at_for_everything_and_finds_nothing() -> None:
    assert looks() == dict.fromkeys(NAMES, False)
    assert set(LASTING.items()) == {
        ("overtaken_items", timedelta(minutes=20)), ("items_left", timedelta(minutes=20)),
        ("no_quota", timedelta(minutes=110)),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("coverage", "coverage_sufficient", False), ("rows", "rows_difference_percent", 10.0),
        ("score_age", "oldest_score_age_minutes", 120), ("overtaken_items", "overtaken_items", 1),
        ("items_left", "items_left", 1), ("invalid_items", "invalid_items", 1), ("refused_shards", "refused_shards", 1),
        ("no_quota", "quota_left", 0), ("unknown_kinds", "new_unknown_kinds", 1),
        ("price_disagreements", "new_price_disagreements", 1), ("unconfirmed", "unconfirmed_percent", 5.0),
        ("price_witness", "witness_disagreement_percent", 3.0),
    ],
)  # fmt: skip
def test_a_number_at_its_limit_is_one_finding(name: str, field: str, value: Any) -> None:
    assert looks(**{field: value}) == {**dict.fromkeys(NAMES, False), name: True}


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("rows", "rows_difference_percent"), ("score_age", "oldest_score_age_minutes"), ("no_quota", "quota_left"),
        ("unconfirmed", "unconfirmed_percent"), ("price_witness", "witness_disagreement_percent"),
    ],
)  # fmt: skip
def test_what_nobody_could_look_at_is_neither_there_nor_gone(name: str, field: str) -> None:
    assert looks(**{field: None})[name] is None


def iso(slots: int) -> str:
    return (AT + slots * SLOT).isoformat().replace("+00:00", "Z")


def folded(*slots: Mapping[str, bool | None]) -> Findings:
    found = Findings()
    for number, told in enumerate(slots):
        found = fold_findings(found, AT + number * SLOT, told)
    return found


def test_a_finding_is_reported_once_and_not_beside_the_alarm_of_the_slot_before() -> None:
    rows, both = {"rows": True}, {"rows": True, "coverage": True}
    assert folded(rows) == Findings(at=iso(0), seen={"rows": Finding(since=iso(0), told=iso(0))})
    found = folded(rows, both)
    assert found.seen["coverage"] == Finding(since=iso(1), told="", waits=True)
    assert (found.present(), found.new()) == (("rows",), ())
    for last in (both, rows, {**rows, "coverage": None}):  # reported in the next slot, even if it has passed
        found = folded(rows, both, last)
        assert found.seen["coverage"] == Finding(since=iso(1), told=iso(2))
        assert (found.present(), found.new()) == (("coverage", "rows"), ("coverage",))
    assert folded(rows, {"rows": None}).seen == {"rows": Finding(since=iso(0), told=iso(0))}
    assert folded(rows, {"rows": False}).seen == {}
    after_a_gap = fold_findings(folded(rows), AT + 2 * SLOT, both)
    assert after_a_gap.new() == ("coverage",)
    assert fold_findings(folded(rows), AT, both).new() == ("coverage", "rows")  # the slot again


def test_what_must_last_is_reported_when_it_has_lasted() -> None:
    left = {"items_left": True}
    assert folded(left, left).present() == ()
    found = folded(left, left, left)
    assert (found.present(), found.seen["items_left"]) == (("items_left",), Finding(since=iso(0), told=iso(2)))
    assert folded(left, {"items_left": False}, left, left).present() == ()


@pytest.mark.parametrize("name", ["unknown_kinds", "price_disagreements"])
def test_what_the_price_memory_reports_is_new_each_time(name: str) -> None:
    found = folded({name: True}, {}, {name: True})
    assert found.new() == (name,)
    assert folded({name: True}, {name: True}).seen[name] == Finding(since=iso(0), told="", waits=True)
    after_a_gap = fold_findings(folded({name: True}), AT + 2 * SLOT, {name: True})
    assert after_a_gap.seen[name] == Finding(since=iso(0), told=iso(2))


def test_a_run_of_a_part_tells_what_the_others_have_not() -> None:
    found = of_one_run(folded({"rows": True}), AT - SLOT, {"rows": True, "coverage": True, "items_left": True})
    assert (found.at, found.new()) == (iso(-1), ("coverage",))


def test_shares_and_counts_that_a_collector_did_not_tell() -> None:
    run = Run(
        run_id="20261123T1000Z", attempt=1, mode=Mode.INCREMENTAL, desired_counts=(1,), started_at=AT, owner="me"
    )  # fmt: skip
    sizes = tuple(f"Standard_S{number}" for number in range(3))
    work = Work(run=run, items={"eastus": WorkItem(region="eastus", instance_types=sizes)})
    reports = [
        CollectorReport(
            dataset=Dataset.PRICE, region="eastus", status="complete", rows=2,
            found=CollectorFindings(unconfirmed_sizes=sizes[:1]),
        ),
        CollectorReport(dataset=Dataset.SPS, region="eastus", status="complete", rows=0),
    ]  # fmt: skip
    one = AttemptRead(record=AttemptRecord(run=run, scope=Scope()), work=work, failures=(), reports=reports)
    slot = SlotRead(slot_at=AT, attempts=[one])
    found = price_findings(slot)
    assert found["unconfirmed_percent"] == 33.33
    assert (found["unknown_kinds"]["rows"], found["price_disagreements"]["rows"], found["unconfirmed"]["healed"]) == (
        0, 0, 0,
    )  # fmt: skip
    told = collected(slot)
    assert (told["sps_calls"], told["calls_unsent"], told["throttled_calls"]) == (0, 0, 0)
