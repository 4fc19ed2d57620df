"""Recorded executions, told again by the reference JSONata: each expression of each state that was entered.

What the emulator's engine and the reference make of the same inputs must be the same: outputs, choices, ends. What they
hand to functions must be what the functions' own types take. How the record was made: tests/data/ORIGIN.md.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

import msgspec
import pytest

from cdk.constructs.workflow import definition
from cdk.settings import StackSettings
from spotlake.events import CollectEvent, FailureJson, PlanEvent, ReportEvent
from spotlake.models import RunJson
from spotlake.planning.attempt import Failure
from spotlake_local.workspace import ROOT
from tests.workflow.reference import NothingError, Reference, start_reference

MACHINE: Mapping[str, Any] = json.loads(definition(StackSettings()))
STATES = MACHINE["States"]
EXECUTIONS = json.loads(gzip.decompress((ROOT / "tests/data/executions.json.gz").read_bytes()))


class MergeParts(TypedDict):
    """A ``MergeEvent`` without ``failure``: msgspec knows no union of two such types."""

    run: RunJson
    failures: list[FailureJson]


class NotifyParts(TypedDict):
    """A ``NotifyEvent`` without ``run``, as above."""

    execution_id: str
    state: str | None
    error: str | None
    cause: str | None


EVENTS: Mapping[str, Any] = {
    "Plan": PlanEvent, "PlanInstead": PlanEvent, "Merge": MergeParts, "Report": ReportEvent, "Notify": NotifyParts,
    "NotifyRecovery": NotifyParts,
}  # fmt: skip
# tests/workflow/test_asl_ways.py goes through these two.
UNRECORDED = {"StartFullRun", "PlanInstead"}


@pytest.fixture(scope="module")
def reference() -> Iterator[Reference]:
    with start_reference() as process:
        yield process


@dataclass
class Entered:
    """One state of a history: its name, its input, and what followed until the next one."""

    name: str
    input: Any
    result: Any = None
    output: Any = None
    error: Mapping[str, str] | None = None


def entered(execution: Mapping[str, Any]) -> list[Entered]:
    """The states outside the Map, in order."""
    found: list[Entered] = []
    for event in execution["events"]:
        kind = event["type"]
        if kind.endswith("StateEntered"):
            found.append(Entered(event["name"], json.loads(event["input"])))
        elif kind.endswith("StateExited"):
            found[-1].output = json.loads(event["output"])
            if kind == "MapStateExited":
                found[-1].error = None  # it was caught inside
        elif kind == "TaskSucceeded":
            found[-1].result = json.loads(event["output"])
        elif kind == "TaskFailed":
            found[-1].error = {"Error": event["error"], "Cause": event["cause"]}
    return found


class Told:
    """An execution as the reference tells it: its variables so far."""

    def __init__(self, reference: Reference, execution: Mapping[str, Any]) -> None:
        self.reference, self.context = reference, execution["context"]
        self.variables: dict[str, Any] = {}

    def filled(self, template: Any, **states: Any) -> Any:
        """With ``$states`` of these fields."""
        return self.reference.filled(template, {**self.variables, "states": {"context": self.context, **states}})

    def in_child(self, template: Any, **states: Any) -> Any:
        """As ``filled``, where no variable of the execution is seen."""
        return self.reference.filled(template, {"states": {"context": self.context, **states}})

    def assign(self, part: Mapping[str, Any], **states: Any) -> None:
        """All from the variables before."""
        self.variables |= self.filled(part.get("Assign", {}), **states)

    def next_of(self, state: Mapping[str, Any], seen: Entered) -> str | None:
        """Where the reference goes from a state; None at an end. What it gives is held against the record."""
        kind = state["Type"]
        if kind == "Choice":
            return self._chosen(state, seen)
        if "Arguments" in state:
            self._accepted(seen.name, self.filled(state["Arguments"], input=seen.input))
        if kind == "Map":
            self._groups(state, seen)
            seen.result = seen.output
        if seen.error is not None:
            (rule,) = state["Catch"]
            self.assign(rule, input=seen.input, errorOutput=seen.error)
            return str(rule["Next"])
        result = seen.input if kind in ("Pass", "Succeed") else seen.result
        if "Output" in state:
            assert self.filled(state["Output"], input=seen.input, result=result) == seen.output, seen.name
        self.assign(state, input=seen.input, result=result)
        return state.get("Next")

    def _chosen(self, state: Mapping[str, Any], seen: Entered) -> str:
        for rule in state["Choices"]:
            answer = self.filled(rule["Condition"], input=seen.input)
            assert isinstance(answer, bool), rule  # AWS fails an execution whose condition is anything else
            if answer:
                self.assign(rule, input=seen.input)
                return str(rule["Next"])
        return str(state["Default"])

    def _accepted(self, name: str, arguments: Mapping[str, Any]) -> None:
        if name in EVENTS:
            msgspec.convert(arguments["Payload"], type=EVENTS[name])
            if failure := arguments["Payload"].get("failure"):
                Failure.from_dict(failure)
        elif name == "FullRun":
            assert set(json.loads(arguments["Parameters"]["run"])) == set(self.variables["run"])

    def _groups(self, state: Mapping[str, Any], seen: Entered) -> None:
        """Each group's item, and what its child hands to its three Maps."""
        groups = self.filled(state["Items"], input=seen.input)
        assert len(groups) == len(seen.output)
        begin, collect = state["ItemProcessor"]["States"].values()
        for group, three in zip(groups, seen.output, strict=True):
            context = {**self.context, "Map": {"Item": {"Value": group}}}
            item = self.filled(state["ItemSelector"], input=seen.input, context=context)
            given = self.in_child(begin["Output"], input=item)
            for branch, told in zip(collect["Branches"], three, strict=True):
                self._regions(branch["States"][branch["StartAt"]], given, group, told)

    def _regions(self, inner: Mapping[str, Any], given: Any, group: list[str], told: list[Any]) -> None:
        """What one data set's task would be handed for each region, and hand on."""
        regions = self.in_child(inner["Items"], input=given)
        assert [one["region"] for one in told] == regions == group
        task = inner["ItemProcessor"]["States"][inner["ItemProcessor"]["StartAt"]]
        for region, one in zip(regions, told, strict=True):
            context = {**self.context, "Map": {"Item": {"Value": region}}}
            item = self.in_child(inner["ItemSelector"], input=given, context=context)
            event = self.in_child(task["Arguments"]["Payload"], input=item)
            assert msgspec.convert(event, type=CollectEvent)["region"] == region
            caught = {"Error": "Lambda.Unknown", "Cause": "x" * 600}
            lost = self.in_child(task["Catch"][0]["Output"], input=item, errorOutput=caught)
            assert (lost["dataset"], lost["region"], len(lost["cause"])) == (one["dataset"], region, 500)


