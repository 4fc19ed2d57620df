"""The calculator: each line of the bill, calculated by hand from round counts; and the page that shows it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import month as bill
from benchmarks.costs import choices, main, measured, table
from benchmarks.month import ALARMS, METRICS, Usage, month, requests_of_a_run, total
from cdk.settings import COLLECTORS, FUNCTION_SIZES
from spotlake.costs.counting import billed_as
from spotlake.costs.run_cost import STATES_OF_A_RUN
from spotlake_local.workspace import ROOT
from tests.support.published import METRICS as PUBLISHED

RUNS = 30 * 143
EACH = {"s3_puts": 1, "s3_gets": 2, "dynamodb_writes": 3, "dynamodb_reads": 4}


def counted(regions: int, others: int) -> dict[str, Any]:
    """Counts in which each collector asks EACH a region, and the other steps ``others`` times all."""
    functions = {
        name: {
            "invocations": regions,
            "cold_starts": 1,
            "seconds": 2.0 * regions,
            "init_seconds": 0.5,
            "requests": {kind: number * regions for kind, number in EACH.items()},
        }
        for name in COLLECTORS
    }
    operations = {
        "s3 PutObject": 3 * regions + others,
        "s3 GetObject": 3 * 2 * regions + others,
        "s3 DeleteObject": 1000,
        "dynamodb UpdateItem": 3 * 3 * regions + others,
        "dynamodb Query": 3 * 4 * regions + others,
        "dynamodb BatchExecuteStatement": 1000,
    }
    return {
        "regions": regions, "rows": 1000 * regions, "operations": operations, "functions": functions,
        "log_bytes": 2**20, "kept_bytes": 2**23, "replaced_bytes": 2**25, "collection_seconds": 30.0,
    }  # fmt: skip


@pytest.fixture
def usage(monkeypatch: pytest.MonkeyPatch) -> Usage:
    """Ten regions, of which counts with two and with ten are known; all seconds are round."""
    monkeypatch.setattr(bill, "COUNTS", {"small": counted(2, 20), "full": counted(10, 100)})
    seconds = {**dict.fromkeys(FUNCTION_SIZES, 0.0), "merge": 10.0}
    return Usage(regions=10, workloads=1_000_000, seconds=seconds, idle_seconds=0.0)


def line(usage: Usage, name: str) -> tuple[float, float]:
    """List price and what the free tier pays."""
    (found,) = [one for one in month(usage) if one.name == name]
    return found.usd, found.free_usd


def test_a_group_is_a_transition_a_request_and_64_mb_for_its_time(usage: Usage) -> None:
    one_run = (10 + 4) * 25e-6 + 4 * 1e-6 + 4 * 60 * 0.0625 * 16.67e-6
    assert line(usage, "Step Functions") == pytest.approx((RUNS * one_run, 0.10))


def test_standard_children_pay_each_of_their_states(usage: Usage) -> None:
    # Ten states; of each of four children its start, BeginGroup, CollectGroup and three Maps; three tasks a region.
    standard = replace(usage, children="STANDARD")
    assert line(standard, "Step Functions")[0] == pytest.approx(RUNS * (10 + 4 * 6 + 3 * 10) * 25e-6)


def test_the_states_of_the_parent_are_those_of_the_file() -> None:
    states = json.loads((ROOT / "statemachine/collector.asl.json").read_bytes())["States"]
    entered, name = [], "Plan"
    while name:
        entered.append(name)
        state = states[name]
        well = {"ChooseMode": "CollectRegions", "CheckCoverage": "Report", "ChooseEnd": "NotifyRecovery"}
        name = well.get(name) or state.get("Next", "")
    assert entered[-1] == "Collected"
    assert len(entered) == STATES_OF_A_RUN


def test_lambda_is_paid_by_gigabyte_second_and_request_and_its_starts_too(usage: Usage) -> None:
    invoked = 3 * 10 + 5
    merge_gb = FUNCTION_SIZES["merge"].memory_mb / 1024
    work, free = line(usage, "Lambda")
    assert work == pytest.approx(RUNS * (10 * merge_gb * 13.3334e-6 + invoked * 0.2e-6))
    assert free == pytest.approx(work)  # far below 400,000 GB-seconds and a million requests
    gb = sum(size.memory_mb / 1024 * (10 if name in COLLECTORS else 1) for name, size in FUNCTION_SIZES.items())
    assert line(usage, "Lambda INIT")[0] == pytest.approx(RUNS * gb * 0.6 * 1.5 * 13.3334e-6)


def test_the_free_gigabyte_seconds_are_given_once(usage: Usage) -> None:
    busy = replace(usage, seconds=dict.fromkeys(FUNCTION_SIZES, 100.0))
    free = line(busy, "Lambda")[1] + line(busy, "Lambda INIT")[1]
    requests = min(RUNS * 35, 1_000_000) * 0.2e-6
    assert free == pytest.approx(400_000 * 13.3334e-6 + requests)


def test_requests_grow_with_the_regions_and_a_listing_that_is_not_due_reads_its_work(usage: Usage) -> None:
    assert requests_of_a_run(usage) == {
        "s3_puts": 130, "s3_gets": 160, "dynamodb_writes": 190, "dynamodb_reads": 220,
    }  # fmt: skip
    six = requests_of_a_run(replace(usage, regions=6))  # half-way between two and ten
    assert (six["s3_puts"], six["dynamodb_reads"]) == (3 * 6 + 60, 12 * 6 + 60)
    rare = requests_of_a_run(replace(usage, every={"sps": 1, "price": 1, "eviction": 5}))
    assert rare["s3_puts"] == pytest.approx(130 - 10 * 0.8)
    assert rare["s3_gets"] == pytest.approx(160 - 10 * 2 * 0.8 + 10 * 0.8)
    assert line(usage, "S3 requests")[0] == pytest.approx(RUNS * (130 * 5e-6 + 160 * 0.4e-6))


def test_storage_grows_with_the_months_and_overwritten_files_stay_a_day(usage: Usage) -> None:
    kept, replaced = RUNS * 2**23 / 2**30, 143 * 2**25 / 2**30
    assert line(replace(usage, months_kept=3), "S3 storage")[0] == pytest.approx((3 * kept + replaced) * 0.023)


def test_the_table_is_paid_by_changed_item_or_by_the_hour(usage: Usage) -> None:
    control = RUNS * (190 * 0.625e-6 + 220 * 0.125e-6)
    stored = 0.25 + 0.20
    paid, free = line(usage, "DynamoDB")
    assert paid == pytest.approx(control + stored + RUNS * 1_000_000 * 0.02 * 0.625e-6)
    assert free == pytest.approx(0.25)
    paid, free = line(replace(usage, write_units=50, read_units=5), "DynamoDB")
    assert paid == pytest.approx(control + stored + 50 * 720 * 0.00065 + 5 * 720 * 0.00013)
    assert free == pytest.approx(0.25 + 25 * 720 * 0.00065 + 5 * 720 * 0.00013)


def test_logs_metrics_alarms_and_the_rest(usage: Usage) -> None:
    assert line(usage, "Logs") == pytest.approx((RUNS / 1024 * 0.5, RUNS / 1024 * 0.5))
    assert line(usage, "Metrics") == pytest.approx(((24 + 2 / 24) * 0.30, 3.0))
    in_some_hours = replace(usage, metrics_every_hours=6)  # 16 metrics of eight functions in four hours a day
    assert line(in_some_hours, "Metrics") == pytest.approx(((8 + 16 * 4 / 24 + 2 / 24) * 0.30, 3.0))
    assert line(usage, "Alarms") == pytest.approx((0.8, 0.8))
    assert line(usage, "Batch")[0] == pytest.approx(30 * 0.75 * 0.045)
    assert line(usage, "X-Ray, ECR")[0] == pytest.approx(RUNS * 5e-6 + 0.05)


def test_both_totals_are_the_sums_of_the_lines(usage: Usage) -> None:
    lines = month(usage)
    assert total(usage) == pytest.approx((sum(one.usd for one in lines), sum(one.usd - one.free_usd for one in lines)))
    assert all(0 <= one.free_usd <= one.usd + 1e-9 for one in lines)


def test_metrics_and_alarms_are_those_of_the_stack() -> None:
    by_function = 2 * len(FUNCTION_SIZES)
    sent = PUBLISHED["merge"] | PUBLISHED["plan"] | {"RowsDifferencePercent"}
    assert by_function + len(sent) == METRICS
    alarms = json.loads((ROOT / "tests/infra/snapshot.json").read_bytes())["counts"]["AWS::CloudWatch::Alarm"]
    assert alarms in (ALARMS, ALARMS - 1)  # the schedule's is there when the schedule is on


def test_use_is_taken_from_several_runs() -> None:
    eviction = {"invocations": 2, "seconds": 5.0, "cold_starts": 1, "init_seconds": 0.8}
    job = {"invocations": 1, "seconds": 9.0}
    first = {
        "functions": {"eviction": eviction, "full_run": job}, "collection_seconds": 20.0,
        "changed_rows": 5, "merged_rows": 100,
    }  # fmt: skip
    second = {**first, "functions": {"eviction": {**eviction, "seconds": 7.0}}, "changed_rows": 1}
    found = measured([first, second])
    assert found["seconds"] == {**Usage().seconds, "eviction": 3.0}
    assert (found["cold_share"], found["init_seconds"], found["changed_share"]) == (0.5, 0.8, 0.03)
    assert found["group_seconds"] == 20.0


def test_a_run_without_starts_and_rows_changes_no_assumption() -> None:
    found = measured([{"functions": {}, "collection_seconds": 1.0}])
    assert set(found) == {"seconds", "group_seconds"}


@pytest.mark.parametrize(
    ("service", "operation", "billed"),
    [
        ("s3", "GetObject", "s3_gets"),
        ("s3", "ListObjectsV2", "s3_puts"),
        ("s3", "DeleteObject", None),
        ("s3", "SomethingNew", "s3_puts"),
        ("dynamodb", "Query", "dynamodb_reads"),
        ("dynamodb", "UpdateItem", "dynamodb_writes"),
        ("dynamodb", "BatchExecuteStatement", None),
        ("sns", "Publish", None),
    ],
)
def test_operations_are_billed_as_the_price_lists_say(service: str, operation: str, billed: str | None) -> None:
    assert billed_as(service, operation) == billed


def test_the_page_holds_the_table_as_it_is_now(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    assert capsys.readouterr().out.strip() == table(choices(Usage()))
    assert table(choices(Usage())) in (ROOT / "docs/costs.md").read_text(encoding="utf-8")


def test_files_of_runs_change_the_table(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "execution.json"
    file.write_text(json.dumps({"functions": {"merge": {"invocations": 1, "seconds": 0.0}}, "collection_seconds": 9.0}))
    main(["--execution", str(file)])
    assert capsys.readouterr().out.strip() != table(choices(Usage()))


def test_every_page_names_the_same_month() -> None:
    list_price, net = total(Usage())
    deploying = (ROOT / "docs/deploying.md").read_text(encoding="utf-8")
    assert f"[{round(list_price)} USD a month](costs.md), {round(net)} net of the free tier" in deploying
