"""Asks for the sizes of all regions, once a day, beside a full run: a side input, which no other step waits for.

A region that does not answer keeps its last answer and is asked first on the next day.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import requests

from spotlake import keys
from spotlake.azure.http import HttpClient, HttpCounts, RetryPolicy
from spotlake.azure.resource_skus import API, SkuListing, list_sizes
from spotlake.azure.signed import Tokens
from spotlake.clock import Clock, Deadline
from spotlake.errors import AzureRefusedError, DeadlineError, SpotlakeError, UntrustedAnswerError
from spotlake.models import Run
from spotlake.names import is_collected_region
from spotlake.scores.zones import ZoneMap, subscription_digest
from spotlake.settings import Settings
from spotlake.sizes.facts import Offer, RegionSizes, Sizes, Source
from spotlake.sizes.files import sizes_csv
from spotlake.sizes.geography import Geography
from spotlake.state.sizes import SIZES
from spotlake.stores.documents import put_once
from spotlake.stores.objects import ObjectStore

_LOG = logging.getLogger(__name__)
_POLICY = RetryPolicy(attempts=3, backoff_seconds=1.0, longest_wait_seconds=30.0, timeout_seconds=(5.0, 60.0))
_SECONDS = 300.0  # of a full run; the regions that are left are asked first on the next day
DUE = timedelta(hours=20)  # the full run comes once a day, not always at the same hour
# A list with less than half of the sizes is not believed, until the last whole one is a week old.
_FALL, _BELIEVED_AFTER = 0.5, timedelta(days=7)
_FORGOTTEN_AFTER = timedelta(days=60)
_FORBIDDEN = (401, 403)


@dataclass(frozen=True, kw_only=True)
class SizesDeps:
    """Dependencies of the collector.

    Attributes:
        objects: The write bucket.
        session: HTTP session.
        tokens: Source of tokens.
        subscriptions: Ids, in the order in which they are tried.
        zones: Zone map, which turns zone numbers into those of the reference subscription.
        geographies: Geographies that the list of locations told.
        clock: Clock of the run.
        deadline: Deadline of the job.
        settings: Settings: API address and source.
        stopping: Whether the machine is being taken away.
        sleep, monotonic: Waiting and measuring; tests pass their own.
    """

    objects: ObjectStore
    session: requests.Session
    tokens: Tokens
    subscriptions: Sequence[str]
    zones: ZoneMap
    geographies: Mapping[str, Geography]
    clock: Clock
    deadline: Deadline
    settings: Settings
    stopping: Callable[[], bool] = lambda: False
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic


def collect_sizes(run: Run, pairs: Mapping[str, Iterable[str]], deps: SizesDeps) -> bool:
    """Ask every region that is due, keep what it told, and publish the file of the day.

    Args:
        run: The attempt.
        pairs: Region -> sizes of the catalogue. These regions are asked.
        deps: Dependencies.

    Returns:
        Whether the attempt's file is stored: not when no region was due, nor when the machine is being taken away. The
        job's next start continues.

    Raises:
        StoreError: The files cannot be written.
        SignInError, SignInUnavailableError: Azure refused the credentials, or did not answer.
    """
    return _Collection(run, pairs, deps).collect()


@dataclass
class _Collection:
    run: Run
    pairs: Mapping[str, Iterable[str]]
    deps: SizesDeps
    http: HttpCounts = field(default_factory=HttpCounts)
    answered: dict[str, RegionSizes] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        end = self.deps.monotonic() + _SECONDS
        deadline = Deadline(lambda: min(self.deps.deadline.seconds_left(), end - self.deps.monotonic()))
        self.client = HttpClient(API, self.deps.session, _POLICY, deadline, self.http, self.deps.sleep)
        self.subscriptions = list(self.deps.subscriptions)

    def collect(self) -> bool:
        key = keys.sizes_file(self.run.slot_at, self.run.attempt)
        stored = self.deps.objects.get(key)
        if stored is not None:  # an earlier start of this job may have ended before it wrote the newest file
            self.deps.objects.put(keys.LATEST_SIZES, stored.body, content_type="application/gzip")
            return True
        before = SIZES.read(self.deps.objects)
        began = self.deps.monotonic()
        due = self._due(before)
        if not due and not self._has_asked(before):
            return False
        known = self._ask_all(due, before) if due else before
        if self.deps.stopping():
            return False
        body = sizes_csv(known, self.pairs, self.deps.geographies)
        put_once(self.deps.objects, key, body, content_type="application/gzip")
        self.deps.objects.put(keys.LATEST_SIZES, body, content_type="application/gzip")
        seconds = self.deps.monotonic() - began
        note = _LOG.warning if self.failed else _LOG.info
        note(
            "sizes of %d regions in %.1f s and %d requests; %d regions keep older facts%s",
            len(self.answered), seconds, self.http.requests, len(self.failed), self._first_cause(),
        )  # fmt: skip
        return True

    def _due(self, before: Sizes) -> list[str]:
        """Regions to ask, the oldest answer first."""
        now_at = self.deps.clock.now()
        last_at = {region: one.asked_at for region, one in before.regions.items()}
        due = [
            region
            for region in filter(is_collected_region, self.pairs)
            if region not in last_at or now_at - last_at[region] >= DUE
        ]
        return sorted(due, key=lambda one: (last_at[one].isoformat() if one in last_at else "", one))

    def _has_asked(self, before: Sizes) -> bool:
        """Whether an earlier start of this job asked a region, and ended before it wrote the day's file."""
        return any(one.asked_at >= self.run.started_at for one in before.regions.values())

    def _ask_all(self, due: Sequence[str], before: Sizes) -> Sizes:
        """Ask these regions, and keep what they told. Returns the facts of all regions."""
        self.deps.tokens.headers()  # without a sign-in no region would answer
        for region in due:
            try:
                self._ask(region, before.regions.get(region))
            except DeadlineError as error:
                self.failed[region] = str(error)
            except SpotlakeError as error:
                self.failed[region] = f"{type(error).__name__}: {error}"
        return SIZES.change(self.deps.objects, self._with_answers)

    def _ask(self, region: str, before: RegionSizes | None) -> None:
        """Ask one region. A subscription that refuses is not asked again; the last one's refusal counts for all."""
        if self.deps.stopping():
            raise DeadlineError("the machine is taken away")
        source: Source = "live" if self.deps.settings.azure_source == "live" else "simulated"
        while True:
            if not self.subscriptions:
                raise AzureRefusedError(API, "no subscription lets its sizes be read")
            subscription = self.subscriptions[0]
            asked_at = self.deps.clock.now()
            try:
                listing = list_sizes(
                    self.client,
                    self.deps.settings.azure_management_url,
                    tokens=self.deps.tokens,
                    subscription=subscription,
                    region=region,
                    source=source,
                )
            except AzureRefusedError as error:
                if error.status not in _FORBIDDEN:
                    raise
                _LOG.warning("subscription %s: %s", subscription_digest(subscription), error)
                self.subscriptions.pop(0)
                continue
            break
        is_old = before is None or asked_at - before.asked_at >= _BELIEVED_AFTER
        if before is not None and not is_old and len(listing.offers) < len(before.offers) * _FALL:
            said = f"{region}: {len(listing.offers)} sizes, the last answer had {len(before.offers)}"
            raise UntrustedAnswerError(API, said)
        self.answered[region] = RegionSizes(
            asked_at=asked_at,
            offers=self._in_reference_zones(listing, subscription_digest(subscription), region),
            counts=dict(listing.counts),
            odd=tuple(listing.odd),
        )

    def _in_reference_zones(self, listing: SkuListing, digest: str, region: str) -> dict[str, Offer]:
        """The offers in zone numbers of the reference subscription. A zone whose building is unknown is left out."""
        numbers = {zone for offer in listing.offers.values() for zone in (*offer.zones, *offer.restricted_zones)}
        placed = {zone: self.deps.zones.place(digest, region, zone).zone for zone in numbers}

        def renumbered(zones: Iterable[str]) -> tuple[str, ...]:
            return tuple(sorted(number for zone in zones if (number := placed[zone]) is not None))

        listing.counts["unknown_zones"] = sum(number is None for number in placed.values())
        return {
            key: replace(offer, zones=renumbered(offer.zones), restricted_zones=renumbered(offer.restricted_zones))
            for key, offer in listing.offers.items()
        }

    def _with_answers(self, before: Sizes) -> Sizes:
        regions = {**before.regions, **self.answered}
        # A region that nobody has asked for long is forgotten, so the document does not grow without end.
        now_at = self.deps.clock.now()
        kept = {
            region: one
            for region, one in regions.items()
            if region in self.pairs or now_at - one.asked_at < _FORGOTTEN_AFTER
        }
        still = {region: cause for region, cause in before.failed.items() if region not in self.answered}
        return Sizes(regions=kept, failed={**still, **self.failed})

    def _first_cause(self) -> str:
        return f" ({next(iter(self.failed.values()))})" if self.failed else ""
