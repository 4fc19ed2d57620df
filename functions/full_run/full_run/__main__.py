"""Runs the job, writes its record, and ends with an exit code that says what to do."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from datetime import timedelta

from spotlake import wiring
from spotlake.clock import Deadline
from spotlake.costs.counting import added, counted
from spotlake.costs.run_cost import NO_REQUESTS
from spotlake.errors import DeadlineError, InvalidInputError, ReclaimedError, SpotlakeError
from spotlake.memory_sampler import MemorySampler, instance_type
from spotlake.models import Run, slot_of_run_id
from spotlake.names import printable
from spotlake.reports import CollectorReport
from spotlake.run_files import ExecutionEntry, JobRecord, MemorySample
from spotlake.secrecy import scrub_error, scrubbed
from spotlake.state.checkpoints import read_job_record, write_job_record
from spotlake.telemetry import Telemetry
from spotlake.usecases.full_run.exit_codes import BUG, DONE, cause_of_exit, exit_code_of
from spotlake.usecases.full_run.run_full import run_full
from spotlake.usecases.report.report_run import SERVICES
from spotlake.wiring_full_run import full_run_deps

_SERVICE = "full_run"
_DEFAULT_SECONDS = 3600.0  # used when the job definition does not limit an attempt
_NOTHING_BEFORE = JobRecord(attempts=0, seconds=0.0, instance_type=None, collectors=[], memory=[])


def main(arguments: list[str] | None = None) -> int:
    """Run the job. functions/full_run/README.md explains the exit codes."""
    parser = argparse.ArgumentParser(prog="python -m full_run", description="Collect everything of one run.")
    parser.add_argument("--run", required=True, metavar="JSON", help="the Run, as Plan returned it")
    parsed = parser.parse_args(arguments)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    telemetry = Telemetry.of(_SERVICE, "all")
    try:
        run = _read_run(parsed.run)
        telemetry.logger.append_keys(run_id=run.run_id)
        _Job(run, stopping, telemetry).work()
    except Exception as error:  # every end has an exit code and one line
        code = exit_code_of(error)
        scrub_error(error)
        telemetry.logger.exception(type(error).__name__)
        sys.stderr.write(f"{type(error).__name__}: {_said(error)} ({cause_of_exit(code)[1]})\n")
        return code if isinstance(error, SpotlakeError) else BUG
    return DONE


def _said(error: Exception) -> str:
    """The error's own sentence in one printable line: CloudWatch would read a line of others as metrics of ours.

    For an unexpected error only its class name, because its text may hold a secret.
    """
    said = str(error) if isinstance(error, SpotlakeError) else type(error).__name__
    return printable(scrubbed(said))


def _read_run(text: str) -> Run:
    try:
        run = Run.from_dict(json.loads(text))
        slot_of_run_id(run.run_id)
    except (ValueError, KeyError, TypeError):
        raise InvalidInputError("--run", text, "the JSON of a planned run") from None
    return run


class _Job:
    def __init__(self, run: Run, stopping: threading.Event, telemetry: Telemetry) -> None:
        self.run, self.stopping, self.telemetry = run, stopping, telemetry
        self.services = wiring.services()
        self.reports: list[ExecutionEntry] = []
        self.counts: Counter[str] = Counter()

    def work(self) -> None:
        """Collect, and sample memory meanwhile. The record is written in any case."""
        sampler = MemorySampler(self.services.wall, service=_SERVICE)
        sampler.start()
        began = time.monotonic()
        limit = Deadline.after(float(os.environ.get("FULL_RUN_SECONDS", _DEFAULT_SECONDS)))
        # After SIGTERM no time is left, so collectors end at their next request.
        deadline = Deadline(lambda: 0.0 if self.stopping.is_set() else limit.seconds_left())
        try:
            run_full(self.run, full_run_deps(self.services, self.run, deadline, self.stopping.is_set, self._log_report))
        except Exception as error:
            with contextlib.suppress(SpotlakeError):  # the first error is the one to report
                self._write_record(round(time.monotonic() - began, 3), sampler.stop(), error)
            if isinstance(error, DeadlineError) and self.stopping.is_set():
                raise ReclaimedError(f"the machine is taken away; {error}") from error
            raise
        self._write_record(round(time.monotonic() - began, 3), sampler.stop())

    def _log_report(self, report: CollectorReport) -> None:
        """Log one line per region and data set."""
        entry: ExecutionEntry = {
            "service": SERVICES[report.dataset.value],
            "region": report.region,
            "status": report.status,
            "rows": report.rows,
            # Logged when it ends.
            "began_at": (self.services.wall.now() - timedelta(seconds=report.seconds)).isoformat("T", "milliseconds"),
            "seconds": report.seconds,
            "peak_memory_mb": None,
            "error": report.error,
        }
        self.reports.append(entry)
        self.counts.update(report.counts)
        self.telemetry.logger.info(f"{report.dataset.value} of {report.region}: {report.status}", extra=dict(entry))

    def _write_record(self, seconds: float, samples: list[MemorySample], error: Exception | None = None) -> None:
        """Write the record of this start, added to the starts before. Error and cause are those of this start."""
        before = read_job_record(self.services.objects, self.run) or _NOTHING_BEFORE
        attempts = int(os.environ.get("AWS_BATCH_JOB_ATTEMPT", "1"))
        content: JobRecord = {
            "attempts": attempts,
            "seconds": round(before["seconds"] + seconds, 3),
            "instance_type": instance_type(os.environ),
            "collectors": [*before["collectors"], *self.reports],
            "memory": [*before["memory"], *samples],
            "error": type(error).__name__ if error else None,
            "cause": _said(error) if error else None,
            "aws_requests": added(before.get("aws_requests", NO_REQUESTS), counted()),
        }
        write_job_record(self.services.objects, self.run, content)
        peak_mb = max(sample["Memory_MB"] for sample in samples)
        measured = {"DurationSeconds": seconds, "PeakMemoryMb": peak_mb}
        rows = sum(report["rows"] or 0 for report in self.reports)
        result = {"attempts": attempts, "rows": rows, "counts": self.counts}
        message = f"{_SERVICE} {'failed' if error else 'done'}"
        self.telemetry.publish(result, measured=measured, message=message, run_id=self.run.run_id)


if __name__ == "__main__":
    sys.exit(main())
