"""Types of what a run's manifest says of prices. The meaning of every field is in docs/data.md."""

from __future__ import annotations

from typing import TypedDict

from spotlake.reports import RowSample


class WitnessSize(TypedDict):
    """A size of which the two witnesses say different prices."""

    instance_type: str
    listed_usd_per_hour: float
    history_usd_per_hour: float


class WitnessSystem(TypedDict):
    """Sizes of one operating system: on how many the witnesses agree, and the worst of those on which they do not."""

    agreeing: int
    disagreeing: int
    worst: list[WitnessSize]
    only_listed: int
    only_in_history: int


class WitnessEntry(TypedDict):
    """Second witness of one region's spot prices; ``systems``: "linux" and "windows" -> what the comparison found."""

    region: str
    attempt: int
    answered: bool
    odd_rows: int
    systems: dict[str, WitnessSystem]


class UnknownKinds(TypedDict):
    """Rows of the price lists that no rule knows: how many, and one of each of a few kinds."""

    rows: int
    samples: list[RowSample]


class Disagreements(TypedDict):
    """Prices of which two meters say two values: how many rows, and a few sizes with their region."""

    rows: int
    sizes: list[str]


class UnconfirmedSizes(TypedDict):
    """Pairs of one region that no listing confirmed: how many, and their sizes, a few hundred at most."""

    pairs: int
    sizes: list[str]


class Unconfirmed(TypedDict):
    """Pairs that no listing confirmed, and pairs that a narrow request found after all."""

    pairs: int
    healed: int
    regions: dict[str, UnconfirmedSizes]


class PriceFindings(TypedDict):
    """What a slot's price listings found odd."""

    unknown_kinds: UnknownKinds
    price_disagreements: Disagreements
    unconfirmed: Unconfirmed
    unconfirmed_percent: float | None
