"""The document ``sweep.json.gz``: when each block was last answered at each desired count."""

from __future__ import annotations

from collections.abc import Callable

from spotlake import keys
from spotlake.planning.sweep import Sweep
from spotlake.state.kinds import Memory
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects

SWEEP = Memory(key=keys.SWEEP, schema=1, parse=Sweep.from_dict, dump=Sweep.to_dict, empty=Sweep)


def read_sweep(objects: ReadOnlyObjects) -> Sweep:
    """The sweep; a fresh one before the first run."""
    return SWEEP.read(objects)


def change_sweep(objects: ObjectStore, change: Callable[[Sweep], Sweep]) -> None:
    """Replace the sweep by a changed one."""
    SWEEP.change(objects, change)
