"""The document ``sweep.json.gz``: when each block was last answered at each desired count."""

from __future__ import annotations

from spotlake import keys
from spotlake.planning.sweep import Sweep
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects, read_json, write_json

SWEEP_SCHEMA = 1


def read_sweep(objects: ReadOnlyObjects) -> Sweep:
    """The sweep; a fresh one before the first run."""
    content, _ = read_json(objects, keys.SWEEP, schema=SWEEP_SCHEMA)
    return Sweep.from_dict(content) if content else Sweep()


def write_sweep(objects: ObjectStore, sweep: Sweep) -> None:
    """Keep the sweep (one writer: the execution with the claim)."""
    write_json(objects, keys.SWEEP, sweep.to_dict(), schema=SWEEP_SCHEMA)
