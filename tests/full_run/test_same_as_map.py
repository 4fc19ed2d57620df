"""A full run finds what the Map of Lambdas finds: the merged files are the same, row for row.

At full size: ``python -m benchmarks.full_and_map``.
"""

from __future__ import annotations

from typing import Any

import pytest

from spotlake import keys
from spotlake.azure import price_rules
from spotlake.errors import InvalidInputError
from spotlake.models import Dataset, Mode
from spotlake.planning.scope import Scope
from spotlake.usecases.collect import prices
from spotlake_local.azure.simulated import SimulatedAzure
from tests.support.house import House, run_of

REGIONS = ("jioindiacentral", "koreacentral")
SIZES = ("Standard_D*s_v5", "Standard_E2*")


@pytest.mark.parametrize(
    ("scope", "field"),
    [
        (Scope(regions=("koreacentrall",), filtered=True), "regions: 'koreacentrall'"),
        (Scope(regions=("jioindiacentral",), instance_types=("Standard_Zz*",), filtered=True), "instance_types: 'St"),
    ],
    ids=["region", "size"],
)
def test_what_nobody_knows_is_refused_by_name(azure: SimulatedAzure, scope: Scope, field: str) -> None:
    with pytest.raises(InvalidInputError, match=field):
        House(azure).full(scope, run_of(Mode.FULL, 1))


@pytest.mark.parametrize(
    "scope",
    [
        Scope(regions=("jioindiacentral",), desired_counts=(1,)),
        Scope(regions=REGIONS, instance_types=SIZES, desired_counts=(5,), filtered=True),
    ],
    ids=["every-size-of-a-region", "regions-and-sizes-by-name"],
)
def test_the_full_run_and_the_map_write_the_same(azure: SimulatedAzure, scope: Scope) -> None:
    (count,) = scope.desired_counts
    job, full = House(azure), run_of(Mode.FULL, count)
    assert {report.status for report in job.full(scope, full)} == {"complete"}
    of_job = job.merged(full)

    azure.reset()
    lambdas, incremental = House(azure), run_of(Mode.INCREMENTAL, count)
    lambdas.objects.put(keys.CATALOGUE, job.objects.objects[keys.CATALOGUE])  # else there is nothing to plan from
    assert set(lambdas.incremental(scope, incremental)) == {"complete"}
    of_lambdas = lambdas.merged(incremental)

    assert len(of_job["snapshot"]) > 200
    assert {row["DesiredCount"] for row in of_job["snapshot"] if row["Score"] != "-1"} == {str(count)}
    for name, content in of_job.items():
        assert content == of_lambdas[name], name


def test_a_fault_over_one_answer_costs_one_region(azure: SimulatedAzure, monkeypatch: pytest.MonkeyPatch) -> None:
    choose = price_rules.choose_prices

    def fails(*args: Any, **kwargs: Any) -> Any:
        if kwargs["region"] == "koreacentral":
            raise OverflowError("9999-12-31T23:59:59-01:00")
        return choose(*args, **kwargs)

    monkeypatch.setattr(prices, "choose_prices", fails)
    house = House(azure)
    scope = Scope(regions=REGIONS, instance_types=SIZES, desired_counts=(1,), filtered=True)
    reports = {(one.dataset, one.region): one for one in house.full(scope, run_of(Mode.FULL, 1))}
    failed = reports.pop((Dataset.PRICE, "koreacentral"))
    assert (failed.status, failed.error, failed.rows) == ("failed", "OverflowError", 0)
    assert "9999" not in str(failed.cause)
    assert {one.status for (_, region), one in reports.items() if region == "jioindiacentral"} == {"complete"}
