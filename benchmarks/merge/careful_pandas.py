"""The same merge with pandas as well as it can: whole columns, categories, keys as numbers."""

from __future__ import annotations

import gzip
import io
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd

from benchmarks.merge.measured import measured
from benchmarks.merge.runs import COUNT, run_at
from spotlake import keys
from spotlake.models import DESIRED_COUNTS
from spotlake.scores.thresholds import thresholds

IMPORTS_CPU_SECONDS = time.process_time()
COLUMNS = [
    "InstanceTier", "InstanceType", "Region", "OndemandPrice", "SpotPrice", "Savings", "IF", "DesiredCount",
    "AvailabilityZone", "Score", "Time", "T2", "T3",
]  # fmt: skip
COMPARED = ["spot", "ondemand", "frequency", "score", "T2", "T3"]


def read(source: Path, dataset: str, columns: list[str]) -> pd.DataFrame:
    """Some columns of a data set, names as categories."""
    folder = source / "objects" / f"rawdata/azure/{dataset}" / f"{run_at(1).slot_at:%Y/%m/%d/%H-%M}"
    found: dict[str, list[Any]] = {name: [] for name in columns}
    for file in sorted(folder.iterdir()):
        _, *lines = gzip.decompress(file.read_bytes()).splitlines()
        rows = [orjson.loads(line) for line in lines]
        for name, values in found.items():
            values.extend([row[name] for row in rows])
    return pd.DataFrame(found)


def joined(source: Path) -> pd.DataFrame:
    """One row per workload: names and values of this run."""
    on = ["region", "instance_type"]
    scores = read(source, "sps", [*on, "zone", "score"])
    prices = read(source, "spot_price", [*on, "region_name", "spot_price_usd_per_hour", "ondemand_price_usd_per_hour"])
    rates = read(source, "spot_if", [*on, "interruption_frequency"])
    frame = scores.merge(prices, on=on, how="left").merge(rates, on=on, how="left")
    names = {
        "instance_type": "size",
        "spot_price_usd_per_hour": "spot",
        "ondemand_price_usd_per_hour": "ondemand",
        "interruption_frequency": "frequency",
    }
    return frame.rename(columns=names)


def merge(source: Path, target: Path) -> int:
    """Merge the second run."""
    slot_at = run_at(1).slot_at
    place = DESIRED_COUNTS.index(COUNT)
    frame = joined(source)
    with np.load(source / "previous.npz") as flat:
        names = ("region", "size", "zone", "spot", "ondemand", "frequency")
        before = pd.DataFrame({name: flat[name] for name in names})
        seen, score = flat["seen"], flat["score"]
    before["score"] = score[:, place]
    before["T2"], before["T3"] = thresholds(seen, 2), thresholds(seen, 3)
    before["number"] = np.arange(len(before))
    frame = frame.merge(before, on=["region", "size", "zone"], how="left", suffixes=("", "_before"))
    numbers = frame["number"].to_numpy()
    seen[numbers, place, frame["score"].to_numpy() - 1] = int(slot_at.timestamp()) // 600
    frame = frame.rename(columns={"T2": "T2_before", "T3": "T3_before"})
    frame["T2"], frame["T3"] = thresholds(seen, 2)[numbers], thresholds(seen, 3)[numbers]
    now, then = frame[COMPARED], frame[[f"{name}_before" for name in COMPARED]]
    differs = now.to_numpy(float) != then.to_numpy(float)
    changed = frame[(differs & ~(now.isna().to_numpy() & then.isna().to_numpy())).any(axis=1)]
    records = changed.to_dict("records")
    write(frame, score[numbers, 0], target, slot_at)
    return len(records)


def write(frame: pd.DataFrame, firsts: Any, target: Path, slot_at: datetime) -> None:
    """The files that readers know."""
    snapshot, latest, selector = (target / one for one in (keys.snapshot(slot_at), keys.LATEST, keys.QUERY_SELECTOR))
    for file in (snapshot, latest, selector):
        file.parent.mkdir(parents=True, exist_ok=True)
    split = frame["size"].str.split("_", n=1, expand=True)
    shown = pd.DataFrame(
        {
            "InstanceTier": split[0],
            "InstanceType": split[1],
            "Region": frame["region_name"],
            "OndemandPrice": frame["ondemand"].fillna(-1),
            "SpotPrice": frame["spot"].fillna(-1),
            "Savings": ((frame["ondemand"] - frame["spot"]) / frame["ondemand"] * 100).round(2).fillna(-1),
            "IF": frame["frequency"].fillna(-1),
            "DesiredCount": COUNT,
            "AvailabilityZone": frame["zone"],
            "Score": frame["score"].fillna(-1),
            "Time": f"{slot_at:%Y-%m-%d %H:%M:%S}",
            "T2": frame["T2"],
            "T3": frame["T3"],
        }
    )
    text = io.StringIO()
    shown.to_csv(text, index=False)
    snapshot.write_bytes(gzip.compress(text.getvalue().encode(), 6))
    shown["Score"], shown["DesiredCount"] = firsts, 1
    shown.insert(0, "id", np.arange(1, len(shown) + 1))
    plain = shown.to_json(orient="records").encode()
    latest.write_bytes(plain)
    latest.with_name(latest.name + ".gz").write_bytes(gzip.compress(plain, 6))
    chosen = shown[["InstanceTier", "InstanceType", "Region"]].drop_duplicates()
    selector.write_text(chosen.to_json(orient="records"))


if __name__ == "__main__":
    measured(merge, IMPORTS_CPU_SECONDS)
