"""What a finished run has to say of itself, in one form whatever the schema of its manifest (pure).

Command line and page both read this, so that none of them can say "complete" where another says "failed".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from spotlake.models import Mode

FIRST_SCHEMA = 1
NOT_ASKED = "no score was asked"
# What a manifest of the first schema does not say.
_LACKING: dict[str, Any] = {
    "attempts": [],
    "accounts": [],
    "coverage_reasons": {},
    "quota_left": None,
    "score_ages": [],
    "score_age_median_minutes": None,
    "score_age_p95_minutes": None,
}
type Document = Mapping[str, Any]


def told(manifest: Document, jobs: Mapping[int, Document] | None = None) -> dict[str, Any]:
    """A manifest with what follows from it.

    Args:
        manifest: As stored, of any schema.
        jobs: Attempt -> the record of its Batch job, where there is one.

    Returns:
        The manifest in the form of the newest schema, and besides:
        ``verdict``: "failed" (nothing came, or too little), "starved" (no score could be asked), else the status.
        ``error``, ``cause``: what stopped the newest attempt, or the run; None when nothing did.
        ``waits``: whether scores wait for quota, or were not asked at all.
    """
    one = dict(manifest) if manifest["schema"] > FIRST_SCHEMA else _from_first(manifest)
    asked_none = one["coverage"]["sps"] is None
    one["waits"] = bool(one["calls_waiting"]) or asked_none
    one["error"], one["cause"] = _sentence(one, jobs or {})
    if one["status"] == "failed" or not one["coverage_sufficient"]:
        one["verdict"] = "failed"
    elif asked_none or (one["calls_waiting"] and not one["sps_calls"]):
        one["verdict"] = "starved"
    else:
        one["verdict"] = one["status"]
    return one


def _from_first(manifest: Document) -> dict[str, Any]:
    """A manifest of the first schema: it called complete what was never asked."""
    one = {**manifest, **_LACKING}
    coverage = dict(one["coverage"])
    if not one["sps_calls"] and not one["rows"]["sps"]:
        coverage["sps"] = None
        one["coverage_reasons"] = {"sps": NOT_ASKED}
        one["coverage_percent"] = round(sum(value or 0.0 for value in coverage.values()) / len(coverage), 2)
    one["coverage"] = coverage
    if not any(one["rows"][name] for name in ("sps", "price", "eviction")):
        one["status"] = "failed"
    elif one["coverage_reasons"] and one["status"] == "complete":
        one["status"] = "partial"
    # The first schema had the age of waiting scores under this name, and none of the others.
    one["oldest_waiting_minutes"], one["oldest_score_age_minutes"] = one["oldest_score_age_minutes"], None
    return one


def _sentence(one: Document, jobs: Mapping[int, Document]) -> tuple[str | None, str | None]:
    """What stopped the newest attempt; else why nothing, or too little, came."""
    attempts: Sequence[Document] = one["attempts"]
    if attempts and attempts[-1]["error"]:
        return _job_sentence(attempts, jobs) or (attempts[-1]["error"], attempts[-1]["cause"])
    if one["status"] != "failed" and one["coverage_sufficient"]:
        return None, None
    causes = Counter((stale["error"] or "UnknownError", stale["cause"] or "") for stale in one["stale"])
    if causes:
        (error, cause), number = causes.most_common(1)[0]
        others = f" ({number} of {len(one['stale'])} say so)" if len(one["stale"]) > 1 else ""
        return error, cause + others
    percent = one["coverage_percent"]
    nothing = "nothing was collected, and nobody has written down why"
    return "CoverageError", nothing if one["status"] == "failed" else f"only {percent:.1f} % of what was owed came"


def _job_sentence(attempts: Sequence[Document], jobs: Mapping[int, Document]) -> tuple[str, str] | None:
    """The Batch job's own words: of the newest attempt, or of the full run in whose place it collected."""
    newest = attempts[-1]
    for one in reversed(attempts):
        if one is not newest and not newest["resumed"]:
            return None
        job = jobs.get(one["attempt"], {})
        if one["mode"] == Mode.FULL.value and job.get("error"):
            return job["error"], job["cause"]
    return None
