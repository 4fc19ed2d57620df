"""Advice about a failed execution, by the error's name."""

from __future__ import annotations

from pathlib import Path

from spotlake import errors

_NETWORK = (
    "see whether this machine reaches login.microsoftonline.com, management.azure.com and prices.azure.com, then run "
    "again; nothing that was collected is lost"
)
# The first match counts, so a class stands before its parent.
_LIVE: tuple[tuple[type[errors.SpotlakeError], str], ...] = (
    (errors.SignInError, "correct AZURE_TENANT_ID, AZURE_CLIENT_ID or AZURE_CLIENT_SECRET, then run again"),
    (errors.AzureThrottledError, "wait some minutes, then run again: others use the same quota"),
    (errors.AzureUnavailableError, _NETWORK),
    (errors.AzureRefusedError, "see that the service principal has its roles (docs/deploying.md), then run again"),
    (errors.UntrustedAnswerError, "nothing: the last good data stay in place; see `spotlake show` if it repeats"),
    (errors.AzureError, _NETWORK),
)
_ANYWHERE: tuple[tuple[type[errors.SpotlakeError], str], ...] = (
    (errors.InvalidInputError, errors.Recovery.FIX_INPUT.value),
    (errors.ConfigurationError, errors.Recovery.FIX_SETUP.value),
    (errors.CoverageError, "see with `spotlake show` what got no answer and why, then run again"),
    (errors.DeadlineError, "run again with --resume: it continues where it stopped"),
    (errors.ReclaimedError, "run again with --resume: it continues where it stopped"),
)


def advice(error: str, *, source: str, log_file: Path) -> str:
    """One sentence of advice for the person who started the run.

    Args:
        error: Name of the error, from the state machine or the job.
        source: "live" or "simulated".
        log_file: Log of the emulated AWS.
    """
    kind = getattr(errors, error, None)
    known = (*_LIVE, *_ANYWHERE) if source == "live" else _ANYWHERE
    if isinstance(kind, type):
        for parent, words in known:
            if issubclass(kind, parent):
                return words
    return f"run again; if it repeats, see {log_file}, or try another STATE_DIR, which leaves this one as it is"
