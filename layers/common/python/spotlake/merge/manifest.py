"""The manifest of a run: what was asked, what came, what stayed as it was (pure). Its form: docs/data.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spotlake.models import CollectorReport, Dataset, Run

SCHEMA = 1
_NAMES = (("price", Dataset.PRICE), ("eviction", Dataset.EVICTION))
type Failures = Mapping[tuple[str, str], Mapping[str, str]]  # (dataset, region) -> what the state machine caught


def collected(
    run: Run,
    request: Mapping[str, Any],
    reports: Sequence[CollectorReport],
    refused: Sequence[Mapping[str, str]],
    failures: Failures,
) -> dict[str, Any]:
    """The part of the manifest that tells of collecting: coverage, stale regions, calls, collectors."""
    coverage = _coverage(request, reports)
    stale = _stale(request["collected_at"], reports, refused, failures)
    scores = [one for one in reports if one.dataset is Dataset.SPS]
    return {
        "run_id": run.run_id,
        "mode": run.mode.value,
        "desired_counts": list(run.desired_counts),
        "regions_requested": len(request["regions"]),
        "regions_complete": _regions_complete(request, reports),
        "pairs": request["pairs"],
        "coverage": coverage,
        "coverage_percent": round(sum(coverage.values()) / len(coverage), 2),
        "sps_calls": sum(one.counts.get("calls_sent", 0) for one in scores),
        "calls_planned": request["calls_planned"],
        "calls_waiting": request["calls_waiting"],
        "calls_unsent": sum(len(one.unsent_call_ids) for one in scores),
        "throttled_calls": sum(one.counts.get("throttles", 0) for one in scores),
        "oldest_score_age_minutes": request["oldest_score_age_minutes"],
        "catalogue": request["catalogue"],
        "stale": stale,
        "stale_regions": len({one["region"] for one in stale}),
        "refused_shards": list(refused),
        "collectors": [_short(one) for one in reports],
    }


def rows_difference_percent(now: Mapping[str, int], before: Mapping[str, int]) -> float | None:
    """By how much the rows of the data set that differs most differ from earlier ones; None: nothing to compare.

    >>> rows_difference_percent({"sps": 90, "price": 100}, {"sps": 100, "price": 100})
    10.0
    """
    shares = [abs(now[name] - known) / known for name, known in before.items() if known and name in now]
    return round(100 * max(shares), 2) if shares else None


def _coverage(request: Mapping[str, Any], reports: Sequence[CollectorReport]) -> dict[str, float]:
    """Percent by data set: of the planned calls, or of the regions asked."""
    planned = request["calls_planned"]
    unsent = sum(len(one.unsent_call_ids) for one in reports)
    reported = {one.region for one in reports if one.dataset is Dataset.SPS}
    silent = sum(len(calls) for region, calls in request["calls_by_region"].items() if region not in reported)
    answered = max(planned - unsent - silent, 0)
    coverage = {"sps": _percent(answered, planned) if planned else 100.0}
    done = _done(reports)
    for name, dataset in _NAMES:
        asked = request["shards"][dataset.value]
        coverage[name] = _percent(sum((dataset, region) in done for region in asked), len(asked))
    return coverage


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 2) if whole else 0.0


def _done(reports: Sequence[CollectorReport]) -> set[tuple[Dataset, str]]:
    return {(one.dataset, one.region) for one in reports if one.status == "complete"}


def _regions_complete(request: Mapping[str, Any], reports: Sequence[CollectorReport]) -> int:
    """How many regions have all that was asked of them."""
    done = _done(reports)
    return sum(
        all((one, region) in done for one in Dataset if region in request["shards"][one.value])
        for region in request["regions"]
    )


def _stale(
    collected_at: Mapping[str, Mapping[str, str]],
    reports: Sequence[CollectorReport],
    refused: Sequence[Mapping[str, str]],
    failures: Failures,
) -> list[dict[str, Any]]:
    """Regions and data sets that keep old values: why, and of which slot those are (None: there are none)."""
    found: list[dict[str, Any]] = []
    for one in refused:
        caught = failures.get((one["dataset"], one["region"]), {})
        found.append(
            {
                "dataset": one["dataset"],
                "region": one["region"],
                "error": caught.get("error") or "ShardRefusedError",
                "cause": caught.get("cause") or one["reason"],
            }
        )
    for report in reports:
        if report.status != "complete":
            named = {"dataset": report.dataset.value, "region": report.region}
            found.append({**named, "error": report.error, "cause": report.cause})
    return [{**one, "since": collected_at.get(one["region"], {}).get(one["dataset"])} for one in found]


def _short(report: CollectorReport) -> dict[str, Any]:
    return {
        "dataset": report.dataset.value,
        "region": report.region,
        "status": report.status,
        "rows": report.rows,
        "seconds": report.seconds,
        "counts": report.counts,
    }
