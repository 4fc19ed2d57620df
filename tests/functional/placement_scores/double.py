"""A small Azure behind a requests adapter. It enforces the quota and answers in the documented shapes."""

from __future__ import annotations

import re
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from spotlake.clock import Deadline, ManualClock
from spotlake.models import Mode, Run, ScoreCall, WorkItem, from_iso
from spotlake.reports import CollectorReport
from spotlake.scores.zones import ZoneMap, subscription_digest
from spotlake.settings import Settings
from spotlake.shards import open_shard
from spotlake.state.score_knowledge import read_score_knowledge
from spotlake.stores.ledger import MemoryLedger, QuotaLedger
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.collect.placement_scores import PlacementDeps, collect_placement_scores
from tests.support.scripted import wired
from tests.support.shards import parsed_rows

SLOT_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
RUN = Run(
    run_id="20261123T1000Z",
    mode=Mode.INCREMENTAL,
    desired_counts=(1,),
    started_at=from_iso("2026-11-23T10:00:03Z"),
    owner="execution-1",
    attempt=1,
)
QUOTA_TEXT = "You have reached the maximum number of requests allowed. Please try again after 3600 seconds."
_PATH = re.compile(r"/subscriptions/(?P<subscription>[^/]+)/providers/Microsoft.Compute/locations/(?P<location>[^/]+)/")

type Fault = Callable[[Seen], "requests.Response | Exception | None"]


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    number: int
    at: datetime
    subscription: str
    location: str
    regions: tuple[str, ...]
    instance_types: tuple[str, ...]
    desired_count: int
    authorization: str
    api_version: str


def answer(
    status: int, body: object, *, headers: Mapping[str, str] | None = None, raw: bytes | None = None
) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = raw if raw is not None else body.encode() if isinstance(body, str) else orjson.dumps(body)
    response.headers = CaseInsensitiveDict(headers or {})
    response.encoding = "utf-8"
    return response


def arm_error(status: int, code: str, message: str, **headers: str) -> requests.Response:
    return answer(
        status,
        {"error": {"code": code, "message": message}},
        headers={name.replace("_", "-"): v for name, v in headers.items()},
    )


def not_valid(field_name: str, value: str) -> requests.Response:
    text = f"The value '{value}' provided for the input parameter '{field_name}' is not valid."
    return arm_error(400, "InvalidParameter", text)


@dataclass
class DoubleAzure(BaseAdapter):
    """Scores every pair; ``fault`` may answer first."""

    clock: ManualClock
    fault: Fault | None = None
    quota_calls: int = 10
    invalid_regions: set[str] = field(default_factory=set)
    invalid_sizes: set[str] = field(default_factory=set)
    restricted: dict[str, set[str]] = field(default_factory=dict)  # subscription -> sizes
    physical: dict[str, dict[str, str]] = field(default_factory=dict)  # subscription -> logical -> building
    words: dict[str, str] = field(default_factory=dict)  # building -> word; otherwise High
    regional: set[str] = field(default_factory=set)
    dropped: Callable[[Seen, dict[str, Any]], bool] | None = None  # rows that an answer leaves out
    seen: list[Seen] = field(default_factory=list)
    told: list[tuple[Seen, list[dict[str, Any]]]] = field(default_factory=list)  # every answer with scores
    refused: int = 0
    _used: defaultdict[tuple[str, str], list[datetime]] = field(default_factory=lambda: defaultdict(list))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        with self._lock:
            seen = self._note(request)
            early = self._early(seen)
        if isinstance(early, Exception):
            raise early
        response = early if early is not None else self._answered(seen)
        response.request = request
        response.url = str(request.url)
        return wired(response)

    def close(self) -> None:
        return

    def _note(self, request: requests.PreparedRequest) -> Seen:
        parts = urlsplit(str(request.url))
        where = _PATH.match(parts.path)
        assert where is not None
        body = orjson.loads(request.body or b"{}")
        seen = Seen(
            number=len(self.seen),
            at=self.clock.now(),
            subscription=where["subscription"],
            location=where["location"],
            regions=tuple(body["desiredLocations"]),
            instance_types=tuple(size["sku"] for size in body["desiredSizes"]),
            desired_count=body["desiredCount"],
            authorization=request.headers.get("Authorization", ""),
            api_version=parts.query,
        )
        assert body["availabilityZones"] is True
        assert len(seen.regions) <= 8
        assert len(seen.instance_types) <= 5
        self.seen.append(seen)
        return seen

    def _early(self, seen: Seen) -> requests.Response | Exception | None:
        used = self._used[seen.subscription, seen.location]
        used[:] = [at for at in used if (seen.at - at).total_seconds() < 3600]
        if len(used) >= self.quota_calls:
            self.refused += 1
            return answer(429, QUOTA_TEXT)
        used.append(seen.at)
        fault = self.fault(seen) if self.fault else None
        if fault is not None:
            return fault
        for region in seen.regions:
            if region in self.invalid_regions:
                return not_valid("desiredLocations", region)
        for size in seen.instance_types:
            if size in self.invalid_sizes:
                return not_valid("SpotPlacementRecommenderInput.desiredSizes", size)
        return None

    def _answered(self, seen: Seen) -> requests.Response:
        rows = [row for row in self._scores(seen) if self.dropped is None or not self.dropped(seen, row)]
        self.told.append((seen, rows))
        return answer(200, {"placementScores": rows})

    def _scores(self, seen: Seen) -> list[dict[str, Any]]:
        rows = []
        for region in seen.regions:
            for size in seen.instance_types:
                restricted = size in self.restricted.get(seen.subscription, set())
                zones = self.physical.get(seen.subscription, {"1": "b1", "2": "b2", "3": "b3"})
                for zone, building in [("", "")] if region in self.regional else sorted(zones.items()):
                    word = "RestrictedSkuNotAvailable" if restricted else self.words.get(building, "High")
                    row = {"sku": size, "region": region, "score": word, "isQuotaAvailable": True}
                    rows.append({**row, "availabilityZone": zone} if zone else row)
        return rows


