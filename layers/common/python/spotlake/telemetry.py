"""What every entry point says of itself: duration, peak memory, cold start, counts, one log line.

Powertools writes the metrics as EMF into the log (namespace ``SpotLake/AzureTest``, dimensions service
and dataset; the region is metadata, not a dimension, or every region would be a metric to pay for).
"""

from __future__ import annotations

import functools
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, cast

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from spotlake.errors import SignInError

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
    "consumed_write_units": ("WriteUnits", MetricUnit.Count),
    "quota_left": ("QuotaLeft", MetricUnit.Count),
    "score_age_median_minutes": ("ScoreAgeMedianMinutes", MetricUnit.Count),
    "score_age_p95_minutes": ("ScoreAgeP95Minutes", MetricUnit.Count),
    "oldest_score_age_minutes": ("OldestScoreAgeMinutes", MetricUnit.Count),
    "rows_difference_percent": ("RowsDifferencePercent", MetricUnit.Percent),
    "unconfirmed_percent": ("UnconfirmedPercent", MetricUnit.Percent),
    "new_unknown_kinds": ("NewUnknownKinds", MetricUnit.Count),
    "new_price_disagreements": ("NewPriceDisagreements", MetricUnit.Count),
    "witness_disagreement_percent": ("WitnessDisagreementPercent", MetricUnit.Percent),
}
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
        """Begin anew; where the kernel refuses, the peak of the whole process is reported."""
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
    """Logger and metrics of one service; made at its first use, then kept."""

    service: str
    dataset: str
    logger: Logger

    @classmethod
    @functools.cache
    def of(cls, service: str, dataset: str) -> Telemetry:
        """The telemetry of a service ("sps") and data set ("sps", or "all")."""
        logger = Logger(service=service, level=os.environ.get("LOG_LEVEL", "INFO"))
        logging.getLogger(_LIBRARY)  # registered, so that its lines have the same form, keys and level
        copy_config_to_registered_loggers(source_logger=logger, include={_LIBRARY})
        return cls(service, dataset, logger)

    def publish(self, result: Mapping[str, Any], *, measured: Mapping[str, float], region: str | None) -> None:
        """Write one EMF record: what was measured, and the numbers of ``result`` that have a metric."""
        # Ephemeral: the usual Metrics share their dimensions over the process, and the job has several data sets.
        metrics = EphemeralMetrics(namespace=NAMESPACE, service=self.service)
        metrics.add_dimension(name="dataset", value=self.dataset)
        for name, value in measured.items():
            metrics.add_metric(name=name, unit=_unit_of(name), value=value)
        numbers = {**result.get("counts", {}), **result}
        for field, (name, unit) in _METRICS.items():
            number = numbers.get(field)
            if isinstance(number, int | float) and not isinstance(number, bool):
                metrics.add_metric(name=name, unit=unit, value=number)
        if region:
            metrics.add_metadata(key="region", value=region)
        metrics.flush_metrics()


def _unit_of(name: str) -> MetricUnit:
    if name.endswith("Seconds"):
        return MetricUnit.Seconds
    if name.endswith("Percent"):
        return MetricUnit.Percent
    return MetricUnit.Megabytes if name.endswith("Mb") else MetricUnit.Count


type Handler[Event: Mapping[str, Any], Result: Mapping[str, Any]] = Callable[[Event, LambdaContext], Result]


def observed[Event: Mapping[str, Any], Result: Mapping[str, Any]](
    service: str, dataset: str = "all"
) -> Callable[[Handler[Event, Result]], Handler[Event, Result]]:
    """Wrap a Lambda handler: logs and metrics around it, and what was measured in its result.

    The result gets ``began_at`` (ISO, UTC), ``seconds``, ``peak_memory_mb`` and ``memory_limit_mb``. The
    handler's exception goes on unchanged (its class is the state machine's error name) after one log line with
    its class, message and recovery.
    """

    def wrap(handler: Handler[Event, Result]) -> Handler[Event, Result]:
        @functools.wraps(handler)
        def wrapped(event: Event, context: LambdaContext) -> Result:
            telemetry = Telemetry.of(service, dataset)
            region = event.get("region")
            run = event.get("run") or {}
            telemetry.logger.append_keys(
                run_id=run.get("run_id"), region=region, dataset=dataset, request_id=context.aws_request_id
            )
            memory = PeakMemory()
            memory.start()
            began, began_at = time.monotonic(), datetime.now(UTC).isoformat(timespec="milliseconds")
            cold, _process["cold"] = _process["cold"], False
            result: Mapping[str, Any] = {}
            try:
                result = handler(event, context)
            except Exception as error:
                recovery = getattr(error, "recovery", None)
                said = recovery.value if recovery is not None else "a fault of this program: see the trace"
                telemetry.logger.exception(type(error).__name__, extra={"recovery": said})  # the trace says the rest
                raise
            finally:
                peak_mb = memory.read_mb()
                measured: dict[str, float] = {
                    "DurationSeconds": round(time.monotonic() - began, 3),
                    "PeakMemoryMb": round(peak_mb, 1),
                    "PeakMemoryPercent": round(100 * peak_mb / int(context.memory_limit_in_mb), 1),
                    "ColdStart": int(cold),
                    "Failures": int(sys.exception() is not None),
                }
                if isinstance(sys.exception(), SignInError):
                    measured["SignInFailures"] = 1
                telemetry.publish(result, measured=measured, region=region)
            seconds, peak = measured["DurationSeconds"], measured["PeakMemoryMb"]
            limit_mb = int(context.memory_limit_in_mb)
            telemetry.logger.info(f"{service} done", extra={"result": result, "seconds": seconds})
            measures = {"began_at": began_at, "seconds": seconds, "peak_memory_mb": peak, "memory_limit_mb": limit_mb}
            return cast("Result", {**result, **measures})

        return wrapped

    return wrap
