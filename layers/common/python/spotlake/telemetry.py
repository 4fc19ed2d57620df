"""Metrics and logs of every entry point: one line an invocation, with duration, peak memory and the result.

Powertools writes the metrics as EMF into the log: namespace ``SpotLake/AzureTest``, dimension service (the function).
CloudWatch charges for each metric and function in each hour in which it is sent (0.30 dollars a month, CloudWatch
pricing, read 2026-11). So duration and memory are metrics of every function, and eight numbers of a run are metrics of
Merge and Plan. All else stands in the same line as a property, where Logs Insights finds it, and in ``execution.json``.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, cast

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from spotlake.costs.counting import added, counted
from spotlake.errors import ConfigurationError
from spotlake.secrecy import scrub_error, scrubbed

NAMESPACE = "SpotLake/AzureTest"
ANY_FUNCTION = "any"  # the service of problems, so that one metric and one alarm see every function
MEMORY_PERCENT = 85  # of the memory that a function has
DURATION_PERCENT = 80  # of its time-out
SIGN_IN, NEAR_MEMORY_LIMIT, NEAR_TIMEOUT = "SignInProblems", "NearMemoryLimit", "NearTimeout"
_LIBRARY = "spotlake"
# Field of a result -> its metric. Merge and Plan have them, once a run.
_METRICS = {
    "merge": {
        "coverage_percent": "CoveragePercent",
        "rows_difference_percent": "RowsDifferencePercent",
        "oldest_score_age_minutes": "OldestScoreAgeMinutes",
        "stale_regions": "StaleRegions",
        "items_left": "ItemsLeft",
        "data_findings": "DataFindings",
        "new_findings": "NewFindings",
    },
    "plan": {"quota_left": "QuotaLeft"},
}
type Json = Mapping[str, object]
_process = {"cold": True}


class LambdaContext(Protocol):
    """The parts of the Lambda context that are used."""

    @property
    def aws_request_id(self) -> str:
        """Names the invocation."""
        ...

    @property
    def memory_limit_in_mb(self) -> int | str:
        """The configured size."""
        ...

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the time-out."""
        ...


class PeakMemory:
    """The largest resident memory since ``start``, in MB, as the kernel counts it (VmHWM)."""

    def start(self) -> None:
        """Reset the peak. If the kernel refuses, the peak of the whole process counts."""
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # 5 = reset the peak, proc(5)
        except OSError:
            return

    def read_mb(self) -> float:
        """MB (2**20 bytes) at the peak; 0.0 where there is no /proc."""
        return _status_mb("VmHWM")


def resident_mb() -> float:
    """Resident memory now, in MB (2**20 bytes); 0.0 where there is no /proc."""
    return _status_mb("VmRSS")


def _status_mb(name: str) -> float:
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


@dataclass(frozen=True)
class Telemetry:
    """Logger and metrics of one service. They are made at first use, then kept."""

    service: str
    dataset: str
    logger: Logger

    @classmethod
    @functools.cache
    def of(cls, service: str, dataset: str) -> Telemetry:
        """The telemetry of a service ("sps") and data set ("sps", or "all")."""
        logger = Logger(service=service, level=os.environ.get("LOG_LEVEL", "INFO"), json_serializer=_without_secrets)
        logging.getLogger(_LIBRARY)  # registered, so that its lines get the same form
        copy_config_to_registered_loggers(source_logger=logger, include={_LIBRARY})
        return cls(service, dataset, logger)

    def log_failure(self, error: Exception) -> None:
        """Write one log line with the error's class, trace and recovery."""
        recovery = getattr(error, "recovery", None)
        text = recovery.value if recovery is not None else "a fault of this program: see the trace"
        self.logger.exception(type(error).__name__, extra={"recovery": text})

    def publish(self, result: Json, *, measured: Mapping[str, float], **properties: object) -> None:
        """Write one EMF record: the measurements, and the numbers of ``result`` that are metrics of this service.

        Args:
            result: What the invocation returns; the whole of it is a property of the line.
            measured: Metric -> value; ``DurationSeconds`` and ``PeakMemoryMb``.
            properties: More properties of the line.
        """
        metrics = dict(measured) if _is_hour_of_metrics() else {}
        properties |= {name: value for name, value in measured.items() if name not in metrics}
        for field, name in _METRICS.get(self.service, {}).items():
            number = result.get(field)
            if isinstance(number, int | float) and not isinstance(number, bool):
                metrics[name] = number
        self._write(self.service, metrics, {**properties, "dataset": self.dataset, "result": result})

    def tell(self, problem: str, **properties: object) -> None:
        """Write a record of a problem, which an alarm looks at: the metric ``problem`` of any function, 1.

        The metric is sent only when there is something to tell, so it costs nothing while all is well.
        """
        told = {"message": f"{self.service}: {problem}", "function": self.service, "dataset": self.dataset}
        self._write(ANY_FUNCTION, {problem: 1}, {**told, **properties})

    def _write(self, service: str, measured: Mapping[str, float], properties: Json) -> None:
        # Ephemeral, because the usual Metrics share dimensions across the process and the job has several data sets.
        if not measured:
            self._print({"service": service, **properties})
            return
        metrics = EphemeralMetrics(namespace=NAMESPACE, service=service)
        for name, number in measured.items():
            metrics.add_metric(name=name, unit=_unit_of(name), value=number)
        for key, value in properties.items():
            if value is not None:
                metrics.add_metadata(key=key, value=value)
        self._print(metrics.serialize_metric_set())

    @staticmethod
    def _print(line: Mapping[str, object]) -> None:
        # One write, because the timer below may write beside a handler.
        sys.stdout.write(_without_secrets({**line, "level": "INFO"}) + "\n")
        sys.stdout.flush()


