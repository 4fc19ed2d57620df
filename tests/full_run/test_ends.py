"""However the job ends, it says so: exit code, one line, the state machine's failure, what Notify is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from cdk.constructs.image_build import IMAGE_SOURCES
from spotlake import errors, keys
from spotlake.settings import Settings
from spotlake.state.attempts import RECORD_SCHEMA
from spotlake.state.checkpoints import read_job_record
from spotlake.stores.documents import write_json
from spotlake.usecases.full_run.exit_codes import cause_of_exit, exit_code_of, failures_by_exit_code
from spotlake.usecases.notify.notify import one_line_cause
from spotlake_local.aws.launcher import EmulatedAws
from spotlake_local.azure.simulated import SimulatedAzure
from spotlake_local.workspace import ROOT
from tests.full_run.job import LOG_GROUP, SLOT_AT, Batch, Job, sign_in_with
from tests.support.emulator import log_lines
from tests.workflow.conftest import Machine

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

README = (ROOT / "functions/full_run/README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidInputError("regions", "x", "y"), 64),
        (errors.AzureUnavailableError("locations", "503"), 69),
        (errors.AzureRefusedError("locations", "403"), 69),
        (KeyError("asked"), 70),
        (errors.DeadlineError("late"), 124),
        (errors.StoreError("S3"), 74),
        (errors.ConflictError("S3"), 74),
        (errors.ReclaimedError("told to stop"), 75),
        (errors.SignInError("refused"), 77),
        (errors.ConfigurationError("quota_calls"), 78),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_an_error_has_its_exit_code(error: Exception, code: int) -> None:
    assert exit_code_of(error) == code
    assert isinstance(error, getattr(errors, cause_of_exit(code)[0], Exception))


def test_the_table_for_people_and_the_one_for_the_state_machine_are_the_same() -> None:
    told = failures_by_exit_code()
    lines = [line.split("|") for line in README.splitlines() if line.startswith("| ") and line[2].isdigit()]
    in_readme = {cells[1].strip(): cells[2] for cells in lines if cells[1].strip() != "0"}
    assert set(told) == set(in_readme)
    for code, one in told.items():
        assert one["error"] in in_readme[code], code
        assert f"exit code {code}: " in one["cause"]
        assert "\n" not in one["cause"]


def test_the_cdk_hands_to_the_image_all_that_its_dockerfile_copies() -> None:
    text = (ROOT / "functions/full_run/Dockerfile").read_text(encoding="utf-8")
    lines = [line.split() for line in text.splitlines() if line.startswith("COPY ") and "--from" not in line]
    copied = [source for line in lines for source in line[1:-1]]
    assert len(copied) > 3
    for source in copied:
        assert (ROOT / source).exists(), source
        assert any(path == source or f"{source}/".startswith(path.removesuffix("**")) for path in IMAGE_SOURCES), source


@dataclass(frozen=True)
class House:
    """The state machine's own file, stub functions, and the true job."""

    job: Job
    machine: Machine


@pytest.fixture(scope="module")
def house(aws: EmulatedAws, azure_process: SimulatedAzure, tmp_path_factory: pytest.TempPathFactory) -> House:
    azure_process.reset()
    job = Job(aws, azure_process, tmp_path_factory.mktemp("ends"), "ends", regions=("koreacentral",), counts=(1,))
    batch = Batch.deploy(aws, job.name, job.settings)
    record = tmp_path_factory.mktemp("machine") / "calls.jsonl"
    return House(job, Machine(aws, record, queue=batch.queue, job=batch.definition))


def wrong_secret(job: Job) -> None:
    sign_in_with(job.aws, job.azure, "not-the-secret")


def no_credentials(job: Job) -> None:
    auth = Settings()
    client = cast("DynamoDBClient", job.aws.client("dynamodb", region=auth.auth_region))
    client.delete_item(TableName=auth.auth_table, Key={"id": {"S": auth.auth_item}})


