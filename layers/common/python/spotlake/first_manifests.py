"""Manifests of the first schema, from before attempts had numbers, in the form of the newest one."""

from __future__ import annotations

from typing import Any

FIRST_SCHEMA = 1
NOT_ASKED = "no score was asked"


def from_first_schema(old: Any) -> Any:
    """Schema 1 called "complete" what was never asked: the status is judged again."""
    coverage = dict(old["coverage"])
    percent, status = old["coverage_percent"], old["status"]
    reasons: dict[str, str] = {}
    if not old["sps_calls"] and not old["rows"]["sps"]:
        coverage["sps"] = None
        reasons = {"sps": NOT_ASKED}
        percent = round(sum(value or 0.0 for value in coverage.values()) / len(coverage), 2)
    if not any(old["rows"][name] for name in ("sps", "price", "eviction")):
        status = "failed"
    elif reasons and status == "complete":
        status = "partial"
    lacking: dict[str, object] = {
        "attempts": [], "accounts": [], "quota_left": None, "score_ages": [], "score_age_median_minutes": None,
        "score_age_p95_minutes": None, "rows_difference_percent": None, "filtered": True, "items_left": 0,
        "written_items": 0, "overtaken_items": 0, "consumed_write_units": 0.0, "write_throttles": 0, "outputs": [],
    }  # fmt: skip
    new = {"coverage": coverage, "coverage_percent": percent, "coverage_reasons": reasons, "status": status}
    # Schema 1 kept the age of the oldest waiting score under the name that is now the age of any score.
    ages = {"oldest_waiting_minutes": old["oldest_score_age_minutes"], "oldest_score_age_minutes": None}
    return {**lacking, **old, **new, **ages}
