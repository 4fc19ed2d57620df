"""Manifests of the first schema in the newest form, field by field."""

from __future__ import annotations

from typing import Any

import pytest

from spotlake.first_manifests import from_first_schema

OLD: dict[str, Any] = {
    "schema": 1, "coverage": {"sps": 100.0, "price": 100.0, "eviction": 50.0}, "coverage_percent": 83.33,
    "status": "complete", "sps_calls": 3, "rows": {"sps": 5, "price": 2, "eviction": 1}, "oldest_score_age_minutes": 40,
}  # fmt: skip
ADDED: dict[str, Any] = {
    "attempts": [], "accounts": [], "quota_left": None, "score_ages": [], "score_age_median_minutes": None,
    "score_age_p95_minutes": None, "rows_difference_percent": None, "filtered": True, "items_left": 0,
    "written_items": 0, "overtaken_items": 0, "consumed_write_units": 0.0, "write_throttles": 0, "outputs": [],
    "coverage_reasons": {}, "oldest_waiting_minutes": 40, "oldest_score_age_minutes": None,
}  # fmt: skip


def test_what_the_first_schema_lacks_is_unknown_or_nothing() -> None:
    assert from_first_schema(OLD) == {**OLD, **ADDED}
    assert from_first_schema({**OLD, "filtered": False})["filtered"] is False  # what it had stays


@pytest.mark.parametrize(
    ("changes", "status", "sps", "percent"),
    [
        ({"sps_calls": 0}, "complete", 100.0, 83.33),  # rows came from an earlier try
        ({"rows": {"sps": 0, "price": 2, "eviction": 1}}, "complete", 100.0, 83.33),
        ({"sps_calls": 0, "rows": {"sps": 0, "price": 2, "eviction": 1}}, "partial", None, 50.0),
        ({"sps_calls": 0, "rows": {"sps": 0, "price": 2, "eviction": 1}, "status": "failed"}, "failed", None, 50.0),
        ({"sps_calls": 0, "rows": {"sps": 0, "price": 0, "eviction": 0}}, "failed", None, 50.0),
        ({"rows": {"sps": 0, "price": 0, "eviction": 0}}, "failed", 100.0, 83.33),
        (
            {
                "sps_calls": 0,
                "rows": {"sps": 0, "price": 2, "eviction": 1},
                "coverage": {"sps": 100.0, "price": 99.0, "eviction": 1.01},
            },
            "partial",
            None,
            33.34,
        ),
        ({"rows": {"sps": 0, "price": 0, "eviction": 1}}, "complete", 100.0, 83.33),
    ],
)
def test_a_slot_that_was_never_asked_for_scores_was_not_complete(
    changes: dict[str, Any], status: str, sps: float | None, percent: float
) -> None:
    found = from_first_schema({**OLD, **changes})
    assert (found["status"], found["coverage"]["sps"], found["coverage_percent"]) == (status, sps, percent)
    assert found["coverage_reasons"] == ({} if sps else {"sps": "no score was asked"})
