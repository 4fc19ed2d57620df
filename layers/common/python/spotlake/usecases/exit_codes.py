"""How the full run's job ends, and what each exit code means (functions/full_run/README.md)."""

from __future__ import annotations

from spotlake.errors import (
    AzureError,
    ConfigurationError,
    InvalidInputError,
    ReclaimedError,
    SignInError,
    SpotlakeError,
    StoreError,
)

DONE = 0
BUG = 70
RECLAIMED = 75  # the only one that Batch tries again (cdk/constructs/full_run_job.py)
# First match counts: SignInError is a ConfigurationError.
_CODES: tuple[tuple[type[SpotlakeError], int, str], ...] = (
    (ReclaimedError, RECLAIMED, "the machine was taken away; the next attempt goes on from the checkpoints"),
    (InvalidInputError, 64, "the run's input is wrong; correct it and start again"),
    (SignInError, 77, "Azure refused the sign-in; correct AzureAuth and start again"),
    (ConfigurationError, 78, "a setting or permission is wrong; correct it and start again"),
    (AzureError, 69, "Azure failed for good; the next full run tries again by itself"),
    (StoreError, 74, "S3 or DynamoDB failed for good; the next full run tries again by itself"),
)


def exit_code_of(error: Exception) -> int:
    """The exit code for what ended the job."""
    return next((code for kind, code, _ in _CODES if isinstance(error, kind)), BUG)


def cause_of_exit(code: int) -> tuple[str, str]:
    """Error name and one sentence for an exit code of the job.

    >>> cause_of_exit(77)[0]
    'SignInError'
    """
    for kind, known, sentence in _CODES:
        if code == known:
            return kind.__name__, sentence
    return "FullRunError", "a fault of this program: see the job's log"
