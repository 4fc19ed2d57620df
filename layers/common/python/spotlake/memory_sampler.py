"""Measures the Batch job: resident memory every ten seconds, and the machine's type."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping

import requests

from spotlake.clock import Clock
from spotlake.models import to_iso
from spotlake.run_files import MemorySample
from spotlake.telemetry import PeakMemory, resident_mb

SAMPLE_SECONDS = 10.0
_IMDS = "http://169.254.169.254/latest"
_IMDS_TIMEOUT_SECONDS = 1.0


class MemorySampler:
    """Samples this process's resident memory in a thread, from ``start`` to ``stop``."""

    def __init__(self, clock: Clock, *, service: str, every_seconds: float = SAMPLE_SECONDS) -> None:
        """Prepare the thread; sampling begins with ``start``."""
        self._clock, self._service, self._every_seconds = clock, service, every_seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory-sampler", daemon=True)
        self.samples: list[MemorySample] = []

    def start(self) -> None:
        """Take the first sample and continue in the thread."""
        self._thread.start()

    def stop(self) -> list[MemorySample]:
        """Take the last sample and the kernel's peak, and return all samples."""
        self._stopped.set()
        self._thread.join()
        self._keep("sample", resident_mb())
        self._keep("peak", PeakMemory().read_mb())
        return self.samples

    def _run(self) -> None:
        self._keep("sample", resident_mb())
        while not self._stopped.wait(self._every_seconds):
            self._keep("sample", resident_mb())

    def _keep(self, kind: str, memory_mb: float) -> None:
        self.samples.append(
            {
                "Timestamp": to_iso(self._clock.now()),
                "Service": self._service,
                "PID": os.getpid(),
                "Memory_MB": round(memory_mb, 1),
                "Kind": kind,
                "Region": "",
            }
        )


def instance_type(environment: Mapping[str, str]) -> str | None:
    """The EC2 instance type by IMDSv2 (AWS manual, 2026-11); None where there is none, as on local runs."""
    if "ECS_CONTAINER_METADATA_URI_V4" not in environment:
        return None
    try:
        token = requests.put(
            f"{_IMDS}/api/token",
            headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"},
            timeout=_IMDS_TIMEOUT_SECONDS,
        )
        token.raise_for_status()
        found = requests.get(
            f"{_IMDS}/meta-data/instance-type",
            headers={"X-aws-ec2-metadata-token": token.text},
            timeout=_IMDS_TIMEOUT_SECONDS,
        )
        found.raise_for_status()
    except requests.RequestException:
        return None
    return found.text
