"""What a slot's manifest says of its attempts, figure by figure: the expected ones are counted by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from spotlake.merge.manifest import collected, listed_everywhere, rows_difference_percent
from spotlake.merge.price_findings import price_findings
from spotlake.merge.slot import AttemptRead, RefusedShard, SlotRead
from spotlake.merge.stale import stale_parts
from spotlake.models import Dataset, Mode, Run, WorkItem
from spotlake.planning.attempt import AttemptRecord, Failure, Work
from spotlake.planning.scope import Scope
from spotlake.reports import CollectorReport, Findings, PairAccount
from spotlake.scores.accounts import SlotAccount

AT = datetime(2025, 12, 15, 10, 0, tzinfo=UTC)
A, B = "Standard_A1", "Standard_B2"
PRICE, EVICTION, SPS = Dataset.PRICE, Dataset.EVICTION, Dataset.SPS


def report(dataset: Dataset, region: str, status: Any = "complete", **fields: Any) -> CollectorReport:
    return CollectorReport(dataset=dataset, region=region, status=status, rows=2, seconds=1.5, **fields)


def attempt(number: int, *, scope: Scope | None = None, work: bool = True, **fields: Any) -> AttemptRead:
    run = Run(
        run_id="20251215T1000Z", attempt=number, mode=Mode.INCREMENTAL, desired_counts=(1,), started_at=AT, owner="me"
    )
    items = {name: WorkItem(region=name, instance_types=(A, B)) for name in ("eastus", "westus")}
    planned = Work(
        run=replace(run, desired_counts=(5,)), items=items, calls_planned=4, calls_waiting=3, quota_left=9,
        oldest_waiting_minutes=20.0, confirmed_at={"westus": {"sps": "s", "spot_price": "p"}},
    )  # fmt: skip
    return AttemptRead(
        record=AttemptRecord(run=run, scope=scope or Scope()), work=planned if work else None,
        failures=fields.pop("failures", ()), **fields,
    )  # fmt: skip


def failure(error: str, cause: str, dataset: str = "", region: str = "") -> Failure:
    return Failure(error=error, cause=cause, dataset=dataset, region=region)


def slot(*attempts: AttemptRead, account: SlotAccount | None = None) -> SlotRead:
    return SlotRead(slot_at=AT, attempts=list(attempts), account=account or SlotAccount())


ACCOUNT = SlotAccount(
    scored={("eastus", 5): 1, ("westus", 5): 0},
    without_score={("eastus", 5): {B: "stale"}, ("westus", 5): {}},
    unanswered={("eastus", 5): {}, ("westus", 5): {A: "timeout", B: "no_quota"}},
)
MISSING = PairAccount(region="westus", desired_count=5, unanswered={"no_quota": (B,), "timeout": (A,)})


def two_regions() -> SlotRead:
    reports = [
        report(PRICE, "eastus"), report(EVICTION, "eastus"), report(PRICE, "westus", "failed", error="E", cause="c"),
        report(
            SPS, "eastus", "partial", error="AzureUnavailableError", accounts=(MISSING,),
            counts={"calls_sent": 3, "calls_unsent": 1, "throttles": 2},
        ),
    ]  # fmt: skip
    refused = [RefusedShard(key="k", dataset=EVICTION, region="westus", reason="missing")]
    return slot(attempt(7, reports=reports, refused=refused), account=ACCOUNT)


def test_a_slot_that_lacks_something_says_what_and_why() -> None:
    found: Any = collected(two_regions())
    stale = [
        {
            "dataset": "sps", "region": "westus", "error": "AzureUnavailableError", "missing": 2, "asked": 2,
            "cause": "2 of 2 pairs have no answer at desired count 5 (1 no_quota, 1 timeout)", "since": "s",
        },
        {
            "dataset": "spot_price", "region": "westus", "error": "E", "cause": "c", "missing": 1, "asked": 1,
            "since": "p",
        },
        {
            "dataset": "spot_if", "region": "westus", "error": "ShardRefusedError", "cause": "missing", "missing": 1,
            "asked": 1, "since": None,
        },
    ]  # fmt: skip
    assert found == {
        "run_id": "20251215T1000Z", "status": "partial", "mode": "incremental", "desired_counts": [5],
        "filtered": False, "regions_requested": 2, "regions_complete": 1, "pairs": 4,
        "coverage": {"sps": 50.0, "price": 50.0, "eviction": 50.0}, "coverage_reasons": {}, "coverage_percent": 50.0,
        "accounts": [
            {
                "region": "eastus", "desired_count": 5, "asked": 2, "scored": 1, "without_score": {"stale": 1},
                "unanswered": {},
            },
            {
                "region": "westus", "desired_count": 5, "asked": 2, "scored": 0, "without_score": {},
                "unanswered": {"no_quota": 1, "timeout": 1},
            },
        ],
        "sps_calls": 3, "calls_planned": 4, "calls_waiting": 3, "calls_unsent": 1, "throttled_calls": 2,
        "quota_left": 9, "oldest_waiting_minutes": 20.0, "stale": stale, "stale_regions": 1,
        "refused_shards": [{"key": "k", "dataset": "spot_if", "region": "westus", "reason": "missing"}],
        "attempts": [
            {
                "attempt": 7, "mode": "incremental", "started_at": "2025-12-15T10:00:00Z", "desired_counts": [5],
                "filtered": False, "resumed": False, "regions": [], "instance_types": [], "planned": True,
                "calls_planned": 4, "calls_waiting": 3, "error": None, "cause": None,
            }
        ],
        "collectors": [
            {
                "attempt": 7, "dataset": dataset, "region": region, "status": status, "rows": 2, "seconds": 1.5,
                "counts": counts,
            }
            for dataset, region, status, counts in (
                ("spot_price", "eastus", "complete", {}), ("spot_if", "eastus", "complete", {}),
                ("spot_price", "westus", "failed", {}),
                ("sps", "eastus", "partial", {"calls_sent": 3, "calls_unsent": 1, "throttles": 2}),
            )
        ],
    }  # fmt: skip


def test_an_attempt_that_planned_nothing_is_told_with_the_failure_of_its_step() -> None:
    scope = Scope(regions=("eastus",), instance_types=(A,), resume=True, filtered=True)
    dead = attempt(8, scope=scope, work=False, failures=(failure("Lambda.Unknown", "died"),))
    found: Any = collected(slot(dead))
    assert (found["status"], found["coverage_percent"], found["filtered"]) == ("failed", 0.0, True)
    nothing = "nothing was planned"
    assert found["coverage"] == {"sps": None, "price": None, "eviction": None}
    assert found["coverage_reasons"] == {"sps": nothing, "price": nothing, "eviction": nothing}
    assert (found["calls_waiting"], found["quota_left"], found["oldest_waiting_minutes"]) == (0, None, None)
    assert (found["calls_planned"], found["pairs"], found["regions_requested"], found["regions_complete"]) == (0,) * 4
    (entry,) = found["attempts"]
    assert (entry["planned"], entry["calls_planned"], entry["calls_waiting"], entry["desired_counts"]) == (
        False, 0, 0, [1],
    )  # fmt: skip
    assert (entry["regions"], entry["instance_types"], entry["resumed"]) == (["eastus"], [A], True)
    assert (entry["error"], entry["cause"]) == ("Lambda.Unknown", "died")
    (lost,) = found["stale"]
    assert (lost["dataset"], lost["region"], lost["error"], lost["cause"]) == (
        "", "", "Lambda.Unknown", "attempt 8: died",
    )  # fmt: skip
    (silent,) = collected(slot(attempt(8, work=False, failures=None)))["stale"]
    assert (silent["error"], silent["cause"]) == ("UnknownError", "attempt 8: it ended before it had planned")


@pytest.mark.parametrize(("waiting", "pairs", "reason"), [
    (1, True, "no call could be asked: the quota is used up"),
    (0, True, "no pair is known yet: the catalogue begins with the first price listing"),
])  # fmt: skip
def test_scores_that_could_not_be_asked_have_a_reason_and_no_coverage(waiting: int, pairs: bool, reason: str) -> None:
    reports = [report(dataset, region) for dataset in (PRICE, EVICTION) for region in ("eastus", "westus")]
    one = attempt(7, reports=reports)
    assert one.work is not None
    one.work = replace(one.work, calls_waiting=waiting)
    found = collected(slot(one))
    assert found["coverage"] == {"sps": None, "price": 100.0, "eviction": 100.0}
    assert found["coverage_reasons"] == {"sps": reason}
    assert (found["coverage_percent"], found["status"], found["regions_complete"]) == (66.66, "partial", 0)


def test_a_listing_that_is_due_later_everywhere_leaves_the_slot_complete() -> None:
    one = attempt(7, reports=[report(EVICTION, "eastus"), report(EVICTION, "westus")])
    assert one.work is not None
    later = {name: replace(item, datasets=(SPS, EVICTION), later=(PRICE,)) for name, item in one.work.items.items()}
    one.work = replace(one.work, items=later)
    whole = SlotAccount(
        scored={("eastus", 5): 2, ("westus", 5): 2},
        without_score={("eastus", 5): {}, ("westus", 5): {}},
        unanswered={("eastus", 5): {}, ("westus", 5): {}},
    )
    found = collected(slot(one, account=whole))
    assert found["coverage"] == {"sps": 100.0, "price": None, "eviction": 100.0}
    assert found["coverage_reasons"] == {"price": "its turn is a later slot"}
    assert (found["status"], found["coverage_percent"], found["regions_complete"]) == ("complete", 100.0, 2)
    assert listed_everywhere(found) == {"sps", "eviction"}
    found = collected(slot(one, attempt(8, work=False), account=whole))
    assert found["coverage_reasons"] == {"price": "nothing was planned"}
    assert found["status"] == "partial"


def test_shards_of_the_first_form_are_whole_or_told() -> None:
    def first(*reports: CollectorReport, refused: tuple[RefusedShard, ...] = ()) -> Any:
        one = attempt(0, reports=list(reports), refused=list(refused))
        assert one.work is not None
        one.work = replace(one.work, items={"eastus": WorkItem(region="eastus", datasets=(SPS,))})
        return collected(slot(one))

    found = first(report(SPS, "eastus"))
    assert (found["coverage"]["sps"], found["stale"], found["regions_complete"]) == (100.0, [], 1)
    found = first(report(SPS, "eastus"), report(SPS, "westus", "failed"))
    assert (found["coverage"]["sps"], found["stale"][0]["error"], found["stale"][0]["cause"]) == (None, "", "")
    found = first(report(SPS, "eastus", "partial", error="E", cause="c"))
    assert [found["stale"][0][name] for name in ("dataset", "region", "error", "cause")] == ["sps", "eastus", "E", "c"]
    refused = RefusedShard(key="k", dataset=SPS, region="westus", reason="not_json")
    found = first(report(SPS, "eastus"), refused=(refused,))
    assert (found["coverage"]["sps"], found["stale"][0]["error"], found["stale"][0]["cause"]) == (
        None, "ShardRefusedError", "not_json",
    )  # fmt: skip


def why(*attempts: AttemptRead) -> list[tuple[str, str]]:
    found = stale_parts(slot(*attempts), ())
    return [(one.error, one.cause) for one in found if (one.dataset, one.region) == ("spot_price", "westus")]


def test_the_newest_attempt_that_knows_says_why_a_listing_is_not_whole() -> None:
    failed = attempt(1, reports=[report(PRICE, "westus", "failed", error="E1")])
    caught = attempt(2, failures=(failure("E2", "c2", "spot_price", "westus"),))
    missing = RefusedShard(key="k", dataset=PRICE, region="westus", reason="missing")
    refused = attempt(3, refused=[missing])
    step = attempt(4, refused=[missing], failures=(failure("States.Timeout", "c4"),))
    assert why(failed) == [("E1", "")]
    assert why(failed, caught) == [("E2", "c2")]
    assert why(failed, caught, refused) == [("ShardRefusedError", "missing")]
    assert why(failed, step) == [("States.Timeout", "c4")]
    assert why(attempt(1)) == [("UnknownError", "no attempt says why")]
    assert why(failed, attempt(2, reports=[report(PRICE, "westus")])) == []
    sizes = attempt(2, scope=Scope(instance_types=(A,)), reports=[report(PRICE, "westus")])
    assert why(failed, sizes) == [("E1", "")]  # some sizes are not the whole listing


def scores(*attempts: AttemptRead, reason: str = "no_report") -> tuple[str, str]:
    one = PairAccount(region="westus", desired_count=5, unanswered={reason: (A, B)})
    (found,) = [one for one in stale_parts(slot(*attempts), (one,)) if one.dataset == "sps"]
    return found.error, found.cause


def test_pairs_without_a_score_name_the_error_of_their_sender() -> None:
    said = "2 of 2 pairs have no answer at desired count 5 (2 no_report)"
    lost = attempt(1, failures=(failure("Lambda.OOM", "", "sps", "eastus"),))
    step = attempt(1, failures=(failure("States.Timeout", ""),))
    sender = attempt(1, reports=[report(SPS, "eastus", "partial", error="E", accounts=(MISSING,))])
    assert scores(lost) == ("Lambda.OOM", said)
    assert scores(step) == ("States.Timeout", said)
    assert scores(attempt(1)) == ("ShardRefusedError", said)
    assert scores(sender) == ("E", said)
    assert scores(sender, reason="timeout") == ("E", said.replace("no_report", "timeout"))
    assert scores(lost, reason="timeout") == ("AzureError", said.replace("no_report", "timeout"))


def test_a_region_that_lacks_scores_at_two_counts_is_one_entry() -> None:
    accounts = [PairAccount(region="westus", desired_count=n, unanswered={"timeout": (A,)}, scored=n) for n in (5, 10)]
    (found,) = [one for one in stale_parts(slot(attempt(1)), accounts) if one.dataset == "sps"]
    assert found.cause == "2 of 17 pairs have no answer at desired count 5, 10 (2 timeout)"


def test_odd_findings_of_the_newest_whole_listings_are_counted_and_some_named() -> None:
    def listing(region: str, *, kinds: tuple[str, ...] = (), **counts: int) -> CollectorReport:
        found = Findings(
            unconfirmed_sizes=(A, B) if region == "eastus" else (),
            unknown_kinds=tuple({"kind": kind, "meterName": region} for kind in kinds),
            disagreeing_sizes=(f"spot {A}",),
        )
        return report(PRICE, region, counts=counts, found=found)

    old = attempt(1, reports=[listing("eastus", rejected_unknown_kind=50)])
    new = attempt(
        2,
        reports=[
            listing("westus", kinds=("b", "a"), rejected_unknown_kind=3, price_disagreements=2, healed_sizes=1),
            listing("eastus", kinds=("b",), rejected_unknown_kind=4, healed_sizes=5),
            report(PRICE, "westus", "failed", counts={"healed_sizes": 90}),
            report(EVICTION, "westus", counts={"healed_sizes": 90}),
        ],
    )
    part = attempt(3, scope=Scope(instance_types=(A,)), reports=[listing("westus", healed_sizes=90)])
    assert price_findings(slot(old, new, part)) == {
        "unknown_kinds": {
            "rows": 7,
            "samples": [
                {"region": "westus", "kind": "a", "meterName": "westus"},
                {"region": "eastus", "kind": "b", "meterName": "eastus"},
            ],
        },
        "price_disagreements": {"rows": 2, "sizes": [f"eastus spot {A}", f"westus spot {A}"]},
        "unconfirmed": {"pairs": 2, "healed": 6, "regions": {"eastus": {"pairs": 2, "sizes": [A, B]}}},
        "unconfirmed_percent": 50.0,  # of four pairs
    }
    unplanned = attempt(1, work=False, reports=[listing("eastus")])
    assert price_findings(slot(unplanned))["unconfirmed_percent"] is None


def test_the_largest_difference_of_any_data_set_counts() -> None:
    assert rows_difference_percent({"sps": 103, "price": 50}, {"sps": 100, "price": 60, "gone": 9}) == 16.67
    assert rows_difference_percent({"sps": 1}, {"sps": 0}) is None
    assert rows_difference_percent({"sps": 130}, {"sps": 100}) == 30.0
