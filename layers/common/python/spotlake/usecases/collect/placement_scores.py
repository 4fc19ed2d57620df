"""Collects the placement scores of one region's work item: reserve, send, ask again, write the shard."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from random import random

import requests

from spotlake.azure.answers import SCORES_BYTES
from spotlake.azure.http import HttpClient, HttpCounts, RetryPolicy
from spotlake.azure.placement import API
from spotlake.azure.signed import Tokens
from spotlake.clock import Clock, Deadline
from spotlake.errors import ReclaimedError, SignInError, SignInUnavailableError, SpotlakeError
from spotlake.models import Dataset, Mode, Run, ScoreCall, WorkItem
from spotlake.names import join_key
from spotlake.planning.lessons import InvalidNames, Restrictions
from spotlake.reports import CollectorReport, CollectorStatus, Findings
from spotlake.scores.accounts import Accountant, AnsweredCall
from spotlake.scores.quota import QuotaRules
from spotlake.scores.rows import count_rows, offered, restricted_for, restrictions, unique_rows
from spotlake.scores.second_calls import second_calls
from spotlake.scores.zones import ZoneMap, subscription_digest
from spotlake.settings import Settings
from spotlake.shard_rows import ScoreRow
from spotlake.state.lessons import read_invalid_names
from spotlake.stores.ledger import QuotaLedger
from spotlake.stores.objects import ObjectStore
from spotlake.usecases.collect.call_rights import CallRights
from spotlake.usecases.collect.call_sender import CallSender
from spotlake.usecases.collect.delivery import Delivery, cause_of
from spotlake.usecases.collect.stored_shards import stored_report, write_shard

_WRITE_SECONDS = 15.0  # kept free at the end for giving back rights and writing the shard
_SECOND_CALLS_PERCENT = 10  # of the item's calls, and two more, may be spent on asking again
# One retry at the same location; then another location.
_POLICY = RetryPolicy(attempts=2, backoff_seconds=2.0, retry_throttled=False, most_bytes=SCORES_BYTES)


@dataclass(frozen=True, kw_only=True)
class PlacementDeps:
    """Dependencies of the collector.

    Attributes:
        objects: The write bucket.
        ledger: The quota ledger.
        session: HTTP session with as many connections as ``threads`` (``azure.http.new_session``).
        tokens: Source of tokens (``azure.tokens.TokenSource``).
        subscriptions: Ids in the given order. The first one is the reference for zone numbers.
        zones: Zone map from ``azure.locations``; ``ZoneMap({}, reference=...)`` when no zone is known.
        restrictions: Looks up what is known of restrictions of some regions.
        clock, deadline: Clock of the run, and the Lambda's or job's end. The shard is written some seconds before it.
        settings: Settings: quota, source, API address.
        threads: Number of calls under way at once.
        owed: Region -> sizes whose scores are owed, for the accounts. None: every pair of every call is owed.
        already: Call id -> answered call of this item, also a second call, that an earlier start of the job has stored.
            These calls are not sent again.
        on_call_done: Called with each answered call, from the caller's thread. An exception stops the collector at
            once: no further call is sent, and no shard is written.
        stopping: Whether the machine is being taken away. Then no shard is written, and the next start continues.
        sleep, monotonic, jitter: Waiting, measuring and chance; tests pass their own.
    """

    objects: ObjectStore
    ledger: QuotaLedger
    session: requests.Session
    tokens: Tokens
    subscriptions: tuple[str, ...]
    zones: ZoneMap
    clock: Clock
    deadline: Deadline
    settings: Settings
    restrictions: Callable[[Collection[str]], Restrictions] = lambda _: Restrictions()
    threads: int = 8
    owed: Mapping[str, Collection[str]] | None = None
    already: Mapping[str, AnsweredCall] = field(default_factory=dict)
    on_call_done: Callable[[AnsweredCall], None] | None = None
    stopping: Callable[[], bool] = lambda: False
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random


def collect_placement_scores(run: Run, item: WorkItem, deps: PlacementDeps) -> CollectorReport:
    """Send the item's calls, as far as quota and time allow, and write the region's shard.

    The shard is always written, at the very end. Its accounts say which pairs were answered. If this attempt has
    already stored a shard, no call is sent and the stored report is returned.

    Args:
        run: The attempt.
        item: Work of the region.
        deps: Dependencies.

    Raises:
        SignInError, SignInUnavailableError: The sign-in failed and nothing was collected.
        ReclaimedError: The machine is being taken away; every answer was handed to ``on_call_done``.
        StoreError: The shard cannot be written.
    """
    stored = stored_report(deps.objects, Dataset.SPS, run, item.region)
    return stored if stored is not None else _Collection(run, item, deps).collect()


class _Collection:
    """One collector at work: calls sent, and answers received."""

    def __init__(self, run: Run, item: WorkItem, deps: PlacementDeps) -> None:
        self.run, self.item, self.deps = run, item, deps
        self.began = deps.monotonic()
        self.http = HttpCounts()
        self.rows: list[ScoreRow] = []
        self.accountant = Accountant(deps.owed)
        self.calls_answered = 0
        self.unsent: list[str] = []
        self.reasons: Counter[str] = Counter()
        self.error: SpotlakeError | None = None
        self.known = deps.restrictions({region for call in item.calls for region in call.regions})
        # A full run asks refused names again, so only it can find them answered.
        self.refused_before = read_invalid_names(deps.objects) if run.mode is Mode.FULL else InvalidNames()
        self.todo = [call for call in item.calls if call.call_id not in deps.already]
        settings = deps.settings
        self.rights = CallRights(
            deps.ledger,
            subscriptions=deps.subscriptions,
            rules=QuotaRules.of(
                quota_calls=settings.quota_calls,
                window_minutes=settings.quota_window_minutes,
                share_percent=item.quota_share_percent or settings.quota_share_percent,
            ),
            clock=deps.clock,
            expected=Counter(call.location for call in self.todo),
        )
        digests = {name: subscription_digest(name) for name in deps.subscriptions}
        deadline = Deadline(lambda: deps.deadline.seconds_left() - _WRITE_SECONDS)
        self.sender = CallSender(
            run=run,
            client=HttpClient(API, deps.session, _POLICY, deadline, self.http, deps.sleep, deps.jitter),
            management_url=settings.azure_management_url,
            tokens=deps.tokens,
            rights=self.rights,
            zones=deps.zones,
            clock=deps.clock,
            deadline=deadline,
            fallback_locations=item.fallback_locations,
            source=settings.azure_source,
            shunned={name: self.known.by_subscription.get(digest, ()) for name, digest in digests.items()},
            unplaced=[name for name, digest in digests.items() if not deps.zones.knows(digest)],
            sleep=deps.sleep,
            monotonic=deps.monotonic,
        )

    def collect(self) -> CollectorReport:
        calls = {call.call_id: call for call in self.item.calls}
        for stored in self.deps.already.values():
            self.rows.extend(stored.rows)
            if stored.call_id in calls:
                self._note_answer(calls[stored.call_id], stored)
        for call, delivery in self._send([(call, frozenset()) for call in self.todo]):
            if delivery.answer is not None:
                self._note_answer(call, delivery.answer)
            else:
                self.unsent.append(call.call_id)
                self.accountant.unanswered(call, delivery.reason, self.sender.invalid_names)
                self.reasons[delivery.reason] += 1
                self.error = delivery.error or self.error
        if not self.unsent and self.rows and self.item.calls:
            self._ask_again()
        self.sender.counts["give_back_failures"] = int(not self.rights.give_back())
        fatal = self.sender.fatal
        if isinstance(fatal, SignInError | SignInUnavailableError) and not self.rows:
            raise fatal
        return self._write()

    def _note_answer(self, call: ScoreCall, answer: AnsweredCall) -> None:
        self.calls_answered += 1
        self.accountant.answered(call, answer)

    def _send(self, calls: Sequence[tuple[ScoreCall, frozenset[str]]]) -> Iterator[tuple[ScoreCall, Delivery]]:
        """Yield each call with its result, as results come. Calls are sent in order of importance."""
        pool = ThreadPoolExecutor(max_workers=self.deps.threads)
        sent = {pool.submit(self.sender.deliver, call, avoid=avoid): call for call, avoid in calls}
        try:
            for future in as_completed(sent):
                call, delivery = sent.pop(future), future.result()
                self._keep(delivery)
                yield call, delivery
        except BaseException as error:
            self.sender.stop(ReclaimedError("the collector was stopped from outside"))
            pool.shutdown(cancel_futures=True)
            if isinstance(error, Exception):  # otherwise the process is about to end, without time for optional work
                self._keep_late(sent)
                self.rights.give_back()
            raise
        pool.shutdown()

    def _keep(self, delivery: Delivery) -> None:
        if delivery.answer is not None:
            self.rows.extend(delivery.answer.rows)
            if self.deps.on_call_done is not None:
                self.deps.on_call_done(delivery.answer)

    def _keep_late(self, sent: Iterable[Future[Delivery]]) -> None:
        """Keep the answers of calls that were under way when the collector was stopped, because they used quota."""
        for future in sent:
            if not future.cancelled() and future.done() and future.exception() is None:
                with contextlib.suppress(ReclaimedError):  # this exception stopped the collector
                    self._keep(future.result())

    def _ask_again(self) -> None:
        """Ask restricted pairs through another subscription. Pairs without an answer wait for the next run."""
        ids = {subscription_digest(name): name for name in self.rights.usable_subscriptions}
        extra = second_calls(
            self.rows,
            remembered=self.known.everywhere,
            digests=list(ids),
            location=self.item.calls[0].location,
            most=2 + len(self.item.calls) * _SECOND_CALLS_PERCENT // 100,
        )
        calls = [
            (one.call, frozenset(ids[digest] for digest in one.avoid if digest in ids))
            for one in extra
            if one.call.call_id not in self.deps.already
        ]
        answered = 0
        for call, delivery in self._send(calls):
            if delivery.answer is not None:
                answered += 1
                self.accountant.improved(call, delivery.answer.rows)
        self.sender.counts["second_calls"] = len(calls)
        self.sender.counts["second_calls_answered"] = answered

    def _write(self) -> CollectorReport:
        if self.deps.stopping():
            raise ReclaimedError(f"{self.item.region}: the machine is taken away before its shard was written")
        kept = unique_rows(self.rows)
        source, now = self.deps.settings.azure_source, self.deps.clock.now()
        return write_shard(self.deps.objects, self.run, self._report(kept), kept, source=source, collected_at=now)

    def _report(self, kept: Sequence[ScoreRow]) -> CollectorReport:
        accounts = self.accountant.accounts()
        missing = sum(one.missing for one in accounts)
        status: CollectorStatus = "complete"
        if missing or self.unsent:
            status = "partial" if any(one.answered for one in accounts) else "failed"
        error = (self.sender.fatal or self.error) if status != "complete" else None
        counts = {
            "calls_planned": len(self.item.calls),
            "calls_answered": self.calls_answered,
            "calls_unsent": len(self.unsent),
            "calls_sent": self.http.requests,
            "calls_already": len(self.item.calls) - len(self.todo),
            **self.http.to_dict(),
            **self.sender.counts,
            **{f"unsent_{reason}": number for reason, number in self.reasons.items()},
            **count_rows(self.rows, kept),
        }
        unsent, calls = len(self.unsent), len(self.item.calls)
        cause = cause_of(self.reasons, unsent=unsent, calls=calls, missing=missing, error=error)
        return CollectorReport(
            dataset=Dataset.SPS,
            region=self.item.region,
            status=status,
            rows=len(kept),
            counts=dict(sorted(counts.items())),
            seconds=round(self.deps.monotonic() - self.began, 3),
            unsent_call_ids=tuple(sorted(self.unsent)),
            accounts=accounts,
            error=type(error).__name__ if error else None,
            cause=cause if status != "complete" else None,
            found=self._findings(),
        )

    def _findings(self) -> Findings:
        refused_by, remembered = restrictions(self.rows), self.known.everywhere
        restricted = [pair for pair, said in sorted(refused_by.items()) if len(said) > 1]
        return Findings(
            invalid_regions=tuple(sorted(self.sender.invalid_regions)),
            invalid_instance_types=self._spelt(self.sender.invalid_instance_types),
            answered_regions=tuple(sorted({row.region for row in self.rows} & self.refused_before.regions.keys())),
            answered_instance_types=tuple(
                sorted({row.instance_type for row in self.rows} & self.refused_before.instance_types.keys())
            ),
            restricted_pairs=tuple(pair for pair in restricted if (pair[0], join_key(pair[1])) not in remembered),
            unrestricted_pairs=tuple(sorted(remembered & offered(self.rows))),
            restricted_for={digest: tuple(pairs) for digest, pairs in restricted_for(self.rows).items()},
            refused_subscriptions=dict(sorted(self.sender.refused_subscriptions.items())),
            locations={name: health.answers() for name, health in sorted(self.sender.health.items())},
        )

    def _spelt(self, names: set[str]) -> tuple[str, ...]:
        sent = {join_key(name): name for call in self.item.calls for name in call.instance_types}
        return tuple(sorted(sent[name] for name in names))
