"""The same merge with pandas as it is often written: strings joined per row, records built row by row."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.merge.measured import measured
from benchmarks.merge.runs import COUNT, run_at
from spotlake import keys
from spotlake.models import DESIRED_COUNTS

IMPORTS_CPU_SECONDS = time.process_time()
COLUMNS = [
    "InstanceTier", "InstanceType", "Region", "OndemandPrice", "SpotPrice", "Savings", "IF", "DesiredCount",
    "AvailabilityZone", "Score", "Time", "T2", "T3",
]  # fmt: skip
WORKLOAD = ["InstanceTier", "InstanceType", "Region", "AvailabilityZone"]
FEATURES = ["OndemandPrice", "SpotPrice", "Savings", "IF", "Score", "T2", "T3"]


def read(source: Path, dataset: str) -> pd.DataFrame:
    """All rows of a data set."""
    folder = source / "objects" / f"rawdata/azure/{dataset}" / f"{run_at(1).slot_at:%Y/%m/%d/%H-%M}"
    rows: list[dict[str, Any]] = []
    for file in sorted(folder.iterdir()):
        _, *lines = gzip.decompress(file.read_bytes()).splitlines()
        rows.extend(json.loads(line) for line in lines)
    return pd.DataFrame(rows)


def threshold(seen: Any, least: int) -> int:
    """T of one workload, count by count."""
    succeeded = [max(one[least - 1 :]) for one in seen]
    failed = [max(one[: least - 1]) for one in seen]
    found = 0
    for place, success in enumerate(succeeded):
        if success:
            held = place + 1
            for other, failure in enumerate(failed):
                if failure >= success:
                    held = min(held, other)
            found = max(found, held)
    return (0, *DESIRED_COUNTS)[found]


def filled(frame: pd.DataFrame) -> pd.DataFrame:
    """Unknown numbers in the readers' form."""
    numbers = ["OndemandPrice", "SpotPrice", "Savings", "IF", "Score"]
    frame[numbers] = frame[numbers].fillna(-1)
    return frame


def joined(source: Path) -> pd.DataFrame:
    """One row per workload: names and values of this run."""
    scores, prices, rates = (read(source, name) for name in ("sps", "spot_price", "spot_if"))
    on = ["region", "instance_type"]
    frame = scores.merge(prices[[*on, "region_name", "spot_price_usd_per_hour", "ondemand_price_usd_per_hour"]], on=on)
    frame = frame.merge(rates[[*on, "interruption_frequency"]], on=on, how="left")
    frame["InstanceTier"] = frame["instance_type"].apply(lambda size: size.split("_", 1)[0])
    frame["InstanceType"] = frame["instance_type"].apply(lambda size: size.split("_", 1)[1])
    frame["Savings"] = frame.apply(
        lambda row: (
            np.round(
                (row["ondemand_price_usd_per_hour"] - row["spot_price_usd_per_hour"])
                / row["ondemand_price_usd_per_hour"]
                * 100,
                2,
            )
            if row["ondemand_price_usd_per_hour"]
            else -1
        ),
        axis=1,
    )
    names = {
        "region_name": "Region",
        "ondemand_price_usd_per_hour": "OndemandPrice",
        "spot_price_usd_per_hour": "SpotPrice",
        "interruption_frequency": "IF",
        "zone": "AvailabilityZone",
        "score": "Score",
    }
    return filled(frame.rename(columns=names))


def previous(source: Path, names: dict[str, str]) -> tuple[pd.DataFrame, Any, Any]:
    """The last state: one row per workload, with the last time of each score, and the score of each count."""
    with np.load(source / "previous.npz") as flat:
        frame = pd.DataFrame({name: flat[name] for name in ("region", "size", "zone", "spot", "ondemand", "frequency")})
        seen, score = flat["seen"].tolist(), flat["score"]
    frame["Region"] = frame["region"].map(names)
    frame["InstanceTier"] = frame["size"].apply(lambda size: size.split("_", 1)[0])
    frame["InstanceType"] = frame["size"].apply(lambda size: size.split("_", 1)[1])
    frame["Savings"] = ((frame["ondemand"] - frame["spot"]) / frame["ondemand"] * 100).round(2)
    frame["Score"] = score[:, DESIRED_COUNTS.index(COUNT)]
    frame["T2"] = [threshold(one, 2) for one in seen]
    frame["T3"] = [threshold(one, 3) for one in seen]
    renamed = {"spot": "SpotPrice", "ondemand": "OndemandPrice", "frequency": "IF", "zone": "AvailabilityZone"}
    return filled(frame.rename(columns=renamed)), seen, score


def merge(source: Path, target: Path) -> int:
    """Merge the second run."""
    slot_at = run_at(1).slot_at
    slot, place = int(slot_at.timestamp()) // 600, DESIRED_COUNTS.index(COUNT)
    frame = joined(source)
    before, seen, score = previous(source, dict(zip(frame["region"], frame["Region"], strict=True)))
    for part in (frame, before):
        part["Workload"] = part.apply(lambda row: ":".join(str(row[name]) for name in WORKLOAD), axis=1)
    places = {workload: number for number, workload in enumerate(before["Workload"])}
    tops2, tops3, firsts = [], [], []
    for row in frame.to_dict("records"):
        number = places[row["Workload"]]
        history = [list(one) for one in seen[number]]
        history[place][row["Score"] - 1] = slot
        tops2.append(threshold(history, 2))
        tops3.append(threshold(history, 3))
        firsts.append(int(score[number][0]))
    frame["T2"], frame["T3"] = tops2, tops3
    frame["DesiredCount"], frame["Time"] = COUNT, f"{slot_at:%Y-%m-%d %H:%M:%S}"
    for part in (frame, before):
        part["Feature"] = part.apply(lambda row: ":".join(str(float(row[name])) for name in FEATURES), axis=1)
    both = frame.merge(before[["Workload", "Feature"]], on="Workload", how="left", suffixes=("", "Before"))
    changed = both[both.apply(lambda row: row["Feature"] != row["FeatureBefore"], axis=1)]
    records = []
    for _, row in changed.iterrows():
        record = {name: row[name] for name in COLUMNS}
        records.append({**record, "Workload": f"{row['region']}#{row['AvailabilityZone']}"})
    write(frame, firsts, target, slot_at)
    return len(records)


def write(frame: pd.DataFrame, firsts: list[int], target: Path, slot_at: Any) -> None:
    """The files that readers know."""
    snapshot, latest, selector = (target / one for one in (keys.snapshot(slot_at), keys.LATEST, keys.QUERY_SELECTOR))
    for file in (snapshot, latest, selector):
        file.parent.mkdir(parents=True, exist_ok=True)
    frame[COLUMNS].to_csv(snapshot, index=False, compression="gzip")
    shown = frame[COLUMNS].copy()
    shown["Score"], shown["DesiredCount"] = firsts, 1
    rows = [{"id": number, **row} for number, row in enumerate(shown.to_dict("records"), 1)]
    latest.write_text(json.dumps(rows))
    latest.with_name(latest.name + ".gz").write_bytes(gzip.compress(json.dumps(rows).encode()))
    chosen = frame[["InstanceTier", "InstanceType", "Region"]].drop_duplicates()
    selector.write_text(json.dumps(chosen.to_dict("records")))


if __name__ == "__main__":
    measured(merge, IMPORTS_CPU_SECONDS)
