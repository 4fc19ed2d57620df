"""What each exit code of the job says; the codes of sysexits.h, and 124 of timeout(1)."""

from __future__ import annotations

import pytest

from spotlake import errors
from spotlake.usecases.full_run.exit_codes import cause_of_exit, exit_code_of, failures_by_exit_code

CODES = {
    "InvalidInputError": (64, "the run's input is wrong; correct it and start again"),
    "AzureError": (69, "Azure failed after all retries; the next full run tries again by itself"),
    "FullRunError": (70, "a fault of this program: see the job's log"),
    "StoreError": (74, "S3 or DynamoDB failed after all retries; the next full run tries again by itself"),
    "ReclaimedError": (75, "the machine was taken away; what was collected is stored"),
    "SignInError": (77, "Azure refused the sign-in; correct AzureAuth and start again"),
    "ConfigurationError": (
        78, "a setting or permission is wrong; correct it and start again (which: see the job's log)",
    ),
    "DeadlineError": (
        124, "the job's time ran out (setting batch_timeout_seconds); what was collected is stored",
    ),
}  # fmt: skip
RAISED = {
    64: errors.InvalidInputError("mode", "x", "y"), 69: errors.AzureUnavailableError("prices", "away"),
    70: ZeroDivisionError(), 74: errors.ConflictError("k"), 75: errors.ReclaimedError("x"),
    77: errors.SignInError("x"), 78: errors.ConfigurationError("x"), 124: errors.DeadlineError("x"),
}  # fmt: skip


@pytest.mark.parametrize(("code", "error"), RAISED.items(), ids=map(str, RAISED))
def test_an_error_ends_the_job_with_its_code(code: int, error: Exception) -> None:
    assert exit_code_of(error) == code


def test_the_state_machine_gets_a_name_and_a_sentence_for_each_code() -> None:
    assert failures_by_exit_code() == {
        str(code): {"error": name, "cause": f"the job ended with exit code {code}: {sentence}"}
        for name, (code, sentence) in CODES.items()
    }
    assert list(failures_by_exit_code()) == ["64", "69", "70", "74", "75", "77", "78", "124"]
    assert {name: cause_of_exit(code) for name, (code, _) in CODES.items()} == {
        name: (name, sentence) for name, (_, sentence) in CODES.items()
    }
    assert cause_of_exit(1) == ("FullRunError", CODES["FullRunError"][1])
