"""Accounts of placement scores: which pairs were asked, answered, or left without an answer (pure).

The collector that asks writes the account; nobody infers an answer from the lack of a failure. A pair that was asked
twice counts once, by its best answer: a score, an answer without a score, no answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from spotlake.models import ScoreCall
from spotlake.names import join_key
from spotlake.reports import PairAccount
from spotlake.scores.score import INSUFFICIENT_QUOTA, RESTRICTED, STALE
from spotlake.shard_rows import ScoreRow

NOT_IN_ANSWER = "not_in_answer"  # the call was answered, and the answer lacks this pair
NO_REPORT = "no_report"  # the collector left no shard
INVALID_NAME = "invalid_name"
UNKNOWN_ZONE = "unknown_zone"
_WORDS = {RESTRICTED: "restricted", STALE: "stale", INSUFFICIENT_QUOTA: "no_vcpu_quota"}
_SCORED = ""  # the best reason: there is a score

type Key = tuple[str, int]  # region, desired count


@dataclass(frozen=True, kw_only=True)
class AnsweredCall:
    """An answered call.

    Attributes:
        call_id: Id of the call.
        rows: Rows of the answer, as received.
        invalid: Regions, and sizes as ``join_key``, that Azure refused by name on the way to the answer.
    """

    call_id: str
    rows: tuple[ScoreRow, ...]
    invalid: tuple[str, ...] = ()


@dataclass
class Accountant:
    """Gathers what became of each pair that one collector asked.

    Attributes:
        owed: Region -> sizes that count; None: every pair of a call counts.
    """

    owed: Mapping[str, Collection[str]] | None = None
    _without: dict[Key, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    _unanswered: dict[Key, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def answered(self, call: ScoreCall, answer: AnsweredCall) -> None:
        """Note a call's answer. A pair without a row has no answer, unless Azure refused its name."""
        best = _best(answer.rows)
        for region, size in self._pairs(call):
            key = (region, call.desired_count)
            reason = best.get((region, join_key(size)))
            if reason is not None:
                self._without[key][size] = _better(self._without[key].get(size), reason)
            elif region in answer.invalid or join_key(size) in answer.invalid:
                self._without[key].setdefault(size, INVALID_NAME)
            else:
                self._unanswered[key][size] = NOT_IN_ANSWER

    def improved(self, call: ScoreCall, rows: Iterable[ScoreRow]) -> None:
        """Note the answer to a second call. The answer may improve the first one; no pair of the call is owed."""
        best = _best(rows)
        for region, size in self._pairs(call):
            known = self._without.get((region, call.desired_count), {})
            if size in known and (region, join_key(size)) in best:
                known[size] = _better(known[size], best[region, join_key(size)])

    def unanswered(self, call: ScoreCall, reason: str, invalid: Collection[str]) -> None:
        """Note a call without an answer, with the reason. Names that Azure refused meanwhile count as answered."""
        for region, size in self._pairs(call):
            key = (region, call.desired_count)
            if region in invalid or join_key(size) in invalid:
                self._without[key].setdefault(size, INVALID_NAME)
            else:
                self._unanswered[key][size] = reason

    def accounts(self) -> tuple[PairAccount, ...]:
        """By scored region and desired count, in that order."""
        found = []
        for region, count in sorted(self._without.keys() | self._unanswered.keys()):
            answered = self._without[region, count]
            missing = {size: reason for size, reason in self._unanswered[region, count].items() if size not in answered}
            found.append(
                PairAccount(
                    region=region,
                    desired_count=count,
                    scored=sum(reason == _SCORED for reason in answered.values()),
                    without_score=_by_reason({size: reason for size, reason in answered.items() if reason != _SCORED}),
                    unanswered=_by_reason(missing),
                )
            )
        return tuple(found)

    def _pairs(self, call: ScoreCall) -> Iterable[tuple[str, str]]:
        for region in call.regions:
            owed = None if self.owed is None else self.owed.get(region, ())
            for size in call.instance_types:
                if owed is None or size in owed:
                    yield region, size


@dataclass(frozen=True, kw_only=True)
class SlotAccount:
    """What all attempts of a slot asked, and what Azure answered. Each part is by (scored region, desired count).

    Attributes:
        scored: Number of asked sizes with a score in the rows.
        without_score: Asked sizes with an answer but no score -> reason.
        unanswered: Asked sizes without an answer -> reason.
    """

    scored: Mapping[Key, int] = field(default_factory=dict)
    without_score: Mapping[Key, Mapping[str, str]] = field(default_factory=dict)
    unanswered: Mapping[Key, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def fold(
        cls, asked: Mapping[Key, set[str]], scored: Mapping[Key, set[str]], accounts: Iterable[PairAccount]
    ) -> Self:
        """Make the account from the plans, the rows and the collectors' accounts.

        Of two answers without a score the later one is the reason; of two failures the first one.
        """
        without: dict[Key, dict[str, str]] = defaultdict(dict)
        unanswered: dict[Key, dict[str, str]] = defaultdict(dict)
        for one in accounts:
            key = (one.region, one.desired_count)
            for reason, sizes in one.without_score.items():
                without[key].update(dict.fromkeys(sizes, reason))
            for reason, sizes in one.unanswered.items():
                unanswered[key].update((size, reason) for size in sizes if size not in unanswered[key])
        rest = {key: sizes - scored.get(key, set()) for key, sizes in asked.items()}
        refused = {
            key: {size: without[key][size] for size in sizes if size in without[key]} for key, sizes in rest.items()
        }
        missing = {
            key: {size: unanswered[key].get(size, NO_REPORT) for size in sizes if size not in refused[key]}
            for key, sizes in rest.items()
        }
        got = {key: len(sizes) - len(rest[key]) for key, sizes in asked.items()}
        return cls(scored=got, without_score=refused, unanswered=missing)

    def accounts(self) -> tuple[PairAccount, ...]:
        """By scored region and desired count, in that order."""
        return tuple(
            PairAccount(
                region=region,
                desired_count=count,
                scored=self.scored[region, count],
                without_score=_by_reason(self.without_score[region, count]),
                unanswered=_by_reason(self.unanswered[region, count]),
            )
            for region, count in sorted(self.scored)
        )

    def is_answered(self, call: ScoreCall) -> bool:
        """Whether every owed pair of a call has an answer, from whichever attempt."""
        return not any(
            size in self.unanswered.get((region, call.desired_count), ())
            for region in call.regions
            for size in call.instance_types
        )


def _best(rows: Iterable[ScoreRow]) -> dict[tuple[str, str], str]:
    """Pair (size as ``join_key``) -> best answer among the pair's rows."""
    best: dict[tuple[str, str], str] = {}
    for row in rows:
        pair = row.region, join_key(row.instance_type)
        best[pair] = _better(best.get(pair), _reason(row))
    return best


def _reason(row: ScoreRow) -> str:
    if row.score is not None:
        return _SCORED if row.zone is not None else UNKNOWN_ZONE
    return _WORDS.get(row.score_text, "unknown_word")


def _better(before: str | None, reason: str) -> str:
    return _SCORED if _SCORED in (before, reason) else reason


def _by_reason(reasons: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for size, reason in sorted(reasons.items()):
        found.setdefault(reason, []).append(size)
    return {reason: tuple(sizes) for reason, sizes in sorted(found.items())}
