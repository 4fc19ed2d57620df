"""Exit codes of the full run's job, and their meaning (functions/full_run/README.md)."""

from __future__ import annotations

from spotlake.errors import (
    AzureError,
    ConfigurationError,
    DeadlineError,
    InvalidInputError,
    ReclaimedError,
    SignInError,
    SpotlakeError,
    StoreError,
)

DONE = 0
BUG = 70
RECLAIMED = 75  # the only one that Batch tries again (cdk/constructs/full_run_job.py)
_BUG = ("FullRunError", "a fault of this program: see the job's log")
# The first match counts, because SignInError is a ConfigurationError.
_CODES: tuple[tuple[type[SpotlakeError], int, str], ...] = (
    (ReclaimedError, RECLAIMED, "the machine was taken away; what was collected is stored"),
    (InvalidInputError, 64, "the run's input is wrong; correct it and start again"),
    (SignInError, 77, "Azure refused the sign-in; correct AzureAuth and start again"),
    (ConfigurationError, 78, "a setting or permission is wrong; correct it and start again (which: see the job's log)"),
    (AzureError, 69, "Azure failed after all retries; the next full run tries again by itself"),
    (StoreError, 74, "S3 or DynamoDB failed after all retries; the next full run tries again by itself"),
    # As timeout(1) of GNU coreutils ends (its manual, read 2026-11).
    (DeadlineError, 124, "the job's time ran out (setting batch_timeout_seconds); what was collected is stored"),
)


def exit_code_of(error: Exception) -> int:
    """The exit code for the error that ended the job."""
    return next((code for kind, code, _ in _CODES if isinstance(error, kind)), BUG)


def cause_of_exit(code: int) -> tuple[str, str]:
    """The error's name, and one sentence on what to do, for an exit code other than 0.

    >>> cause_of_exit(77)[0]
    'SignInError'
    """
    return next(((kind.__name__, sentence) for kind, known, sentence in _CODES if code == known), _BUG)


def failures_by_exit_code() -> dict[str, dict[str, str]]:
    """Table for the state machine: exit code as text -> ``{"error", "cause"}``."""
    failures = {code: cause_of_exit(code) for code in (BUG, *(code for _, code, _ in _CODES))}
    return {
        str(code): {"error": error, "cause": f"the job ended with exit code {code}: {sentence}"}
        for code, (error, sentence) in sorted(failures.items())
    }
