from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.costs import COLLECTORS, Usage, choices, main, measured_seconds, month, table
from cdk.settings import FUNCTION_SIZES
from spotlake_local.workspace import ROOT


def test_an_inline_map_costs_its_states() -> None:
    # 10 states outside, 58 x (Parallel + 3 tasks) inside, 143 runs on 30 days, 25 dollars a million.
    assert month(Usage())["Step Functions"] == pytest.approx((10 + 58 * 4) * 143 * 30 * 25e-6)


def test_express_is_cheaper_and_seldom_collecting_too() -> None:
    total = {name: sum(month(usage).values()) for name, usage in choices(Usage()).items()}
    assert total["one nested EXPRESS machine"] < total["distributed Map, EXPRESS children"] < total["defaults"]
    assert total["prices every 30, eviction rates every 60 min"] < total["defaults"]
    assert min(total, key=lambda name: total[name]) == "nested, slower prices, 10 metrics"


def test_a_percent_more_changes_costs_four_dollars() -> None:
    less, more = (month(replace(Usage(), changed_share=share))["DynamoDB"] for share in (0.01, 0.02))
    assert more - less == pytest.approx(150_618 * 0.01 * 143 * 30 * 0.625e-6)


def test_no_workload_and_no_second_cost_nothing_of_theirs() -> None:
    seconds = dict.fromkeys(FUNCTION_SIZES, 0.0)
    idle = replace(Usage(), seconds=seconds, regions=0, workloads=0, raw_mb=0, log_mb=0, metrics=0, alarms=0)
    paid = month(replace(idle, full_run_hours=0))
    assert paid["DynamoDB"] == paid["S3 storage"] == paid["Metrics and alarms"] == paid["Batch"] == 0
    assert paid["Lambda"] == pytest.approx(143 * 30 * (len(FUNCTION_SIZES) - len(COLLECTORS)) * 0.2e-6)


def test_seconds_are_taken_from_a_run() -> None:
    functions = {"spot_if": {"invocations": 2, "seconds": 5.0}, "full_run": {"invocations": 1, "seconds": 9.0}}
    assert measured_seconds({"functions": functions}) == {"eviction": 2.5}


def test_the_page_holds_the_table_as_it_is_now(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    assert capsys.readouterr().out.strip() == table(choices(Usage()))
    assert table(choices(Usage())) in (ROOT / "docs/costs.md").read_text(encoding="utf-8")


def test_every_page_names_the_same_month() -> None:
    total = sum(month(Usage()).values())
    deploying = (ROOT / "docs/deploying.md").read_text(encoding="utf-8")
    assert f"[{round(total)} USD a month](costs.md)" in deploying
    assert f"The {Usage().metrics} metrics" in (ROOT / "docs/costs.md").read_text(encoding="utf-8")
