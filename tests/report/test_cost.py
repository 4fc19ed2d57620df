"""A run's own cost and use, added up by hand from what tests/report/conftest.py reports."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from spotlake import keys
from spotlake.models import Run
from tests.functional.merge.conftest import World
from tests.report.conftest import SCORES, SIZES, reported


@pytest.fixture
def merged() -> tuple[World, Run]:
    world = World()
    run = world.collected(0, scores=SCORES, sizes=SIZES, ondemand=0.05)
    world.merge(run)
    return world, run


def written(world: World, run: Run) -> Any:
    stored = world.objects.get(keys.execution(run.slot_at))
    assert stored is not None
    return orjson.loads(stored.body)


def test_a_run_s_cost_is_the_sum_of_its_parts(merged: tuple[World, Run]) -> None:
    world, run = merged
    result = reported(world, run)
    execution = written(world, run)
    cost = execution["cost"]
    # 3.5 s with 0.5, 3 x 0.25 and 1 GB; Plan's start of 0.5 s with 0.5 GB; five invocations.
    gb_seconds = 3.5 * (0.5 + 3 * 0.25 + 1) + 0.5 * 0.5
    assert cost["lambda_usd"] == pytest.approx(gb_seconds * 13.3334e-6 + 5 * 0.2e-6, abs=1e-6)
    # Ten states and the start of one child, which lasts the 3.5 s of its collectors with 64 MB.
    assert cost["workflow_usd"] == pytest.approx(11 * 25e-6 + 1e-6 + 3.5 * 0.0625 * 16.67e-6, abs=1e-6)
    assert cost["s3_usd"] == pytest.approx(3 * 5e-6 + 9 * 0.4e-6, abs=1e-6)
    assert cost["dynamodb_usd"] == pytest.approx((100 + 21) * 0.625e-6 + 6 * 0.125e-6, abs=1e-6)
    assert cost["batch_usd"] == 0
    assert cost["total_usd"] == pytest.approx(sum(one for name, one in cost.items() if name != "total_usd"), abs=3e-6)
    assert result["cost_usd"] == cost["total_usd"] > 0


def test_what_is_no_metric_stands_in_the_execution_s_file(merged: tuple[World, Run]) -> None:
    world, run = merged
    reported(world, run)
    execution = written(world, run)
    assert [execution[name] for name in ("findings", "secret_days_left", "architecture")] == [["rows"], None, "arm64"]
    price = execution["functions"]["price"]
    assert (price["cold_starts"], price["counts"]) == (0, {"requests": 2})
    assert price["aws_requests"] == {"s3_puts": 1, "s3_gets": 3, "dynamodb_writes": 7, "dynamodb_reads": 2}
    assert (execution["functions"]["plan"]["cold_starts"], execution["functions"]["plan"]["init_seconds"]) == (1, 0.5)
