"""The document ``sweep.json.gz``: when each block was last answered at each desired count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spotlake import keys
from spotlake.planning.sweep import Sweep, SweepJson
from spotlake.stores.documents import change_json, read_json
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects

SCHEMA = 1


def read_sweep(objects: ReadOnlyObjects) -> Sweep:
    """The sweep; a fresh one before the first run."""
    content, _ = read_json(objects, keys.SWEEP, schema=SCHEMA)
    return Sweep.from_dict(content) if content else Sweep()


def change_sweep(objects: ObjectStore, change: Callable[[Sweep], Sweep]) -> None:
    """Replace the sweep by a changed one; no other writer's change is lost."""

    def changed(content: Any) -> SweepJson | None:
        before = Sweep.from_dict(content) if content else Sweep()
        after = change(before)
        return None if after == before else after.to_dict()

    change_json(objects, keys.SWEEP, changed, schema=SCHEMA)
