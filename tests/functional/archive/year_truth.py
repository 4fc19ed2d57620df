"""Compares what an archive shows with the tiny Azure's own record of what is true and of what it answered."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from spotlake import keys
from spotlake.models import to_iso
from spotlake.packing import unpack
from spotlake.state.merged_states import MergedStates
from tests.functional.archive.year import STEP, Year, newest_state

_BANDS = {"0-5": "3.0", "5-10": "2.5", "10-15": "2.0", "15-20": "1.5", "20+": "1.0"}
_GONE_AFTER = timedelta(days=45)  # retired after 14 days on which it was looked for; pauses are no such days
type Row = dict[str, str]


def untruths(year: Year) -> list[str]:
    """What is wrong in the newest snapshot, table and chain, in words; nothing when all is true.

    Call it after calm days: nothing changes, nothing fails.
    """
    last_at = year.clock.now() - STEP
    rows = snapshot(year, last_at)
    return [*_of_values(year, rows, last_at), *_of_pairs(year, rows), *_of_table(year, rows), *_stuck(year, last_at)]


def snapshot(year: Year, slot_at: datetime) -> list[Row]:
    stored = year.objects.get(keys.snapshot(slot_at))
    assert stored is not None
    return list(csv.DictReader(io.StringIO(gzip.decompress(stored.body).decode())))


def state_bytes(year: Year) -> int:
    """Bytes of the newest merged state, unpacked."""
    return len(unpack(newest_state(year).encode()))


def _of_values(year: Year, rows: list[Row], last_at: datetime) -> Iterator[str]:
    """Each value was answered when the row says so; a value that Azure still shows is that of the last slot."""
    azure, last = year.azure, to_iso(last_at)
    for row in rows:
        pair = row["RegionCode"], row["ArmSkuName"]
        offer = azure.sold.get(pair[0], {}).get(pair[1])
        prices = {at: str(price) for at, price in azure.prices.get(pair, {}).items()}
        bands = {at: _BANDS[band] for at, band in azure.bands.get(pair, {}).items()}
        for name, began, confirmed, told in (
            ("SpotPrice", "PriceTime", "PriceConfirmed", prices), ("IF", "IFTime", "IFConfirmed", bands),
        ):  # fmt: skip
            if row[name] != "-1":
                if told.get(_iso(row[confirmed])) != row[name] or told.get(_iso(row[began])) != row[name]:
                    yield f"{pair}: {name} {row[name]} of {row[began]} to {row[confirmed]} was not answered then"
                if offer is not None and _iso(row[confirmed]) != last:
                    yield f"{pair}: {name} is of {row[confirmed]}, though it is sold"
            elif offer is not None:
                yield f"{pair}: {name} is not known, though it is sold"
        yield from _of_score(year, row)


def _of_score(year: Year, row: Row) -> Iterator[str]:
    if row["Score"] == "-1":
        return
    key = row["RegionCode"], row["ArmSkuName"], row["PhysicalZone"], int(row["DesiredCount"])
    told = year.azure.scored.get(key, {})
    for name in ("ScoreConfirmed", "ScoreTime"):
        if str(told.get(_iso(row[name]))) != row["Score"]:
            yield f"{key}: score {row['Score']} of {row[name]} was answered {told.get(_iso(row[name]))} then"


def _of_pairs(year: Year, rows: list[Row]) -> Iterator[str]:
    """Everything that is sold is there, in three zones; what has long been gone is not."""
    shown: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        shown.setdefault((row["RegionCode"], row["ArmSkuName"]), set()).add(row["PhysicalZone"])
    sold = {(region, size) for region, sizes in year.azure.sold.items() for size in sizes}
    for region, size in sorted(sold):
        zones = shown.get((region, size), set())
        if zones != {f"{region}-az{number}" for number in "123"}:
            yield f"{region} {size}: sold, and shown in {sorted(zones)}"
    for pair in sorted(shown.keys() - sold):
        last = max(year.azure.prices.get(pair, {"": 0}))
        if last < to_iso(year.clock.now() - _GONE_AFTER - year.paused_since(last)):
            yield f"{pair}: live, though it was last sold {last}"


def _of_table(year: Year, rows: list[Row]) -> Iterator[str]:
    """The live items are the snapshot's rows."""
    live = {key: item for key, item in year.table.items.items() if "RetiredAt" not in item}
    wanted = {(row["ArmSkuName"], f"{row['RegionCode']}#{row['AvailabilityZone']}"): row for row in rows}
    for key in sorted(live.keys() ^ wanted.keys()):
        yield f"{key}: {'in the table alone' if key in live else 'not in the table'}"
    for key in live.keys() & wanted.keys():
        item, row = live[key], wanted[key]
        score: Any = item.get("Scores", {}).get(row["DesiredCount"], {}).get("s", -1)
        found = (str(item.get("SpotPrice", -1)), str(item.get("IF", -1)), str(score), item.get("PhysicalZone", "N/A"))
        expected = (row["SpotPrice"], row["IF"], row["Score"], row["PhysicalZone"])
        if found != expected:
            yield f"{key}: the table shows {found}, the snapshot {expected}"


def _stuck(year: Year, last_at: datetime) -> Iterator[str]:
    manifest, head = year.manifest(last_at), MergedStates(year.objects).head()
    # No rate at all is never believed of a region that is in the catalogue, as a closed one is for two weeks.
    stale = [one for one in manifest["stale"] if one["dataset"] != "spot_if" or year.azure.sold.get(one["region"])]
    if stale or (manifest["status"] != "complete" and not manifest["stale"]):
        yield f"the last run is {manifest['status']}: {stale}"
    if head.begun or head.rewrite or head.cut or head.due or head.table_version != head.version:
        yield f"the table or snapshots wait: {head}"


def _iso(text: str) -> str:
    return text.replace(" ", "T") + "Z" if text != "N/A" else text