class DoubleTokens:
    """A token source that counts its renewals."""

    def __init__(self) -> None:
        self.number = 1
        self.error: Exception | None = None

    def headers(self) -> dict[str, str]:
        if self.error is not None:
            raise self.error
        return {"Authorization": f"Bearer token-{self.number}"}

    def renew(self, refused: Mapping[str, str]) -> None:
        if refused == self.headers():
            self.number += 1


@dataclass
class Bench:
    """One collector on a small Azure."""

    subscriptions: tuple[str, ...] = ("sub-a", "sub-b")
    clock: ManualClock = field(default_factory=lambda: ManualClock(SLOT_AT))
    ledger: QuotaLedger = field(default_factory=MemoryLedger)
    objects: MemoryObjects = field(default_factory=MemoryObjects)
    tokens: DoubleTokens = field(default_factory=DoubleTokens)
    settings: Settings = field(default_factory=Settings)
    threads: int = 4
    seconds_left: float = 600.0
    waited: list[float] = field(default_factory=list)
    attempts: int = 0
    azure: DoubleAzure = field(init=False)

    def __post_init__(self) -> None:
        self.azure = DoubleAzure(self.clock)

    def deps(self, **changes: Any) -> PlacementDeps:
        session = requests.Session()
        session.mount("https://", self.azure)
        digests = {subscription_digest(name): name for name in self.subscriptions}
        numbers = {
            digest: {
                region: self.azure.physical.get(name, {"1": "b1", "2": "b2", "3": "b3"})
                for region in ("koreacentral", "eastus", "westus")
            }
            for digest, name in digests.items()
        }
        values: dict[str, Any] = {
            "objects": self.objects,
            "ledger": self.ledger,
            "session": session,
            "tokens": self.tokens,
            "subscriptions": self.subscriptions,
            "zones": ZoneMap(numbers, reference=subscription_digest(self.subscriptions[0])),
            "restrictions": read_score_knowledge(self.objects, self.clock.now()).restrictions,
            "clock": self.clock,
            "deadline": Deadline(lambda: self.seconds_left),
            "settings": self.settings,
            "threads": self.threads,
            "sleep": self._sleep,
            "monotonic": lambda: self.clock.now().timestamp(),
            "jitter": lambda: 1.0,
        }
        return PlacementDeps(**{**values, **changes})

    def _sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.seconds_left -= seconds
        self.clock.advance(seconds=seconds)

    def collect(self, work: WorkItem, run: Run = RUN, **changes: Any) -> tuple[CollectorReport, list[dict[str, Any]]]:
        self.attempts += 1
        run = replace(run, attempt=self.attempts)
        report = collect_placement_scores(run, work, self.deps(**changes))
        key = f"rawdata/azure/sps/{run.slot_at:%Y/%m/%d/%H-%M}/{work.region}.{run.attempt}.jsonl.gz"
        shard = open_shard(
            self.objects.objects[key],
            key=key,
            dataset=report.dataset,
            run_id=run.run_id,
            region=work.region,
            attempt=run.attempt,
        )
        assert shard.header.report == report
        return report, parsed_rows(shard)

    def sent(self) -> Counter[str]:
        return Counter(f"{seen.subscription}@{seen.location}" for seen in self.azure.seen)


def item(
    calls: int = 3,
    *,
    regions: tuple[str, ...] = ("koreacentral", "eastus"),
    sizes: tuple[str, ...] = ("Standard_D2s_v5", "Standard_E4s_v5"),
    location: str = "koreacentral",
    fallback: tuple[str, ...] = ("eastus", "westus"),
) -> WorkItem:
    """Calls that ask different sizes: the given ones, and more of their kind."""
    return WorkItem(
        region="koreacentral",
        instance_types=sizes,
        calls=tuple(
            ScoreCall(
                call_id=f"c{number:04}",
                location=location,
                regions=regions,
                instance_types=sizes if number == 0 else tuple(f"{size}{'x' * number}" for size in sizes),
                desired_count=1,
            )
            for number in range(calls)
        ),
        fallback_locations=fallback,
    )
