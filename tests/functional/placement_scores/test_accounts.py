"""The accounts of a collector against Azure's own record of what it was asked and what it answered, pair by pair."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlake.models import WorkItem
from spotlake.reports import CollectorReport
from tests.functional.placement_scores.double import QUOTA_TEXT, Bench, Seen, answer, arm_error, item

type Pair = tuple[str, str]

FAULTS: dict[str, Callable[[], requests.Response | Exception]] = {
    "error": lambda: answer(500, "broken"),
    "lost": lambda: requests.ConnectionError("lost"),
    "page": lambda: answer(200, "<html>"),
    "refused": lambda: arm_error(400, "SomethingNew", "words that nobody knows"),
    "quota": lambda: answer(429, QUOTA_TEXT),
}
REGIONS = ("koreacentral", "eastus", "westus")
RESTRICTED = "Standard_E4s_v5"
UNKNOWN = "Standard_D2s_v5x"


def planned_pairs(work: WorkItem) -> set[Pair]:
    return {(region, size) for call in work.calls for region in call.regions for size in call.instance_types}


def told_pairs(bench: Bench) -> tuple[set[Pair], set[Pair]]:
    """From Azure's record: pairs with a score in any answer, and pairs that stand in an answer."""
    scored: set[Pair] = set()
    stood: set[Pair] = set()
    for _, rows in bench.azure.told:
        stood |= {(row["region"], row["sku"]) for row in rows}
        scored |= {(row["region"], row["sku"]) for row in rows if row["score"] in ("High", "Medium", "Low")}
    return scored, stood


def refused_alone(bench: Bench, script: dict[int, str]) -> set[str]:
    """From Azure's record: names that were the only region, or the only size, of a request refused in unknown words."""
    refused = [seen for seen in bench.azure.seen if script.get(seen.number) == "refused"]
    return {names[0] for seen in refused for names in (seen.regions, seen.instance_types) if len(names) == 1}


def accounted(report: CollectorReport) -> tuple[int, set[Pair], set[Pair]]:
    """From the accounts: how many are scored, pairs with an answer but no score, pairs without an answer."""
    without = {(one.region, size) for one in report.accounts for sizes in one.without_score.values() for size in sizes}
    missing = {(one.region, size) for one in report.accounts for sizes in one.unanswered.values() for size in sizes}
    return sum(one.scored for one in report.accounts), without, missing


@settings(max_examples=200, deadline=None)
@given(
    calls=st.integers(1, 6),
    faults=st.lists(st.sampled_from(["", "", *FAULTS]), max_size=12),
    dropped=st.sets(st.tuples(st.sampled_from(REGIONS), st.integers(0, 9)), max_size=6),
    invalid=st.booleans(),
    invalid_region=st.booleans(),
    restricted=st.booleans(),
    subscriptions=st.integers(1, 3),
    quota=st.integers(1, 10),
)
def test_every_pair_stands_once_in_the_accounts_and_as_azure_answered_it(
    calls: int,
    faults: list[str],
    dropped: set[tuple[str, int]],
    invalid: bool,
    invalid_region: bool,
    restricted: bool,
    subscriptions: int,
    quota: int,
) -> None:
    bench = Bench(subscriptions=("sub-a", "sub-b", "sub-c")[:subscriptions], threads=2)
    bench.azure.quota_calls = quota
    script = dict(enumerate(faults))

    def fault(seen: Seen) -> requests.Response | Exception | None:
        kind = script.get(seen.number, "")
        return FAULTS[kind]() if kind else None

    def drops(seen: Seen, row: dict[str, Any]) -> bool:
        return (row["region"], len(row["sku"]) % 10) in dropped

    bench.azure.fault, bench.azure.dropped = fault, drops
    bench.azure.invalid_sizes = {UNKNOWN} if invalid else set()
    bench.azure.invalid_regions = {"westus"} if invalid_region else set()
    bench.azure.restricted = {"sub-a": {RESTRICTED}} if restricted else {}
    work = item(calls, regions=REGIONS)

    report, rows = bench.collect(work)

    planned = planned_pairs(work)
    scored, stood = told_pairs(bench)
    refused = {pair for pair in planned if (invalid and pair[1] == UNKNOWN) or (invalid_region and pair[0] == "westus")}
    alone = refused_alone(bench, script)  # in unknown words, and by no other name's fault
    named = ({UNKNOWN} if invalid else set()) | ({"westus"} if invalid_region else set())
    blamed = {*report.found.invalid_regions, *report.found.invalid_instance_types} - named
    assert blamed <= alone
    refused |= {pair for pair in planned if not blamed.isdisjoint(pair)} - scored
    number, without, missing = accounted(report)
    assert number == len(planned & scored)
    assert {(row["region"], row["instance_type"]) for row in rows if row["score"]} == planned & scored
    assert without - refused == (planned & stood) - scored - refused
    assert missing - refused == planned - stood - refused
    assert not (without & missing)
    assert number + len(without) + len(missing) == len(planned)
    assert (report.status == "complete") == (not missing)
