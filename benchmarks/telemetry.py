"""Measures what ``observed`` adds to an invocation: ``python -m benchmarks.telemetry``.

The same handler, bare and wrapped, turn by turn in one process; CPU time of each invocation, and the memory that
importing, the first record and a thousand more leave behind. Exit code 1 above 5 ms or 5 MB.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_ROUNDS = 1_000
_MOST_MS, _MOST_MB = 5.0, 5.0
_EVENT = {"run": {"run_id": "20251215T1000Z"}, "region": "koreacentral"}
# As large as a collector's report gets.
_RESULT = {"rows": 2_600, "status": "complete", "counts": {f"calls_of_kind_{number}": number for number in range(40)}}


class _Context:
    aws_request_id = "00000000-0000-0000-0000-000000000000"
    memory_limit_in_mb = 256

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def _bare(event: dict[str, Any], context: Any) -> dict[str, Any]:
    del event, context
    return dict(_RESULT)


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _cpu_ms(handler: Callable[[dict[str, Any], Any], dict[str, Any]]) -> float:
    began = time.process_time()
    handler(dict(_EVENT), _Context())
    return 1000 * (time.process_time() - began)


def main() -> int:
    """Measure and print; the records go nowhere."""
    imported = _measured_import()
    from spotlake.telemetry import observed

    wrapped = observed("price", "spot_price")(_bare)
    before = _resident_mb()
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        first = _cpu_ms(wrapped)
        turns = [(_cpu_ms(_bare), _cpu_ms(wrapped)) for _ in range(_ROUNDS)]
    kept = _resident_mb() - before
    added = statistics.median(with_it - without for without, with_it in turns)
    print(f"importing Powertools and telemetry, once a cold start: {imported[0]:.0f} ms, {imported[1]:.1f} MB")
    print(f"first invocation: {first:.2f} ms; later ones: {added:.2f} ms more than bare (median of {_ROUNDS:,})")
    print(f"resident memory after {_ROUNDS + 1:,} invocations: {kept:.2f} MB more")
    return int(max(first, added) > _MOST_MS or kept > _MOST_MB)


def _measured_import() -> tuple[float, float]:
    """CPU milliseconds and MB of the import, which every function pays for once."""
    began, before = time.process_time(), _resident_mb()
    import spotlake.telemetry  # noqa: F401 - for its cost

    return 1000 * (time.process_time() - began), _resident_mb() - before


if __name__ == "__main__":
    sys.exit(main())
