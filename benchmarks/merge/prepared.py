"""The folder that every way to merge starts from: shards, a state with all counts known, and the same for pandas."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.merge.deps import Counted, merge_deps
from benchmarks.merge.runs import run_at, store
from benchmarks.merge.world import FullWorld, with_history
from spotlake.merge.columns import ZONES
from spotlake.merge.state import MergedState
from spotlake.state.merged_states import MergedStates
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.merge.merge_run import merge_run
from spotlake_local.azure.world import World as AzureWorld


def prepare(folder: Path, share: float = 1.0, azure: AzureWorld | None = None, *, for_others: bool = True) -> None:
    """Fill ``folder``: the objects of the first run merged, and the shards of the second.

    Args:
        folder: Empty folder.
        share: Share of the regions; a smaller share makes a small world for tests.
        azure: Another catalogue than today's.
        for_others: Whether to write the state for other ways too; of a large world it takes gigabytes.
    """
    world, objects = FullWorld(share, azure), MemoryObjects()
    first = run_at(0)
    world.write_run(objects, first)
    deps = merge_deps(objects, Counted(), first)
    merge_run(first, [], deps)
    state = _state_with_history(objects)
    world.change()
    world.write_run(objects, run_at(1))
    store(objects, folder / "objects")
    if for_others:
        write_flat(state, folder / "previous.npz")


def _state_with_history(objects: MemoryObjects) -> MergedState:
    """The state as after two hours of rotation, in place of the one after a single run."""
    states = MergedStates(objects)
    (merged,) = states.head().runs
    state = states.load(merged.key)
    with_history(state.workloads["seen"], state.workloads["score"], state.workloads["score_began"])
    objects.put(merged.key, state.encode())
    return state


def write_flat(state: MergedState, file: Path) -> None:
    """The same state as one flat table with one row per workload, for ways without their own form."""
    pair, rows = state.pair, state.workloads
    texts = np.array(state.texts)
    of_pair = rows["pair"]
    columns = {
        "region": texts[pair["region"]][of_pair],
        "size": texts[pair["size"]][of_pair],
        "zone": np.array(ZONES)[rows["zone"]],
        "band": texts[pair["band"]][of_pair],
        **{name: pair[name][of_pair] for name in ("spot", "ondemand", "frequency")},
        **{name: rows[name] for name in ("seen", "score", "score_began")},
    }
    np.savez(file, allow_pickle=False, **columns)
