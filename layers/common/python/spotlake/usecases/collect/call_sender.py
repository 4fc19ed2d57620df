"""Sends calls: chooses the route, reacts to each answer, and decides when to stop."""

from __future__ import annotations

import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from spotlake.azure.http import HttpClient
from spotlake.azure.placement import API_VERSION, Answer, Outcome, Question, ask
from spotlake.azure.signed import Tokens
from spotlake.clock import Clock, Deadline
from spotlake.errors import AzureError, DeadlineError, SignInError, SignInUnavailableError, SpotlakeError, StoreError
from spotlake.models import Run, ScoreCall
from spotlake.names import join_key
from spotlake.scores.accounts import AnsweredCall
from spotlake.scores.rows import Pair, rows_of
from spotlake.scores.zones import ZoneMap, subscription_digest
from spotlake.shard_rows import ScoreRow
from spotlake.usecases.collect.call_rights import CallRights
from spotlake.usecases.collect.delivery import Delivery, LocationHealth
from spotlake.usecases.collect.refused_parts import INVALID_REQUEST, RefusedParts

_LOCATIONS_PER_CALL = 4  # its own location and three more
_SPREAD_OVER = 8  # calls of a failing location go to this many of the healthiest others
_SHORT_WAITS = 3
_LONGEST_SHORT_WAIT_SECONDS = 30.0
_SENDS_PER_LOCATION = 20  # a call holds 13 names; the rest is for other subscriptions


