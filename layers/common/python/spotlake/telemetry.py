"""Metrics and logs of every entry point: duration, peak memory, cold start, counts, one log line.

Powertools writes the metrics as EMF into the log: namespace ``SpotLake/AzureTest``, dimensions service and dataset. The
region is metadata and no dimension; otherwise every region would be a metric that costs money.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, cast

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from spotlake.errors import ConfigurationError
from spotlake.secrecy import scrub_error, scrubbed

NAMESPACE = "SpotLake/AzureTest"
_LIBRARY = "spotlake"
# Result field -> (metric, unit). A result holds these at its top or under "counts".
_METRICS: dict[str, tuple[str, MetricUnit]] = {
    "rows": ("Rows", MetricUnit.Count),
    "pages": ("Pages", MetricUnit.Count),
    "calls_sent": ("Calls", MetricUnit.Count),
    "requests": ("Requests", MetricUnit.Count),
    "throttles": ("Throttles", MetricUnit.Count),
    "retries": ("Retries", MetricUnit.Count),
    "invalid_rows": ("InvalidRows", MetricUnit.Count),
    "stale_regions": ("StaleRegions", MetricUnit.Count),
    "coverage_percent": ("CoveragePercent", MetricUnit.Percent),
    "changed_rows": ("ChangedRows", MetricUnit.Count),
    "overtaken_items": ("OvertakenItems", MetricUnit.Count),
    "invalid_items": ("InvalidItems", MetricUnit.Count),
    "consumed_write_units": ("WriteUnits", MetricUnit.Count),
    "quota_left": ("QuotaLeft", MetricUnit.Count),
    "secret_days_left": ("SecretDaysLeft", MetricUnit.Count),
    "score_age_median_minutes": ("ScoreAgeMedianMinutes", MetricUnit.Count),
    "score_age_p95_minutes": ("ScoreAgeP95Minutes", MetricUnit.Count),
    "oldest_score_age_minutes": ("OldestScoreAgeMinutes", MetricUnit.Count),
    "rows_difference_percent": ("RowsDifferencePercent", MetricUnit.Percent),
    "unconfirmed_percent": ("UnconfirmedPercent", MetricUnit.Percent),
    "new_unknown_kinds": ("NewUnknownKinds", MetricUnit.Count),
    "new_price_disagreements": ("NewPriceDisagreements", MetricUnit.Count),
    "witness_disagreement_percent": ("WitnessDisagreementPercent", MetricUnit.Percent),
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

    def publish(self, result: Json, *, measured: Mapping[str, float], region: str | None) -> None:
        """Write one EMF record: the measurements, and the numbers of ``result`` that have a metric."""
        # Ephemeral, because the usual Metrics share dimensions across the process and the job has several data sets.
        metrics = EphemeralMetrics(namespace=NAMESPACE, service=self.service)
        metrics.add_dimension(name="dataset", value=self.dataset)
        for name, value in measured.items():
            metrics.add_metric(name=name, unit=_unit_of(name), value=value)
        counts = result.get("counts")
        numbers = {**(counts if isinstance(counts, Mapping) else {}), **result}
        for field, (name, unit) in _METRICS.items():
            number = numbers.get(field)
            if isinstance(number, int | float) and not isinstance(number, bool):
                metrics.add_metric(name=name, unit=unit, value=number)
        if region:
            metrics.add_metadata(key="region", value=region)
        metrics.flush_metrics()


def _without_secrets(line: dict[str, object]) -> str:
    """One log line. Message, fields and traces are searched for secrets in their last form."""
    return scrubbed(json.dumps(line, default=str, separators=(",", ":"), ensure_ascii=False))


def _run_and_region(event: Json) -> tuple[str | None, str | None]:
    """The run's id and the region, where the event has them."""
    run, region = event.get("run"), event.get("region")
    run_id = run.get("run_id") if isinstance(run, Mapping) else None
    return run_id, region if isinstance(region, str) else None


def _measured(seconds: float, peak_mb: float, limit_mb: int, *, cold: bool) -> dict[str, float]:
    """The metrics of an invocation that ends now; an exception under way counts as a failure."""
    measured: dict[str, float] = {
        "DurationSeconds": round(seconds, 3),
        "PeakMemoryMb": round(peak_mb, 1),
        "PeakMemoryPercent": round(100 * peak_mb / limit_mb, 1),
        "ColdStart": int(cold),
        "Failures": int(sys.exception() is not None),
    }
    if isinstance(sys.exception(), ConfigurationError):  # SignInError is one; another is a lost AzureAuth
        measured["SignInFailures"] = 1
    return measured


def _unit_of(name: str) -> MetricUnit:
    if name.endswith("Seconds"):
        return MetricUnit.Seconds
    if name.endswith("Percent"):
        return MetricUnit.Percent
    return MetricUnit.Megabytes if name.endswith("Mb") else MetricUnit.Count


type Handler[Event: Json, Result: Json] = Callable[[Event, LambdaContext], Result]


def observed[Event: Json, Result: Json](
    service: str, dataset: str = "all"
) -> Callable[[Handler[Event, Result]], Handler[Event, Result]]:
    """Wrap a Lambda handler: write logs and metrics, and add the measurements to its result.

    The result gets ``began_at`` (ISO, UTC), ``seconds``, ``peak_memory_mb`` and ``memory_limit_mb``. An exception of
    the handler gets one log line with class, message and recovery, and is raised unchanged, because its class is the
    state machine's error name.
    """

    def wrap(handler: Handler[Event, Result]) -> Handler[Event, Result]:
        @functools.wraps(handler)
        def wrapped(event: Event, context: LambdaContext) -> Result:
            telemetry = Telemetry.of(service, dataset)
            run_id, region = _run_and_region(event)
            telemetry.logger.append_keys(
                run_id=run_id, region=region, dataset=dataset, request_id=context.aws_request_id
            )
            memory = PeakMemory()
            memory.start()
            began, began_at = time.monotonic(), datetime.now(UTC).isoformat(timespec="milliseconds")
            cold, _process["cold"] = _process["cold"], False
            limit_mb = int(context.memory_limit_in_mb)
            result: Json = {}
            try:
                result = handler(event, context)
            except Exception as error:
                scrub_error(error)
                telemetry.log_failure(error)
                raise
            finally:
                measured = _measured(time.monotonic() - began, memory.read_mb(), limit_mb, cold=cold)
                telemetry.publish(result, measured=measured, region=region)
            seconds, peak = measured["DurationSeconds"], measured["PeakMemoryMb"]
            telemetry.logger.info(f"{service} done", extra={"result": result, "seconds": seconds})
            measures = {"began_at": began_at, "seconds": seconds, "peak_memory_mb": peak, "memory_limit_mb": limit_mb}
            return cast("Result", {**result, **measures})

        return wrapped

    return wrap
