"""Types of the manifest's part on prices. docs/data.md has the meaning of every field."""

from __future__ import annotations

from typing import TypedDict

from spotlake.reports import RowSample


class WitnessSize(TypedDict):
    """A size whose price differs between the two sources."""

    instance_type: str
    listed_usd_per_hour: float
    history_usd_per_hour: float


class WitnessSystem(TypedDict):
    """Sizes of one operating system: how many prices agree, and the largest differences."""

    agreeing: int
    disagreeing: int
    worst: list[WitnessSize]
    only_listed: int
    only_in_history: int


class WitnessEntry(TypedDict):
    """Comparison of one region's spot prices; ``systems``: "linux" and "windows" -> result."""

    region: str
    attempt: int
    answered: bool
    odd_rows: int
    systems: dict[str, WitnessSystem]


class UnknownKinds(TypedDict):
    """Rows of the price lists that no rule knows: their number, and one row of each of a few kinds."""

    rows: int
    samples: list[RowSample]


class Disagreements(TypedDict):
    """Prices that differ between two meters: number of rows, and a few sizes with their region."""

    rows: int
    sizes: list[str]


class UnconfirmedSizes(TypedDict):
    """Pairs of one region that no listing confirmed: their number, and at most a few hundred sizes."""

    pairs: int
    sizes: list[str]


class Unconfirmed(TypedDict):
    """Pairs that no listing confirmed, and pairs that a narrow request found after all."""

    pairs: int
    healed: int
    regions: dict[str, UnconfirmedSizes]


class PriceFindings(TypedDict):
    """Odd findings of a slot's price listings."""

    unknown_kinds: UnknownKinds
    price_disagreements: Disagreements
    unconfirmed: Unconfirmed
    unconfirmed_percent: float | None
