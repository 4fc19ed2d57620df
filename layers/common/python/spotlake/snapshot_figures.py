"""Types of the figures of a snapshot: what the page shows of it, and of its changes since the snapshot before.

Merge counts them and writes them beside the manifest; the report shows them. docs/data.md describes the file.
"""

from __future__ import annotations

from typing import TypedDict

from spotlake.models import DESIRED_COUNTS

UNKNOWN = -1
SCORES = (3, 2, 1, UNKNOWN)
FREQUENCIES = (3.0, 2.5, 2.0, 1.5, 1.0, UNKNOWN)
THRESHOLDS = (0, *DESIRED_COUNTS)
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
SAVINGS_STEP_PERCENT = 5
PRICE_BINS_PER_DECADE = 4
# Ages of values: upper ends of all classes except the last one, which is open. 0: the value began with the run.
HELD_MINUTES = (0, 60, 360, 1440, 4320)
type Bin = tuple[float, float, int]  # from, to, pairs


class RegionFigures(TypedDict):
    """One region's counts, in the order of SCORES, THRESHOLDS and FREQUENCIES; quantiles at QUANTILES.

    ``moves``: value -> direction ("up", "down", "known", "unknown", "appeared") -> workloads.
    """

    name: str
    pairs: int
    scores: list[int]
    t3: list[int]
    t2: list[int]
    frequencies: list[int]
    spot_price: list[float] | None
    savings: list[float] | None
    moves: dict[str, dict[str, int]]


class SnapshotFigures(TypedDict):
    """What the page shows of a snapshot; ``held``: data set -> counts in the order of HELD_MINUTES.

    ``left``: workloads that the snapshot before had and this one has not; None without one before.
    """

    desired_count: int | None
    regions: dict[str, RegionFigures]
    spot_price_histogram: list[Bin]
    savings_histogram: list[Bin]
    held: dict[str, list[int]]
    left: int | None


def without_moves(figures: SnapshotFigures) -> SnapshotFigures:
    """The figures of the snapshot alone."""
    regions = {code: RegionFigures(**{**region, "moves": {}}) for code, region in figures["regions"].items()}
    return {**figures, "regions": regions, "left": None}
