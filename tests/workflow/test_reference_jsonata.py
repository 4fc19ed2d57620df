"""A second opinion on the state machine's expressions: the reference JSONata beside the emulator's engine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from spotlake.errors import GroupEndedError, SpotlakeError
from spotlake.models import Dataset
from spotlake.usecases.full_run.exit_codes import failures_by_exit_code
from spotlake_local.workspace import ROOT
from tests.workflow.reference import NothingError, start_reference

MACHINE = json.loads((ROOT / "statemachine/collector.asl.json").read_text(encoding="utf-8"))
CHILD = MACHINE["States"]["CollectRegions"]["ItemProcessor"]
COLLECTORS = MACHINE["States"]["CollectRegions"]["Assign"]["collectors"][2:-2]
DATASETS = [one.value for one in Dataset]
RATES = CHILD["States"]["CollectGroup"]["Branches"][2]["States"]["RatesOfGroup"]
# Of JSONata 2.0.6, which AWS names (docs.jsonata.org, AWS "Transforming data", read 2026-11), and AWS's own additions.
BUILT_IN = frozenset(
    "states abs append assert average base64decode base64encode boolean ceil clone contains count decodeUrl "
    "decodeUrlComponent distinct each encodeUrl encodeUrlComponent error eval exists filter floor formatBase "
    "formatInteger formatNumber fromMillis hash join keys length lookup lowercase map match max merge millis min not "
    "now number pad parse parseInteger partition power random range reduce replace reverse round shuffle sift single "
    "sort split spread sqrt string substring substringAfter substringBefore sum toMillis trim type uppercase uuid zip"
    "".split()
)


def texts(value: Any) -> Iterator[str]:
    """Every expression in a part of the machine, without its brackets."""
    if isinstance(value, str) and value.startswith("{%"):
        yield value[2:-2].strip()
    for one in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from texts(one)


def assigned(value: Any) -> Iterator[str]:
    """Every variable that a state assigns."""
    if isinstance(value, Mapping):
        yield from value.get("Assign", ())
    for one in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from assigned(one)


def evaluate(*asked: tuple[str, Mapping[str, Any]]) -> list[Any]:
    """What the reference makes of each expression with these variables; None of what gives nothing."""
    results = []
    with start_reference() as reference:
        for expression, variables in asked:
            try:
                results.append(reference.evaluate(expression, variables))
            except NothingError:
                results.append(None)
    return results


def job(*attempts: tuple[str, int | None], reason: str) -> str:
    """The Cause of a failed Batch job, with the fields that AWS gives (DescribeJobs, read 2026-11)."""
    told = [{"Container": {} if code is None else {"ExitCode": code}, "StatusReason": said} for said, code in attempts]
    return json.dumps({"Attempts": told, "JobName": "full-run", "Status": "FAILED", "StatusReason": reason})


def catch_of_the_full_run(cause: str) -> tuple[str, str]:
    """Error and cause, as the Catch of FullRun assigns them."""
    failure = MACHINE["States"]["FullRun"]["Catch"][0]["Assign"]["failure"]
    variables = {
        "exits": failures_by_exit_code(),
        "states": {"errorOutput": {"Error": "States.TaskFailed", "Cause": cause}},
    }
    error, text = evaluate(*((failure[name][2:-2], variables) for name in ("error", "cause")))
    return error, text


def describe(cause: str) -> str:
    """The sentence that people are told."""
    expression = MACHINE["States"]["DescribeFailure"]["Assign"]["failure"]["cause"][2:-2]
    (said,) = evaluate((expression, {"failure": {"cause": cause}}))
    return str(said)


def test_no_variable_has_the_name_of_a_function() -> None:
    names = set(assigned(MACHINE))
    inner = {name for text in texts(MACHINE) for name in re.findall(r"\$(\w+)\s*:=", text)}
    assert {"merged", "run", "plan", "failure"} <= names
    assert (names | inner) & BUILT_IN == set()


def test_the_names_that_are_refused_are_those_that_the_reference_binds() -> None:
    source = (ROOT / "node_modules/jsonata/jsonata.js").read_text(encoding="utf-8")
    bound = set(re.findall(r"staticFrame\.bind\('(\w+)'", source))
    assert len(bound) > 60
    assert bound <= BUILT_IN
    # Bound a moment before an evaluation; AWS's own; and the one name that it reserves (Step Functions, "Transforming
    # data with JSONata", read 2026-11).
    assert BUILT_IN - bound == {"now", "millis", "states", "partition", "range", "hash", "parse", "uuid"}


def test_every_function_that_is_called_is_one_of_the_language() -> None:
    called = {name for text in texts(MACHINE) for name in re.findall(r"\$(\w+)\(", text)}
    assert called
    assert called <= BUILT_IN - {"eval", "states"}  # AWS leaves $eval out


def test_a_job_that_ran_too_long_is_not_told_as_a_lost_machine() -> None:
    late = "Job attempt duration exceeded timeout"
    cause = job(("Host EC2 (instance i-1) terminated.", None), (late, 75), reason=late)
    error, text = catch_of_the_full_run(cause)
    assert error == "DeadlineError"
    assert "batch_timeout_seconds" in text


@pytest.mark.parametrize(("code", "error"), [(77, "SignInError"), (75, "ReclaimedError"), (70, "FullRunError")])
def test_the_last_exit_code_says_what_ended_the_job(code: int, error: str) -> None:
    ended = "Essential container in task exited"
    cause = job(("Host EC2 (instance i-1) terminated.", None), (ended, code), reason=ended)
    assert catch_of_the_full_run(cause)[0] == error


def test_a_job_that_no_machine_took_tells_why() -> None:
    reason = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"
    error, text = catch_of_the_full_run(job(reason=reason))
    assert (error, describe(text)) == ("States.TaskFailed", reason)


def test_the_last_reason_is_told_not_that_of_the_first_attempt() -> None:
    cause = job(("Host EC2 (instance i-1) terminated.", None), ("CannotPullContainerError", None), reason="CannotPull")
    assert describe(cause) == "CannotPull"


@pytest.mark.parametrize("cause", ["", "a sentence", '{"errorMessage": "no", "errorType": "TypeError"}'])
def test_a_cause_of_any_form_ends_in_a_sentence(cause: str) -> None:
    assert describe(cause) == ("no" if "errorMessage" in cause else cause)


def test_a_child_of_the_distributed_map_uses_no_variable_of_its_parent() -> None:
    """AWS refuses such a machine (Step Functions, "Passing data between states with variables", read 2026-11)."""
    own = set(assigned(CHILD)) | {"states"}
    for text in texts(CHILD):
        local = set(re.findall(r"\$(\w+)\s*:=", text))
        used = set(re.findall(r"\$(\w+)\b(?!\s*\()", text))
        assert used <= own | local, text
    assert "run" in set(assigned(MACHINE)) - own  # a name that a child could take by mistake


def collectors(result: Any, groups: list[list[str]]) -> list[Any]:
    """What is said of every region and data set after the Map."""
    (said,) = evaluate((COLLECTORS, {"states": {"result": result}, "plan": {"groups": groups}}))
    return list(said)


def told(*regions: str) -> list[Any]:
    """The result of one group."""
    return [[{"dataset": name, "region": one, "status": "complete"} for one in regions] for name in DATASETS]


def test_what_every_collector_said_is_kept() -> None:
    said = collectors([told("a", "b"), told("c")], [["a", "b"], ["c"]])
    assert [(one["dataset"], one["region"]) for one in said] == [
        *((name, region) for name in DATASETS for region in "ab"),
        *((name, "c") for name in DATASETS),
    ]
    assert {one["status"] for one in said} == {"complete"}
    assert collectors([told()], [[]]) == []


# What stands in the place of a group that ended: nothing on the emulator; on AWS what is known of its execution
# (Step Functions, "ResultWriter", read 2026-11).
@pytest.mark.parametrize("ended", [None, {}, {"ExecutionArn": "arn", "Status": "TIMED_OUT", "Error": "States.Timeout"}])
def test_the_regions_of_a_group_that_ended_are_named_as_lost(ended: Any) -> None:
    lost = [one for one in collectors([told("a"), ended], [["a"], ["b", "c"]]) if one["status"] == "failed"]
    assert sorted((one["region"], one["dataset"]) for one in lost) == sorted(
        (one, name) for one in "bc" for name in DATASETS
    )
    assert {(one["error"], one["rows"]) for one in lost} == {("GroupEndedError", 0)}
    assert issubclass(GroupEndedError, SpotlakeError)
    assert len(collectors([ended], [["b"]])) == 3


def test_one_none_and_many_regions_and_failures_are_lists() -> None:
    states = MACHINE["States"]
    items = states["CollectRegions"]["Items"][2:-2]
    regions = RATES["Items"][2:-2]
    made: list[list[list[str]]] = [[[]], [["a"]], [["a", "b"], ["c"]]]
    failures = states["Merge"]["Arguments"]["Payload"]["failures"][2:-2]
    lost = {"status": "failed", "dataset": "sps", "region": "eastus", "error": "E", "cause": "c"}
    well = {"status": "complete", "dataset": "sps", "region": "westus", "rows": 1}
    results = evaluate(
        *((items, {"plan": {"groups": groups}}) for groups in made),
        *((regions, {"states": {"input": {"regions": names}}}) for names in ([], ["a"], ["a", "b"])),
        *((failures, {"collectors": found}) for found in ([], [well], [well, lost], [lost, lost])),
    )
    assert results[:3] == made
    assert results[3:6] == [[], ["a"], ["a", "b"]]
    assert [len(one) for one in results[6:]] == [0, 0, 1, 2]
    assert results[8] == [{key: lost[key] for key in ("dataset", "region", "error", "cause")}]


@pytest.mark.parametrize(
    ("merged", "failed", "wanted"),
    [
        ({"coverage_sufficient": False, "coverage_percent": 12.3}, {}, True),
        ({"coverage_sufficient": True, "coverage_percent": 99}, {}, False),
        ({"coverage_sufficient": False, "coverage_percent": 12.3}, {"error": "E"}, False),
    ],
)
def test_too_little_coverage_fails_a_run_that_has_not_failed_already(
    merged: dict[str, Any], failed: dict[str, Any], *, wanted: bool
) -> None:
    condition = MACHINE["States"]["CheckCoverage"]["Choices"][0]["Condition"][2:-2]
    assert evaluate((condition, {"merged": merged, "failure": failed})) == [wanted]
