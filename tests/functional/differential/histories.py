"""Random histories: slots, attempts, listings and scores, and everything that can be wrong with a shard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tests.functional.differential.model import COUNTS, Attempt, Patience, Shard

FIRST_SLOT = 2943324  # 2025-12-15 10:00
REGIONS = {"eastus": "US East", "koreacentral": "KR Central", "westus": "US West"}
SIZES = ("Standard_D2s_v5", "Standard_E2s_v5", "Standard_A1", "Basic_A1")
GLOBS = ("Standard_D*", "*_a1", "Standard_E2s_v5")
SPOT = (0.01, 0.02, 0.0123, 0.3, None)
ONDEMAND = (0.04, 0.08, 0.25, 0.01, 0.0, None, None)
RATES = ((3.0, "0-5"), (2.5, "5-10"), (1.0, "20+"), (None, ""), (None, "?"))
GAPS = (1, 1, 1, 2, 5, 6, 36, 70, 144, 144, 300, 1000)
_OF_A_ROW = ("a row twice", "an impossible row")
# What lies there instead of the shard: written.py makes each of them.
DAMAGES = (
    "missing", "no gzip", "cut off", "no header", "newer schema", "another run", "another attempt", "another region",
    "another data set", "too few rows", *_OF_A_ROW, "a row of elsewhere", "a row of no size",
)  # fmt: skip


@dataclass(frozen=True)
class History:
    """Attempts, the order in which they are merged (places in ``attempts``), and the settings."""

    attempts: tuple[Attempt, ...]
    order: tuple[int, ...]
    patience: Patience


def history(seed: int, number: int) -> History:
    """One of the histories of a seed."""
    random = Random(f"{seed} {number}")  # noqa: S311 - histories are no secrets
    patience = Patience(
        looks=random.choice((1, 2, 3, 6)), hours=random.choice((0, 1, 6)),
        retire_days=random.choice((1, 2, 3, 14)), forget_days=random.choice((1, 2, 90)),
    )  # fmt: skip
    is_long = random.random() < 0.2
    slots = [FIRST_SLOT]
    for _ in range(random.randint(8, 20) if is_long else random.randint(0, 6)):
        slots.append(slots[-1] + random.choice(GAPS))
    drawn = _Drawn(random, is_long)
    slot_of_attempt = [*slots, *(random.choice(slots) for _ in range(random.randint(0, 4)))]
    numbers = random.sample(range(1, 4 * len(slot_of_attempt)), len(slot_of_attempt))
    attempts = [drawn.attempt(slot, of) for slot, of in zip(slot_of_attempt, numbers, strict=True)]
    attempts[0] = replace(attempts[0], merged=True)
    places = [place for place, one in enumerate(attempts) if one.merged]
    order = places + random.choices(places, k=random.randint(0, 2))
    if random.random() < 0.7:
        random.shuffle(order)
    return History(tuple(attempts), tuple(order), patience)


class _Drawn:
    """Draws attempts of one history, in which regions and sizes are few, so that they meet again."""

    def __init__(self, random: Random, is_long: bool) -> None:
        self.random = random
        self.regions = random.sample(sorted(REGIONS), 1 if is_long else random.randint(1, 3))
        self.sizes = random.sample(SIZES, random.randint(1, 3))
        self.counts = random.sample(COUNTS, random.randint(1, 3)) if random.random() < 0.8 else [1]
        self.faults = random.choice((0.0, 0.05, 0.3))  # how often a shard is damaged, or its listing failed
        self.gone = random.choice((0.0, 0.1, 0.6))  # how often a size is not listed
        self.moves = random.random() < 0.3  # zones are other buildings from some slot on
        self.unmapped = random.random() < 0.2  # in some slots no zone's building is known
        self.forgets = False
        self.spells = random.random() < 0.15  # sizes come in several spellings

    def attempt(self, slot: int, number: int) -> Attempt:
        random = self.random
        is_part = random.random() < 0.2
        self.forgets = number % 5 == 0  # an attempt that could not read which building a zone is
        regions = random.sample(self.regions, random.randint(1, len(self.regions)))
        shards = {}
        for region in regions:
            for dataset, share in (("sps", 0.75), ("spot_price", 0.85), ("spot_if", 0.7)):
                if random.random() < share:
                    shards[dataset, region] = self._shard(dataset, region, regions, slot)
        if is_part:  # rows that were not asked for are left out before anybody looks
            odd = {what: replace(one, damage="") for what, one in shards.items() if one.damage in _OF_A_ROW}
            shards |= odd
        return Attempt(
            slot=slot, number=number, count=random.choice(self.counts), regions=tuple(regions), shards=shards,
            sizes=tuple(random.sample(GLOBS, 1)) if is_part else (), filtered=is_part,
            resumes=random.random() < 0.1, merged=random.random() < 0.95,
        )  # fmt: skip

    def _shard(self, dataset: str, region: str, regions: Sequence[str], slot: int) -> Shard:
        random = self.random
        status = random.choice(("failed", "partial")) if random.random() < self.faults / 2 else "complete"
        damage = random.choice(DAMAGES) if random.random() < self.faults / 2 else ""
        asks_ondemand = random.random() < 0.6
        if status == "failed":
            rows: list[dict[str, Any]] = []
        elif dataset == "sps":
            rows = list(self._scores(random.sample(list(regions), random.randint(1, len(regions))), slot))
        elif dataset == "spot_price":
            rows = [{
                "region": region, "region_name": REGIONS[region], "instance_type": size,
                "spot_price_usd_per_hour": random.choice(SPOT),
                "ondemand_price_usd_per_hour": random.choice(ONDEMAND) if asks_ondemand else None,
            } for size in self._some_sizes()]  # fmt: skip
        else:
            rows = [
                {"region": region, "instance_type": size, "interruption_frequency": rate, "eviction_band": band}
                for size in self._some_sizes()
                for rate, band in [random.choice(RATES)]
            ]
        return Shard(status, tuple(rows), ondemand_asked=asks_ondemand, damage=damage)

    def _some_sizes(self) -> list[str]:
        sizes = [size for size in self.sizes if self.random.random() >= self.gone]
        return [self.random.choice((size, size.lower())) for size in sizes] if self.spells else sizes

    def _scores(self, regions: Sequence[str], slot: int) -> Iterator[dict[str, Any]]:
        random = self.random
        for region in regions:
            for size in self._some_sizes():
                for count in random.sample(self.counts, random.randint(1, len(self.counts))):
                    zones = random.sample(("1", "2", "3", "Single", None, "7"), random.choice((1, 1, 2, 3)))
                    for zone in zones:
                        moved = "b" if self.moves and slot > FIRST_SLOT + 6 else "a"
                        is_mapped = zone in ("1", "2", "3") and not (self.forgets or (self.unmapped and slot % 3 == 0))
                        building = f"{region}-{moved}{zone}" if is_mapped else None
                        yield {
                            "region": region, "instance_type": size, "desired_count": count, "zone": zone,
                            "physical_zone": building, "score": random.choice((3, 3, 2, 1, None)),
                        }  # fmt: skip
