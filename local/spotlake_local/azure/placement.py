"""Placement scores as Azure answers them: limits, texts, sliding-hour quota, zones, odd rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from spotlake_local.azure.world import World

MOST_REGIONS, MOST_SIZES = 8, 5
_THROTTLED = "You have reached the maximum number of requests allowed. Please try again after 3600 seconds."


@dataclass
class Quota:
    """Calls per (subscription, routing location) in a sliding hour, enforced on its own account.

    Attributes:
        calls: How many.
        window: The hour.
        retry_after: Whether a 429 carries Retry-After.
    """

    calls: int = 10
    window: timedelta = timedelta(hours=1)
    retry_after: bool = False
    history: defaultdict[tuple[str, str], list[datetime]] = field(default_factory=lambda: defaultdict(list))

    def take(self, subscription: str, location: str, now_at: datetime) -> bool:
        """Count a call; False when it is refused (a refused call is not counted)."""
        history = self.history[subscription, location]
        history[:] = [at for at in history if abs(now_at - at) < self.window]
        if len(history) >= self.calls:
            return False
        history.append(now_at)
        return True


class BadRequestError(Exception):
    """A 400 with Azure's code, message and target."""

    def __init__(self, message: str, target: str = "") -> None:
        """``message`` is Azure's own wording."""
        self.body = {"error": {"code": "InvalidParameter", "message": message, "target": target}}
        super().__init__(message)


@dataclass(frozen=True)
class Question:
    """A checked request body."""

    regions: tuple[str, ...]
    sizes: tuple[str, ...]
    count: int
    zonal: bool


class PlacementScores:
    """The API's state: quota, and what was asked (for the tests' accounts)."""

    def __init__(self, world: World) -> None:
        """An empty history."""
        self.world = world
        self.quota = Quota()
        self.answered: Counter[str] = Counter()
        self.invalid_regions: set[str] = set()
        self.invalid_sizes: set[str] = set()

    def check(self, body: Any) -> Question:
        """Check the body. Raises BadRequestError for the first fault, regions before sizes."""
        if not isinstance(body, dict):
            raise BadRequestError("The request body is not valid.")
        regions = body.get("desiredLocations", [])
        sizes = body.get("desiredSizes", [])
        if not _is_list_of(regions, str) or not _is_list_of(sizes, dict):
            raise BadRequestError("The input parameter 'desiredLocations' or 'desiredSizes' is not an array.")
        if len(regions) > MOST_REGIONS:
            raise BadRequestError(f"The number of desiredLocations exceeds {MOST_REGIONS}.", "desiredLocations")
        if len(sizes) > MOST_SIZES:
            raise BadRequestError(f"The number of desiredSizes exceeds {MOST_SIZES}.", "desiredSizes")
        count = body.get("desiredCount", 1)
        if not str(count).isdigit() or not 1 <= int(count) <= 1000:
            raise BadRequestError(_invalid(count, "desiredCount"), "desiredCount")
        for region in regions:
            if region not in self.world.regions or region in self.invalid_regions:
                raise BadRequestError(_invalid(region, "desiredLocations"), "desiredLocations")
        names = tuple(str(one.get("sku", "")) for one in sizes)
        for size in names:
            if size.lower() not in self.world.sizes or size in self.invalid_sizes:
                raise BadRequestError(_invalid(size, "SpotPlacementRecommenderInput.desiredSizes"), "desiredSizes")
        zonal = body.get("availabilityZones", False) in (True, "true")
        return Question(tuple(regions), names, int(count), zonal)

    def answer(self, question: Question, subscription: str, now_at: datetime) -> list[dict[str, Any]]:
        """The rows of an answer."""
        self.answered[_fingerprint(question, now_at)] += 1
        return [
            row
            for region in question.regions
            for size in question.sizes
            for row in self._rows(region, self.world.sizes[size.lower()], size, question, subscription, now_at)
        ]

    def _rows(
        self, region: str, size: str, spelt: str, question: Question, subscription: str, now_at: datetime
    ) -> list[dict[str, Any]]:
        row: dict[str, Any] = {"sku": spelt, "region": region, "score": "DataNotFoundOrStale"}
        world = self.world
        row["isQuotaAvailable"] = world.is_quota_available(subscription, region, size, question.count)
        if size not in world.ondemand.get(region, {}):
            return [row]
        if world.is_restricted(subscription, region, size):
            return [{**row, "score": "RestrictedSkuNotAvailable"}]
        numbers = world.zone_numbers(subscription, region) if question.zonal else {}
        if not numbers or world.is_regional_only(region, size):
            return [{**row, "score": world.score(region, size, "", question.count, now_at)}]
        rows = []
        for number, zone in numbers.items():
            if world.is_zone_missing(region, size, zone):
                continue
            stale = world.is_stale(region, size, zone, now_at)
            score = "DataNotFoundOrStale" if stale else world.score(region, size, zone, question.count, now_at)
            rows.append({**row, "availabilityZone": number, "score": score})
        return rows


def throttled_text() -> str:
    """The plain text of a 429."""
    return _THROTTLED


def _invalid(value: object, parameter: str) -> str:
    return f"The value '{value}' provided for the input parameter '{parameter}' is not valid."


def _is_list_of(value: object, kind: type) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(one, kind) for one in value)


def _fingerprint(question: Question, now_at: datetime) -> str:
    slot = int(now_at.timestamp()) // 600
    return f"{slot} {sorted(question.regions)} {sorted(question.sizes)} {question.count}"
