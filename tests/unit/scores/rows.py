"""Rows of placement scores made by hand."""

from __future__ import annotations

from typing import Any

from spotlake.shard_rows import ScoreRow


def row(word: str = "High", **fields: Any) -> ScoreRow:
    """A row that Azure answered with this word; ``fields`` replaces any other."""
    usual: dict[str, Any] = {
        "run_id": "20261123T1000Z", "source": "simulated", "observed_at": "2026-11-23T10:00:01Z", "region": "r1",
        "instance_type": "A", "desired_count": 1, "zone": "1", "logical_zone": "1", "physical_zone": None,
        "score": {"High": 3, "Medium": 2, "Low": 1}.get(word), "score_text": word, "is_quota_available": True,
        "location": "eastus", "subscription": "a", "call_id": "c0",
    }  # fmt: skip
    return ScoreRow(**(usual | fields))