class _TimeoutWatch:
    """Tells once that an invocation has used most of its time-out, while it works. A killed function tells nothing."""

    def __init__(self, telemetry: Telemetry, context: LambdaContext, properties: Json) -> None:
        """Start to watch."""
        seconds = context.get_remaining_time_in_millis() / 1000

        def tell() -> None:
            telemetry.tell(NEAR_TIMEOUT, time_out_seconds=round(seconds), **properties)

        self._timer = threading.Timer(seconds * DURATION_PERCENT / 100, tell)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """Stop watching: the invocation has ended."""
        self._timer.cancel()


def _without_secrets(line: dict[str, object]) -> str:
    """One log line. Message, fields and traces are searched for secrets in their last form."""
    return scrubbed(json.dumps(line, default=str, separators=(",", ":"), ensure_ascii=False))


def _run_and_region(event: Json) -> tuple[str | None, str | None]:
    """The run's id and the region, where the event has them."""
    run, region = event.get("run"), event.get("region")
    run_id = run.get("run_id") if isinstance(run, Mapping) else None
    return run_id, region if isinstance(region, str) else None


def _process_age_seconds() -> float | None:
    """Seconds since the kernel started this process (proc(5), field 22), to 10 ms; None where there is no /proc."""
    try:
        after_name = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        started = int(after_name[19]) / os.sysconf("SC_CLK_TCK")
        return round(time.clock_gettime(time.CLOCK_BOOTTIME) - started, 3)
    except (OSError, AttributeError):
        return None


def _is_hour_of_metrics() -> bool:
    """Whether memory and duration are metrics in this hour (``Settings.function_metrics_every_hours``)."""
    every = int(os.environ.get("SPOTLAKE_FUNCTION_METRICS_EVERY_HOURS", "1"))
    return int(time.time()) // 3600 % every == 0


def _unit_of(name: str) -> MetricUnit:
    for ending, unit in (
        ("Seconds", MetricUnit.Seconds),
        ("Percent", MetricUnit.Percent),
        ("Mb", MetricUnit.Megabytes),
    ):
        if name.endswith(ending):
            return unit
    return MetricUnit.Count


type Handler[Event: Json, Result: Json] = Callable[[Event, LambdaContext], Result]


def observed[Event: Json, Result: Json](
    service: str, dataset: str = "all"
) -> Callable[[Handler[Event, Result]], Handler[Event, Result]]:
    """Wrap a Lambda handler: write logs and metrics, and add the measurements to its result.

    The result gets ``began_at`` (ISO, UTC), ``seconds``, ``peak_memory_mb``, ``memory_limit_mb`` and ``aws_requests``,
    and of a new process ``init_seconds``: from its start until its handler was imported. An exception of the handler
    gets one log line with class, message and recovery, and is raised unchanged, because its class is the state
    machine's error name.
    """

    def wrap(handler: Handler[Event, Result]) -> Handler[Event, Result]:
        init_seconds = _process_age_seconds()

        @functools.wraps(handler)
        def wrapped(event: Event, context: LambdaContext) -> Result:
            telemetry = Telemetry.of(service, dataset)
            run_id, region = _run_and_region(event)
            names = {"run_id": run_id, "region": region, "request_id": context.aws_request_id}
            telemetry.logger.append_keys(**names, dataset=dataset)
            memory, sent_before = PeakMemory(), counted()
            memory.start()
            began, began_at = time.monotonic(), datetime.now(UTC).isoformat(timespec="milliseconds")
            cold, _process["cold"] = _process["cold"], False
            measures: dict[str, object] = {"began_at": began_at, "memory_limit_mb": int(context.memory_limit_in_mb)}
            if cold and init_seconds is not None:
                measures["init_seconds"] = init_seconds
            watch = _TimeoutWatch(telemetry, context, names)
            result: Json = {}
            try:
                result = handler(event, context)
            except Exception as error:
                scrub_error(error)
                telemetry.log_failure(error)
                raise
            finally:
                watch.stop()
                measures |= {
                    "seconds": round(time.monotonic() - began, 3),
                    "peak_memory_mb": round(memory.read_mb(), 1),
                    "aws_requests": added(counted(), sent_before, -1),
                }
                _publish(telemetry, result, measures, {**names, "cold": cold})
            return cast("Result", {**result, **measures})

        return wrapped

    return wrap


def _publish(telemetry: Telemetry, result: Json, measures: Mapping[str, Any], names: Json) -> None:
    """Write the line of an invocation that ends now, and a record for each problem of it.

    An exception under way counts as a failure.
    """
    error = sys.exception()
    measured = {"DurationSeconds": measures["seconds"], "PeakMemoryMb": measures["peak_memory_mb"]}
    rest = {name: value for name, value in measures.items() if name not in ("seconds", "peak_memory_mb")}
    message = f"{telemetry.service} {'failed' if error else 'done'}"
    telemetry.publish(
        result, measured=measured, message=message, **names, **rest, error=type(error).__name__ if error else None
    )
    if isinstance(error, ConfigurationError):  # SignInError is one; another is a lost AzureAuth
        telemetry.tell(SIGN_IN, **names, error=type(error).__name__)
    if result.get("secret_ends_soon"):
        telemetry.tell(SIGN_IN, **names, secret_days_left=result.get("secret_days_left"))
    if 100 * measures["peak_memory_mb"] >= MEMORY_PERCENT * measures["memory_limit_mb"]:
        telemetry.tell(NEAR_MEMORY_LIMIT, **names, **measures)