@dataclass(kw_only=True)
class CallSender:
    """Delivers calls, one at a time per thread. Threads share what answers teach.

    Attributes:
        run: Run that sends the calls.
        client: HTTP client for this API. Its deadline ends before the collector's.
        management_url: Base URL of the API.
        tokens: Source of tokens.
        rights: Rights to send under the quota.
        zones: Maps zones to the reference subscription's numbers.
        clock: Clock of the run, for the time of an answer.
        deadline: No call begins after this deadline.
        fallback_locations: Locations for a call whose own location fails, healthiest first.
        source: "live" or "simulated", for every row.
        shunned: Subscription -> pairs (size as ``join_key``) that this subscription may not use.
        unplaced: Subscriptions without known zone numbers; used only if there is no other.
        sleep, monotonic: Waiting and measuring; tests pass their own.
        api_version: Version to use. Changes when Azure no longer serves the version.
        invalid_regions, invalid_instance_types: Names that Azure refused in this run.
        unsupported: Locations that route no call.
        health: Location -> results of its calls.
        counts: Number of answers by kind, and of rows that could not be used.
        fatal: Error that makes further calls useless; None so far.
        split_budget: Calls that may still be sent for parts of refused calls.
    """

    run: Run
    client: HttpClient
    management_url: str
    tokens: Tokens
    rights: CallRights
    zones: ZoneMap
    clock: Clock
    deadline: Deadline
    fallback_locations: Sequence[str]
    source: str
    shunned: Mapping[str, Collection[Pair]] = field(default_factory=dict)
    unplaced: Collection[str] = ()
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    api_version: str = API_VERSION
    invalid_regions: set[str] = field(default_factory=set)
    invalid_instance_types: set[str] = field(default_factory=set)
    unsupported: set[str] = field(default_factory=set)
    refused_subscriptions: dict[str, str] = field(default_factory=dict)
    health: dict[str, LocationHealth] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    fatal: SpotlakeError | None = None
    split_budget: int = 24
    _splitting: threading.Lock = field(default_factory=threading.Lock)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def deliver(self, call: ScoreCall, *, avoid: Collection[str] = ()) -> Delivery:
        """Deliver a call: try all that is allowed, and return the result.

        Args:
            call: The call to send.
            avoid: Subscriptions not to ask.
        """
        try:
            delivery = self._deliver_anywhere(call, avoid)
            if delivery.reason == INVALID_REQUEST:
                delivery = self._deliver_in_parts(call, avoid, delivery)
        except DeadlineError as error:
            return Delivery(reason="deadline", error=error)
        except (SignInError, SignInUnavailableError, StoreError) as error:
            self.stop(error)
            return Delivery(reason="stopped", error=error)
        return delivery

    def _deliver_anywhere(self, call: ScoreCall, avoid: Collection[str]) -> Delivery:
        delivery = Delivery(reason="unsupported_location")
        for location in self._locations(call):
            delivery = self._deliver_through(location, call, avoid)
            if delivery.answer is not None or not delivery.elsewhere:
                break
        return delivery

    def _deliver_in_parts(self, call: ScoreCall, avoid: Collection[str], whole: Delivery) -> Delivery:
        """Find the names for which Azure refuses a call in unknown words, and have the others answered."""
        with self._splitting:
            parts = RefusedParts(lambda part: self._deliver_anywhere(part, avoid), self.split_budget)
            answers, regions, sizes = parts.split(call)
            self._count("calls_split")
            self._count("calls_for_parts", self.split_budget - parts.budget)
            self.split_budget = parts.budget
            self.invalid_regions.update(regions)
            self.invalid_instance_types.update(map(join_key, sizes))
        if not answers:
            return whole
        return Delivery(answer=self._answer(call, [row for one in answers for row in one.rows]))

    def stop(self, why: SpotlakeError) -> None:
        """Begin no further send. Sends under way end by themselves."""
        self.fatal = why

    def _locations(self, call: ScoreCall) -> list[str]:
        """The call's own location and some others. Locations that failed most of their calls come last."""
        others = [name for name in self.fallback_locations if name != call.location]
        if others:
            start = zlib.crc32(call.call_id.encode()) % min(len(others), _SPREAD_OVER)
            others = others[start:] + others[:start]
        tried = [name for name in [call.location, *others] if name not in self.unsupported]
        tried.sort(key=lambda name: self._health(name).is_bad)
        return tried[:_LOCATIONS_PER_CALL]

    def _deliver_through(self, location: str, call: ScoreCall, avoid: Collection[str]) -> Delivery:
        kinds: Counter[Outcome] = Counter()
        error: AzureError | None = None
        shun = self._shun(call)
        for number in range(_SENDS_PER_LOCATION):
            question = self._question(location, call)
            if not question.regions or not question.instance_types:
                return Delivery(answer=self._answer(call, ()))  # every name is refused, which is the call's answer
            if self.fatal is not None:
                return Delivery(reason="stopped", error=self.fatal, elsewhere=False)
            self.deadline.check("placement scores", needs_seconds=1.0)
            subscription = None
            if not self._health(location).is_shut:
                subscription = self.rights.take(location, avoid=avoid, shun=shun, again=number > 0)
            if subscription is None:
                return Delivery(reason="no_quota", error=error)
            question = replace(question, subscription=subscription)
            answer = self._ask(question)
            if answer.outcome is Outcome.SCORED:
                return Delivery(answer=self._answer(call, self._rows(answer, call, question)))
            kinds[answer.outcome] += 1
            error = answer.error
            if answer.outcome is Outcome.VCPU_QUOTA:
                avoid = {*avoid, subscription}
            given_up = self._learn(answer, question, kinds)
            if given_up is not None:
                return given_up
        return Delivery(reason="refused", error=error)

    def _shun(self, call: ScoreCall) -> set[str]:
        asked = {(region, join_key(size)) for region in call.regions for size in call.instance_types}
        return {name for name, pairs in self.shunned.items() if not asked.isdisjoint(pairs)} | set(self.unplaced)

    def _question(self, location: str, call: ScoreCall) -> Question:
        """The question of a call, without refused names. The subscription is chosen later."""
        return Question(
            subscription="",
            location=location,
            regions=[name for name in call.regions if name not in self.invalid_regions],
            instance_types=[name for name in call.instance_types if join_key(name) not in self.invalid_instance_types],
            desired_count=call.desired_count,
            api_version=self.api_version,
        )

    def _ask(self, question: Question) -> Answer:
        began = self.monotonic()

        def may_retry() -> bool:
            return self.rights.take(question.location, only=question.subscription) is not None

        answer = ask(self.client, self.management_url, self.tokens, question, may_retry=may_retry)
        seconds = self.monotonic() - began
        with self._lock:
            health = self.health.setdefault(question.location, LocationHealth())
            health.sent += 1
            self.counts[f"answers_{answer.outcome.value}"] += 1
            if answer.outcome is Outcome.SCORED:
                health.seconds.append(seconds)
                health.refused.clear()
            if answer.outcome is Outcome.QUOTA_EXHAUSTED:
                health.refused.add(question.subscription)
            if answer.outcome in (Outcome.UNAVAILABLE, Outcome.UNREADABLE, Outcome.LOCATION_UNSUPPORTED):
                health.failed += 1
        return answer

    @property
    def invalid_names(self) -> frozenset[str]:
        """Names that Azure has refused so far: regions, and sizes as ``join_key``."""
        return frozenset(self.invalid_regions | self.invalid_instance_types)

    def _answer(self, call: ScoreCall, rows: Sequence[ScoreRow]) -> AnsweredCall:
        asked = {*call.regions, *map(join_key, call.instance_types)}
        return AnsweredCall(call_id=call.call_id, rows=tuple(rows), invalid=tuple(sorted(asked & self.invalid_names)))

    def _rows(self, answer: Answer, call: ScoreCall, question: Question) -> list[ScoreRow]:
        self._count("rows_dropped", answer.dropped)
        self._count("pairs_unanswered", len(answer.unanswered))
        return rows_of(
            answer.scores,
            run=self.run,
            call=call,
            location=question.location,
            digest=subscription_digest(question.subscription),
            zones=self.zones,
            source=self.source,
            observed_at=self.clock.now(),
        )

    def _learn(self, answer: Answer, question: Question, kinds: Counter[Outcome]) -> Delivery | None:
        """React to an answer without scores. None means: send the call again through this location.

        Args:
            answer: The answer.
            question: The question.
            kinds: Number of answers to this call at this location so far, by kind.
        """
        match answer.outcome:
            case Outcome.INVALID_REGION | Outcome.INVALID_INSTANCE_TYPE | Outcome.VERSION_UNSUPPORTED:
                self._learn_names(answer)
            case Outcome.VCPU_QUOTA:
                pass  # the next send uses another subscription
            case Outcome.QUOTA_EXHAUSTED:
                self.rights.rest(question.location, question.subscription, seconds=answer.wait_seconds)
            case Outcome.SUBSCRIPTION_REFUSED:
                self._refuse(question.subscription, answer)
            case Outcome.TOKEN_REFUSED:
                if kinds[Outcome.TOKEN_REFUSED] > 1:
                    raise SignInError(f"Azure refuses a token that was just issued: {answer.error}")
                self.tokens.renew(answer.headers or {})
            case Outcome.THROTTLED:
                self._wait_or_rest(answer, question, kinds[Outcome.THROTTLED])
            case Outcome.LOCATION_UNSUPPORTED:
                self.unsupported.add(question.location)
                return Delivery(reason="unsupported_location", error=answer.error)
            case Outcome.INVALID_REQUEST:
                return Delivery(reason=INVALID_REQUEST, error=answer.error, elsewhere=False)
            case _:
                return Delivery(reason=answer.outcome.value, error=answer.error)
        return None

    def _learn_names(self, answer: Answer) -> None:
        if answer.outcome is Outcome.INVALID_REGION:
            self.invalid_regions.update(answer.names)
        elif answer.outcome is Outcome.INVALID_INSTANCE_TYPE:
            self.invalid_instance_types.update(map(join_key, answer.names))
        else:
            (self.api_version,) = answer.names

    def _wait_or_rest(self, answer: Answer, question: Question, waits: int) -> None:
        """Wait shortly, or let the route rest when the wait is long or one of several."""
        seconds = max(1.0, answer.wait_seconds)
        if waits > _SHORT_WAITS or seconds > _LONGEST_SHORT_WAIT_SECONDS:
            self.rights.rest(question.location, question.subscription, seconds=seconds)
            return
        self.deadline.check("waiting for placement scores", needs_seconds=seconds + 1.0)
        self.sleep(seconds)

    def _refuse(self, subscription: str, answer: Answer) -> None:
        self.rights.refuse(subscription)
        code = (answer.error.code if answer.error else None) or "refused"
        self.refused_subscriptions[subscription_digest(subscription)] = code
        if not self.rights.usable_subscriptions:
            self.fatal = answer.error

    def _health(self, location: str) -> LocationHealth:
        return self.health.get(location) or LocationHealth()

    def _count(self, name: str, more: int = 1) -> None:
        with self._lock:
            self.counts[name] += more