def damaged_record(job: Job) -> None:
    """A record that this program should never have written."""
    write_json(job.objects, keys.attempt_record(SLOT_AT, job.run.attempt), {"run": {}}, schema=RECORD_SCHEMA)


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("spoil", "more", "error", "code", "advice"),
    [
        (no_credentials, {}, "ConfigurationError", 78, "correct it and start again"),
        (wrong_secret, {}, "SignInError", 77, "correct AzureAuth"),
        (damaged_record, {}, "StoreError", 74, "the next full run tries again"),
        (None, {"run_id": "yesterday"}, "InvalidInputError", 64, "correct it and start again"),
    ],
    ids=["configuration", "sign-in", "store", "input"],
)
def test_what_will_not_go_away_ends_at_once_and_is_told_in_one_line(
    house: House,
    azure: SimulatedAzure,
    spoil: Callable[[Job], None] | None,
    more: dict[str, Any],
    error: str,
    code: int,
    advice: str,
) -> None:
    job = house.job
    job.prepare()
    if spoil:
        spoil(job)
    before = len(log_lines(job.aws, LOG_GROUP))
    ended = house.machine.run(**{**job.run.to_dict(), **more})
    assert (ended.status, ended.error) == ("FAILED", error)
    assert ended.cause is not None
    assert ended.cause.startswith(f"the job ended with exit code {code}: ")
    assert advice in ended.cause
    # Merged, reported and told, in the same words.
    assert [name for name, _ in ended.calls] == ["plan", "merge", "history", "report", "notify"]
    (told,) = ended.of("notify")
    assert (told["state"], told["error"], told["cause"]) == ("FullRun", error, ended.cause)
    assert one_line_cause(told["cause"]) == ended.cause
    # One attempt, and its last line says which and what to do.
    lines = log_lines(job.aws, LOG_GROUP)[before:]
    said = [line for line in lines if cause_of_exit(code)[1] in line]
    assert len(said) == 1, lines
    assert said[0] == lines[-1]
    assert azure.client_secret not in "\n".join(lines)
    if not more:  # a run that cannot be read has no place for a record
        # The state machine sees an exit code; summary, `show` and page have the job's own sentence from its record.
        record = read_job_record(job.objects, job.run)
        assert record is not None
        own = getattr(errors, str(record["error"]))  # the job's own class; the state machine knows its exit code's
        assert issubclass(own, getattr(errors, error))
        assert f"{own.__name__}: {record['cause']} (" in said[0]


@pytest.mark.emulator
def test_a_setting_that_cannot_be_read_is_named(job_with_a_wrong_setting: Job) -> None:
    assert job_with_a_wrong_setting.finish() == 78
    (last,) = job_with_a_wrong_setting.log.read_text().splitlines()[-1:]
    assert last.startswith("ConfigurationError: SPOTLAKE_QUOTA_CALLS: 'many' cannot be read")
    assert last.endswith(f"({cause_of_exit(78)[1]})")


@pytest.mark.emulator
def test_an_attempt_ends_within_the_seconds_that_the_job_definition_gives(
    aws: EmulatedAws, azure: SimulatedAzure, tmp_path: Path
) -> None:
    job = Job(aws, azure, tmp_path, "few-seconds", environment={"FULL_RUN_SECONDS": "9"})
    azure.fault(api="sps", latency_seconds=12.0)  # of each answer; within the default of an hour all would come
    assert job.finish() == 0  # what was collected counts, the rest says why not
    record = job.record()
    ends = {one["error"] for one in record["collectors"] if one["service"] == "sps"}
    assert ends == {"DeadlineError"}


@pytest.fixture
def job_with_a_wrong_setting(aws: EmulatedAws, azure: SimulatedAzure, tmp_path: Path) -> Job:
    return Job(aws, azure, tmp_path, "wrong-setting", environment={"SPOTLAKE_QUOTA_CALLS": "many"})
