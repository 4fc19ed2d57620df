"""Distributed Maps: JSONata, a right to start children, and children that see nothing of their parent and end in time.

``SFN_EXPRESS_SECONDS`` in the emulator's environment shortens the life of EXPRESS children. StopExecution ends a child
of either kind; on AWS it ends STANDARD ones alone.
"""

from __future__ import annotations

import contextvars
import math
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.services import stepfunctions

from spotlake_local.aws.patches import need
from spotlake_local.aws.patches.iam import is_allowed, role_of_execution

_EXPRESS_SECONDS = 300.0  # Step Functions developer guide, "Quotas for Express Workflows", read 2026-11
_LOOK_SECONDS = 0.1
_OF_THE_MAP = ("Items", "ItemSelector", "Output", "Assign")


def install() -> None:
    """Without this patch JSONata on such a Map is passed on as text, and its children may do what AWS forbids."""
    for name in ("_apply_jsonata_template", "_apply_jsonata_output", "_apply_state_assign", "_state_query_language"):
        need(stepfunctions, name, "distributed Maps")
    _evaluate_jsonata()
    _separate_children()
    _end_late_tasks()


def _evaluate_jsonata() -> None:
    run_map = need(stepfunctions, "_run_distributed_map", "distributed Maps")

    def run_map_in_jsonata(
        state: dict[str, Any], given: Any, effective: Any, processor: dict[str, Any], execution: Any, context: Any
    ) -> Any:
        _require_right(execution["stateMachineArn"])
        execution_type = processor["ProcessorConfig"].get("ExecutionType", "STANDARD")
        context = {**context, "_children": execution_type}
        if stepfunctions._state_query_language(state, context) != "JSONata" or "ItemReader" in state:
            return run_map(state, given, effective, processor, execution, context)
        evaluate = stepfunctions._apply_jsonata_template
        items = evaluate(state["Items"], given, context) if "Items" in state else given
        if "ItemSelector" in state:
            items = [
                evaluate(state["ItemSelector"], given, {**context, "Map": {"Item": {"Index": index, "Value": item}}})
                for index, item in enumerate(items)
            ]
        plain = {name: value for name, value in state.items() if name not in _OF_THE_MAP}
        results, following = run_map(plain, items, items, processor, execution, context)
        output = stepfunctions._apply_jsonata_output(state, given, context, result=results, default=results)
        stepfunctions._apply_state_assign(state, given, context, result=results)
        return output, following

    stepfunctions._run_distributed_map = run_map_in_jsonata


def _require_right(machine_arn: str) -> None:
    """A Map starts its children with the role of its own machine (Step Functions guide, read 2026-11)."""
    role = role_of_execution()
    if role and not is_allowed(role, "states:StartExecution", machine_arn):
        raise stepfunctions._ExecutionError(
            "States.Runtime", f"{role} is not authorized to perform: states:StartExecution on resource: {machine_arn}"
        )


def _separate_children() -> None:
    """A child has no variable of its parent, its own start, and an end."""
    run_states = need(stepfunctions, "_run_sub_machine", "distributed Maps")

    def run_child(states: Any, start_at: str, given: Any, execution: dict[str, Any], context: dict[str, Any]) -> Any:
        if "mapRunArn" not in execution or context["Execution"]["Id"] == execution["executionArn"]:
            return run_states(states, start_at, given, execution, context)
        context |= {
            "variables": {},
            "Execution": {
                "Id": execution["executionArn"],
                "Input": given,
                "Name": execution["name"],
                "StartTime": execution["startDate"],
            },
        }
        is_express = context.pop("_children", "STANDARD") == "EXPRESS"
        seconds = float(os.environ.get("SFN_EXPRESS_SECONDS", _EXPRESS_SECONDS)) if is_express else math.inf
        return _until_ended(execution, seconds, lambda: run_states(states, start_at, given, execution, context))

    stepfunctions._run_sub_machine = run_child


def _until_ended(execution: dict[str, Any], seconds: float, work: Callable[[], Any]) -> Any:
    """The result of ``work``, or the end of a child that is stopped or too old. Its Lambdas end by themselves."""
    ended: dict[str, Any] = {}

    def run() -> None:
        try:
            ended["result"] = work()
        except Exception as error:  # noqa: BLE001 - raised again in the thread that waits
            ended["error"] = error

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True)
    thread.start()
    give_up_at = time.monotonic() + seconds
    while thread.is_alive() and execution["status"] == "RUNNING" and time.monotonic() < give_up_at:
        thread.join(_LOOK_SECONDS)
    if "error" in ended:
        raise ended["error"]
    if "result" not in ended:
        raise stepfunctions._ExecutionError("States.Timeout", "the child execution ended before its work was done")
    return ended["result"]


def _end_late_tasks() -> None:
    """A child that has ended begins no further task."""
    run_task = need(stepfunctions, "_execute_task", "distributed Maps")

    def run_task_in_time(state: Any, given: Any, execution: dict[str, Any], context: Any) -> Any:
        if "mapRunArn" in execution and execution["status"] != "RUNNING":
            raise stepfunctions._ExecutionError("States.Timeout", "its child execution has ended")
        return run_task(state, given, execution, context)

    stepfunctions._execute_task = run_task_in_time
