"""Placement scores as Azure answers them: limits, texts, zones, odd rows.

Texts marked "observed" come from public production code (2025-09 to 2026-06). For the limits 8 x 5 only status and code
are known; the wording is ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from spotlake_local.azure.answers import RefusalError, arm_refusal
from spotlake_local.azure.world import World

MOST_REGIONS, MOST_SIZES, MOST_MACHINES = 8, 5, 1000
STABLE_VERSION, PREVIEW_VERSION = "2025-06-05", "2026-10-05-preview"
# The previews in between answer placement scores in the stable shape.
SCORE_VERSIONS = (STABLE_VERSION, "2026-05-05-preview", "2026-09-05-preview", PREVIEW_VERSION)
THROTTLED = "You have reached the maximum number of requests allowed. Please try again after 3600 seconds."  # observed
_PREFERENCES = {"High": 10, "Medium": 6, "Low": 2, "InsufficientQuota": 1}


@dataclass(frozen=True)
class Question:
    """A checked request body. ``preview``: the shape is that of 2026-10-05-preview."""

    regions: tuple[str, ...]
    sizes: tuple[str, ...]
    count: int
    zonal: bool
    preview: bool = False

    def echo(self) -> dict[str, Any]:
        """Fields that an answer repeats."""
        return {
            "desiredLocations": self.regions,
            "desiredSizes": [{"sku": size} for size in self.sizes],
            "desiredCount": self.count,
            "availabilityZones": self.zonal,
        }


class PlacementScores:
    """State of the API: names that it refuses, and the history of questions, for tests."""

    def __init__(self, world: World) -> None:
        """Start with an empty history."""
        self.world = world
        self.answered: Counter[str] = Counter()
        self.invalid_regions: set[str] = set()
        self.invalid_sizes: set[str] = set()

    def check(self, body: Any, *, location: str, version: str = STABLE_VERSION) -> Question:
        """Check the body. Raises RefusalError for the first fault, in the order types, limits, regions, sizes."""
        if not isinstance(body, dict):
            raise _invalid_body("The request body is not valid.")
        preview = version == PREVIEW_VERSION
        regions: Any = body.get("desiredLocations", [location] if preview else [])
        sizes: Any = body.get("desiredSizes", None if preview else [])
        if not _is_list_of(regions, str) or not _is_list_of(sizes, dict):
            raise _invalid_body("The input parameter 'desiredLocations' or 'desiredSizes' is not an array.")
        if len(regions) > MOST_REGIONS:
            raise _invalid_body(f"The number of desiredLocations exceeds {MOST_REGIONS}.", "desiredLocations")
        if len(sizes) > MOST_SIZES:
            raise _invalid_body(f"The number of desiredSizes exceeds {MOST_SIZES}.", "desiredSizes")
        count = _count_of(body.get("desiredCount", 1))
        self._check_regions(regions)
        names = tuple(str(one.get("sku", "")) for one in sizes)
        self._check_sizes(names)
        # Numbers and booleans in quotes are accepted (observed on 2025-02-01-preview).
        zonal = str(body.get("availabilityZones", False)).lower() == "true"
        return Question(tuple(regions), names, count, zonal, preview)

    def answer(self, question: Question, subscription: str, now_at: datetime) -> list[dict[str, Any]]:
        """The rows of an answer."""
        self.answered[_fingerprint(question, now_at)] += 1
        rows = [
            row
            for region in question.regions
            for size in question.sizes
            for row in self._rows(region, self.world.sizes[size.lower()], size, question, subscription, now_at)
        ]
        return [_preview_row(row) for row in rows] if question.preview else rows

    def repeated(self) -> dict[str, int]:
        """Questions that were answered more than once in one slot, with the number of answers."""
        return {asked: times for asked, times in self.answered.items() if times > 1}

    def _check_regions(self, regions: Sequence[str]) -> None:
        for region in regions:
            if region not in self.world.regions or region in self.invalid_regions:
                raise _invalid_value(region, "desiredLocations", "desiredLocations")

    def _check_sizes(self, sizes: Sequence[str]) -> None:
        for size in sizes:
            if size.lower() not in self.world.sizes or size in self.invalid_sizes:
                # The prefix is there for sizes only (observed).
                raise _invalid_value(size, "SpotPlacementRecommenderInput.desiredSizes", "desiredSizes")

    def _rows(
        self, region: str, size: str, spelt: str, question: Question, subscription: str, now_at: datetime
    ) -> list[dict[str, Any]]:
        world, count = self.world, question.count
        row: dict[str, Any] = {"sku": spelt, "region": region, "score": "DataNotFoundOrStale"}
        row["isQuotaAvailable"] = world.is_quota_available(subscription, region, size, count)
        if size not in world.ondemand.get(region, {}):
            return [row]
        if world.is_restricted(subscription, region, size):
            return [{**row, "score": "RestrictedSkuNotAvailable"}]
        # A subscription numbers the physical zones in its own way.
        numbers = world.zone_numbers(subscription, region) if question.zonal else {}
        if not numbers or world.is_regional_only(region, size):
            return [{**row, "score": world.score(region, size, "", count, now_at)}]
        rows = []
        for number, zone in numbers.items():
            if world.is_zone_missing(region, size, zone):
                continue
            stale = world.is_stale(region, size, zone, now_at)
            score = "DataNotFoundOrStale" if stale else world.score(region, size, zone, count, now_at)
            rows.append({**row, "availabilityZone": number, "score": score})
        return rows


def _preview_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row in the shape of 2026-10-05-preview: quota inside the score, a preference from 0 to 10."""
    enough = row.pop("isQuotaAvailable")
    if not enough and row["score"] in _PREFERENCES:
        row["score"] = "InsufficientQuota"
    return {**row, "placementPreference": _PREFERENCES.get(row["score"], 0)}


def _count_of(value: object) -> int:
    if isinstance(value, bool) or not str(value).isdecimal() or not 1 <= int(str(value)) <= MOST_MACHINES:
        raise _invalid_value(value, "desiredCount", "desiredCount")
    return int(str(value))


def _invalid_body(message: str, target: str = "") -> RefusalError:
    return arm_refusal(400, "InvalidParameter", message, target=target)


def _invalid_value(value: object, parameter: str, target: str) -> RefusalError:
    text = f"The value '{value}' provided for the input parameter '{parameter}' is not valid."  # observed
    return _invalid_body(text, target)


def _is_list_of(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(one, kind) for one in value)


def _fingerprint(question: Question, now_at: datetime) -> str:
    slot = int(now_at.timestamp()) // 600
    regions, sizes = ",".join(sorted(question.regions)), ",".join(sorted(question.sizes))
    return f"{slot} {regions} {sizes} {question.count} {question.zonal}"
