"""The metrics that a run publishes. tests/end_to_end compares them with a run, tests/infra with the stack."""

from __future__ import annotations

from collections import Counter

from spotlake.costs.counting import billed_as

# Metrics of each function besides those that every entry point has (docs/data.md).
METRICS: dict[str, set[str]] = {
    **{name: set() for name in ("sps", "price", "eviction", "history", "report", "notify")},
    "plan": {"QuotaLeft"},
    "merge": {"CoveragePercent", "StaleRegions", "OldestScoreAgeMinutes", "ItemsLeft", "DataFindings", "NewFindings"},
}
OF_ALL = {"DurationSeconds", "PeakMemoryMb"}


def billed(operations: dict[str, int]) -> Counter[str]:
    """Requests by the class that AWS bills."""
    found: Counter[str] = Counter()
    for operation, number in operations.items():
        found[billed_as(*operation.split(" ")) or "free"] += number
    return found
