"""The documents ``doubts/{data set}/{region}.json``: listings of a region that were too small or large to believe."""

from __future__ import annotations

from dataclasses import asdict
from typing import TypedDict

from spotlake import keys
from spotlake.models import Dataset, Run, WorkItem
from spotlake.planning.doubt import Doubt
from spotlake.state.kinds import Advice
from spotlake.stores.objects import ObjectStore


class DoubtJson(TypedDict):
    """The document; see ``Doubt``."""

    rows: int
    first_at: str
    last_at: str
    looks: int
    believed: bool


def _parse(content: DoubtJson) -> Doubt:
    return Doubt(
        rows=content["rows"],
        first_at=content["first_at"],
        last_at=content["last_at"],
        looks=content["looks"],
        believed=content["believed"],
    )


def doubts_of(dataset: Dataset, region: str) -> Advice[Doubt]:
    """The document of one region and data set; its collector alone writes it."""
    return Advice(key=keys.doubt(dataset, region), schema=1, parse=_parse, dump=asdict, empty=Doubt)


def is_believed(objects: ObjectStore, run: Run, item: WorkItem, dataset: Dataset, rows: int) -> bool:
    """Note a listing that is too small or too large, and say whether it is believed all the same.

    Args:
        objects: The write bucket.
        run: The attempt.
        item: The region's work; it says when the region was last listed whole.
        dataset: Which listing.
        rows: How many rows it has.
    """
    good_at = item.whole_at.get(dataset.value, "")
    document = doubts_of(dataset, item.region)
    return document.change(objects, lambda before: before.after(rows, run.slot_at, good_at)).believed
