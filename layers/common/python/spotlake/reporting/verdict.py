"""The verdict on a finished run, from its manifest (pure).

Command line and page both read the verdict here, so neither can say "complete" where the other says "failed".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from spotlake.models import Mode
from spotlake.reporting.jobs import JobEnd
from spotlake.run_files import AttemptEntry, Manifest


class JudgedManifest(Manifest):
    """A manifest with the verdict on its run.

    Attributes:
        verdict: "failed" (nothing came, or too little), "starved" (no score could be asked), else the status.
        error: Class name of what stopped the newest attempt, or the run; None when nothing did.
        cause: One sentence on ``error``; None with it.
        waits: Whether scores wait for quota, or were not asked at all.
    """

    verdict: str
    error: str | None
    cause: str | None
    waits: bool


def judge(manifest: Manifest, jobs: Mapping[int, JobEnd] | None = None) -> JudgedManifest:
    """Judge a run.

    Args:
        manifest: The run's manifest, as ``run_files.parse_manifest`` returns it.
        jobs: Attempt -> what ended its Batch job, where there was one.
    """
    asked_none = manifest["coverage"]["sps"] is None
    waits = bool(manifest["calls_waiting"]) or asked_none
    error, cause = _sentence(manifest, jobs or {})
    verdict = manifest["status"]
    if manifest["status"] == "failed" or not manifest["coverage_sufficient"]:
        verdict = "failed"
    elif asked_none or (manifest["calls_waiting"] and not manifest["sps_calls"]):
        verdict = "starved"
    return {**manifest, "verdict": verdict, "error": error, "cause": cause, "waits": waits}


def _sentence(manifest: Manifest, jobs: Mapping[int, JobEnd]) -> tuple[str | None, str | None]:
    """What stopped the newest attempt; else why nothing, or too little, came."""
    attempts = manifest["attempts"]
    if attempts and attempts[-1]["error"]:
        return _job_sentence(attempts, jobs) or (attempts[-1]["error"], attempts[-1]["cause"])
    if manifest["status"] != "failed" and manifest["coverage_sufficient"]:
        return None, None
    stale = manifest["stale"]
    causes = Counter((entry["error"] or "UnknownError", entry["cause"] or "") for entry in stale)
    if causes:
        (error, cause), number = causes.most_common(1)[0]
        others = f" ({number} of {len(stale)} say so)" if len(stale) > 1 else ""
        return error, cause + others
    percent = manifest["coverage_percent"]
    nothing = "nothing was collected, and no step recorded why"
    too_little = f"only {percent:.1f} % of what was owed came"
    return "CoverageError", nothing if manifest["status"] == "failed" else too_little


def _job_sentence(attempts: Sequence[AttemptEntry], jobs: Mapping[int, JobEnd]) -> tuple[str, str | None] | None:
    """The Batch job's own words: of the newest attempt, or of the full run in whose place that attempt collected."""
    newest = attempts[-1]
    for attempt in reversed(attempts):
        if attempt is not newest and not newest["resumed"]:
            return None
        job = jobs.get(attempt["attempt"])
        if attempt["mode"] == Mode.FULL.value and job and job["error"]:
            return job["error"], job["cause"]
    return None
