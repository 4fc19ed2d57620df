"""Measures one way to merge in its own process: CPU seconds, those of imports, and peak memory."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path


def measured(merge: Callable[[Path, Path], int], imports_cpu_seconds: float) -> None:
    """Merge the folder of the first argument into that of the second, and print the figures as JSON.

    Args:
        merge: Takes the folders of input and output; returns the number of changed items.
        imports_cpu_seconds: ``time.process_time()`` after the imports.
    """
    source, target = map(Path, sys.argv[1:3])
    changed = merge(source, target)
    figures = {
        "changed": changed,
        "cpu_seconds": time.process_time() - imports_cpu_seconds,
        "imports_cpu_seconds": imports_cpu_seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    sys.stdout.write(json.dumps(figures))