@pytest.mark.parametrize("name", EXECUTIONS)
def test_the_reference_goes_the_same_way_to_the_same_end(reference: Reference, name: str) -> None:
    execution = EXECUTIONS[name]
    told, seen = Told(reference, execution), entered(execution)
    way = [MACHINE["StartAt"]]
    for state in seen:
        assert state.name == way[-1]
        if following := told.next_of(STATES[state.name], state):
            way.append(following)
    assert way == [state.name for state in seen]
    end, last = STATES[way[-1]], execution["events"][-1]
    if end["Type"] == "Fail":
        failure = told.filled({"error": end["Error"], "cause": end["Cause"]}, input=seen[-1].input)
        assert failure == {"error": last["error"], "cause": last["cause"]}
    else:
        assert json.loads(last["output"]) == seen[-1].output


def test_every_state_is_in_the_record_but_those_that_are_told_by_hand() -> None:
    seen = {state.name for execution in EXECUTIONS.values() for state in entered(execution)}
    assert set(STATES) - seen == UNRECORDED


def test_the_record_is_of_this_state_machine() -> None:
    for execution in EXECUTIONS.values():
        assert {state.name for state in entered(execution)} <= set(STATES)


def test_what_gives_nothing_is_noticed(reference: Reference) -> None:
    with pytest.raises(NothingError):
        reference.evaluate("$run.nothing", {"run": {}})
    with pytest.raises(NothingError):
        reference.evaluate("$nofunction(1)", {})
