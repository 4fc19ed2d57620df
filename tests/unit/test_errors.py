"""What errors carry: callers match on the fields, people read the sentence, the state machine knows the recovery."""

from __future__ import annotations

import pytest

from spotlake import errors
from spotlake.errors import Recovery


@pytest.mark.parametrize(
    ("recovery", "names"),
    [
        (Recovery.FIX_INPUT, "InvalidInputError"),
        (Recovery.FIX_SETUP, "ConfigurationError SignInError AzureRefusedError DamagedStateError"),
        (Recovery.SKIP, "RunInProgressError"),
        (Recovery.KEEP_OLD_DATA, "UntrustedAnswerError ShardRefusedError"),
        (Recovery.RESUME, "DeadlineError ReclaimedError"),
        (
            Recovery.TRY_LATER,
            (
                "SpotlakeError AzureError AzureThrottledError AzureUnavailableError SignInUnavailableError StoreError "
                "ConflictError CoverageError GroupEndedError"
            ),
        ),
    ],
)
def test_each_error_says_how_to_recover(recovery: Recovery, names: str) -> None:
    assert {name: getattr(errors, name).recovery for name in names.split()} == dict.fromkeys(names.split(), recovery)


def test_an_input_is_refused_with_field_value_and_way_out() -> None:
    error = errors.InvalidInputError("mode", "quick", "one of auto, full")
    assert (str(error), error.field, error.value, error.allowed) == (
        "mode: 'quick' is not allowed; give one of auto, full", "mode", "quick", "one of auto, full"
    )  # fmt: skip


@pytest.mark.parametrize(("length", "shown"), [(198, "'" + "x" * 198 + "'"), (199, "'" + "x" * 199 + "...")])
def test_a_long_input_is_cut_at_200_characters(length: int, shown: str) -> None:
    error = errors.InvalidInputError("f" * 300, "x" * length, "less")
    assert str(error) == f"{'f' * 200}: {shown} is not allowed; give less"


def test_azures_errors_keep_what_callers_match_on() -> None:
    error = errors.AzureRefusedError("locations", "HTTP 403 No: words", status=403, code="No", text="words")
    assert str(error) == "locations: HTTP 403 No: words"
    assert (error.api, error.status, error.code, error.text) == ("locations", 403, "No", "words")
    bare = errors.AzureUnavailableError("locations", "no answer")
    assert (bare.status, bare.code, bare.text) == (None, None, "")
    slow = errors.AzureThrottledError("prices", "slow", retry_after_seconds=7.0, code="Many", text="wait")
    assert str(slow) == "prices: slow"
    assert (slow.api, slow.status, slow.code, slow.text) == ("prices", 429, "Many", "wait")
    assert slow.retry_after_seconds == 7.0
    plain = errors.AzureThrottledError("prices", "slow", status=503)
    assert (plain.status, plain.code, plain.text, plain.retry_after_seconds) == (503, None, "", None)


def test_a_sign_in_keeps_its_part_and_a_shard_its_key() -> None:
    refused = errors.SignInError("no", part="secret", code="AADSTS7000215")
    assert (str(refused), refused.part, refused.code) == ("no", "secret", "AADSTS7000215")
    assert (errors.SignInError("no").part, errors.SignInError("no").code) == ("", "")
    shard = errors.ShardRefusedError("key", "missing")
    assert (str(shard), shard.key, shard.reason, shard.detail) == ("key: refused (missing)", "key", "missing", "")
    assert str(errors.ShardRefusedError("key", "row_count", "1 line")) == "key: refused (row_count): 1 line"
