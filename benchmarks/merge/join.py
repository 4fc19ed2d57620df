"""Reading the shards, joining them and comparing with the last state, by one library: the step that chose NumPy.

``python -m benchmarks.merge.join FOLDER LIBRARY`` prints the figures as JSON.
"""

from __future__ import annotations

import gzip
import importlib
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.merge.runs import COUNT, run_at
from spotlake.models import DESIRED_COUNTS

# Packages that a Lambda layer would need for each library, in addition to those of our library.
PACKAGES = {
    "numpy": ("numpy", "numpy.libs", "msgspec"),
    "polars": ("polars", "_polars_runtime_32"),
    "duckdb": ("duckdb", "_duckdb.abi3.so"),
    "pandas": ("pandas", "numpy", "numpy.libs", "dateutil"),
}
_PLACE = DESIRED_COUNTS.index(COUNT)
_ON = ("region", "instance_type")
_PRICES = ("spot_price_usd_per_hour", "ondemand_price_usd_per_hour")
_COMPARED = ("spot", "ondemand", "frequency", "score")


def shards(folder: Path, dataset: str) -> list[Path]:
    """The files of a data set."""
    return sorted((folder / f"objects/rawdata/azure/{dataset}" / f"{run_at(1).slot_at:%Y/%m/%d/%H-%M}").iterdir())


def lines_of(folder: Path, dataset: str) -> bytes:
    """All rows of a data set as JSON lines, headers left out."""
    return b"".join(gzip.decompress(file.read_bytes()).partition(b"\n")[2] for file in shards(folder, dataset))


def numpy_changes(folder: Path) -> int:
    """Join as the merge does."""
    from benchmarks.merge.runs import load
    from spotlake.merge.evidence import Patience
    from spotlake.merge.fold import fold_slot
    from spotlake.merge.state import slot_number
    from spotlake.merge.table_changes import Changes, Writing
    from spotlake.merge.view import View
    from spotlake.state.merged_states import MergedStates
    from spotlake.usecases.merge.read_shards import read_slot

    objects, run = load(folder / "objects"), run_at(1)
    states = MergedStates(objects)
    state = states.load(states.head().table_key)
    before = View.of(state, 7).kept()
    read = read_slot(objects, run.slot_at, [run.attempt])
    fold_slot(state, read.columns, slot_number(run.slot_at), read.looks, Patience())
    return len(Changes(before, View.of(state, 7), Writing(run_id=run.run_id, version=2, ttl_days=7)))


def pandas_changes(folder: Path) -> int:
    """Join as ``careful_pandas`` does."""
    import numpy as np
    import pandas as pd

    from benchmarks.merge.careful_pandas import joined

    frame = joined(folder)
    with np.load(folder / "previous.npz") as flat:
        before = pd.DataFrame({name: flat[name] for name in ("region", "size", "zone", *_COMPARED[:3])})
        before["score"] = flat["score"][:, _PLACE]
    frame = frame.merge(before, on=["region", "size", "zone"], how="left", suffixes=("", "_before"))
    now, then = frame[list(_COMPARED)], frame[[f"{name}_before" for name in _COMPARED]]
    differs = now.to_numpy(float) != then.to_numpy(float)
    return int((differs & ~(now.isna().to_numpy() & then.isna().to_numpy())).any(axis=1).sum())


def polars_changes(folder: Path) -> int:
    """Join with lazy frames."""
    import numpy as np
    import polars as pl

    def read(dataset: str, **columns: Any) -> Any:
        return pl.read_ndjson(lines_of(folder, dataset), schema=dict.fromkeys(_ON, pl.String) | columns).lazy()

    scores = read("sps", zone=pl.String, score=pl.Int64)
    prices = read("spot_price", **dict.fromkeys(_PRICES, pl.Float64))
    rates = read("spot_if", interruption_frequency=pl.Float64)
    with np.load(folder / "previous.npz") as flat:
        names = ("region", "size", "zone", *_COMPARED[:3])
        before = pl.DataFrame({name: flat[name] for name in names} | {"score": flat["score"][:, _PLACE]})
    frame = (
        scores.join(prices, on=_ON, how="left")
        .join(rates, on=_ON, how="left")
        .rename(
            {"instance_type": "size", _PRICES[0]: "spot", _PRICES[1]: "ondemand", "interruption_frequency": "frequency"}
        )
    )
    frame = frame.join(before.lazy(), on=["region", "size", "zone"], how="left", suffix="_before")
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_before")) for name in _COMPARED)
    return int(frame.filter(differs).select(pl.len()).collect().item())


def duckdb_changes(folder: Path) -> int:
    """Join with SQL over the files."""
    import duckdb
    import numpy as np

    with np.load(folder / "previous.npz") as flat:
        names = ("region", "size", "zone", *_COMPARED[:3])
        before = {name: flat[name] for name in names} | {"score": flat["score"][:, _PLACE]}
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    connection.register("before", before)

    def read(dataset: str, columns: str) -> str:
        files = [str(file) for file in shards(folder, dataset)]
        return (
            f"read_json({files}, format = 'newline_delimited', columns = "
            f"{{region: 'VARCHAR', instance_type: 'VARCHAR', {columns}}})"
        )

    sql = f"""
        SELECT count(*) FROM {read("sps", "zone: 'VARCHAR', score: 'TINYINT'")} AS s
        LEFT JOIN {read("spot_price", f"{_PRICES[0]}: 'DOUBLE', {_PRICES[1]}: 'DOUBLE'")} AS p
            USING (region, instance_type)
        LEFT JOIN {read("spot_if", "interruption_frequency: 'FLOAT'")} AS r USING (region, instance_type)
        LEFT JOIN before AS b ON b.region = s.region AND b.size = s.instance_type AND b.zone = s.zone
        WHERE s.instance_type IS NOT NULL AND ({_PRICES[0]} IS DISTINCT FROM b.spot
            OR {_PRICES[1]} IS DISTINCT FROM b.ondemand OR s.score IS DISTINCT FROM b.score
            OR r.interruption_frequency IS DISTINCT FROM b.frequency)
    """  # noqa: S608 - file names of our own
    ((changed,),) = connection.execute(sql).fetchall()
    return int(changed)


CHANGES: dict[str, Callable[[Path], int]] = {
    "numpy": numpy_changes,
    "polars": polars_changes,
    "duckdb": duckdb_changes,
    "pandas": pandas_changes,
}


def unpacked_mb(library: str) -> float:
    """Disk space of the library's packages, without byte code."""
    site = Path(importlib.import_module("rich").__file__ or "").parents[1]
    files = (file for name in PACKAGES[library] for file in ((site / name), *(site / name).rglob("*")))
    return sum(file.stat().st_size for file in files if file.is_file() and file.suffix != ".pyc") / 2**20


def main() -> None:
    """Measure one library."""
    folder, library = Path(sys.argv[1]), sys.argv[2]
    began = time.process_time()
    for name in (library, "numpy"):
        importlib.import_module(name)
    imports = time.process_time() - began
    began = time.process_time()
    changed = CHANGES[library](folder)
    figures = {
        "changed": changed,
        "cpu_seconds": time.process_time() - began,
        "imports_cpu_seconds": imports,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "unpacked_mb": unpacked_mb(library),
    }
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    main()
