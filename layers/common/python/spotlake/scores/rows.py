"""Rows of placement scores: made from answers, each once, and what they say of restrictions (pure)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from spotlake.models import REGIONAL_ZONE, Run, ScoreCall, to_iso
from spotlake.names import join_key
from spotlake.scores.score import INSUFFICIENT_QUOTA, RESTRICTED, STALE, Score
from spotlake.scores.zones import ZoneMap
from spotlake.shard_rows import ScoreRow

type Pair = tuple[str, str]  # region, size

# Of two answers for one zone a score beats no score, the lower score the higher one (it is what T2 and T3
# go by), and a passing reason the lasting one. The order of arrival decides nothing.
_RANK = {3: 2, 2: 1, 1: 0}
_KNOWN_REASONS = (RESTRICTED, STALE, INSUFFICIENT_QUOTA)


def rows_of(
    scores: Iterable[Score],
    *,
    run: Run,
    call: ScoreCall,
    location: str,
    digest: str,
    zones: ZoneMap,
    source: str,
    observed_at: datetime,
) -> list[ScoreRow]:
    """The rows of one answer.

    Args:
        scores: The answer's.
        run: Whose call it was.
        call: What was asked.
        location: Through which routing location.
        digest: Stands for the subscription asked.
        zones: Whose numbers are reported.
        source: "live" or "simulated".
        observed_at: When it was answered.
    """
    rows = []
    for score in scores:
        placed = zones.place(digest, score.region, score.logical_zone)
        rows.append(
            ScoreRow(
                run_id=run.run_id,
                source=source,
                observed_at=to_iso(observed_at),
                region=score.region,
                instance_type=score.instance_type,
                desired_count=call.desired_count,
                zone=placed.zone,
                logical_zone=placed.logical_zone,
                physical_zone=placed.physical_zone,
                score=score.score,
                score_text=score.score_text,
                is_quota_available=score.is_quota_available,
                location=location,
                subscription=digest,
                call_id=call.call_id,
                placement_preference=score.placement_preference,
            )
        )
    return rows


def unique_rows(rows: Iterable[ScoreRow]) -> list[ScoreRow]:
    """One row per (desired count, region, size, zone), in that order; those without a zone are left out.

    A refusal of the whole pair is left out too where another subscription was told of its zones: whether it
    was asked first decides nothing.
    """
    rows = list(rows)
    open_pairs = {_pair_key(row) for row in rows if row.score_text != RESTRICTED}
    best: dict[tuple[int, str, str, str], ScoreRow] = {}
    for row in rows:
        if row.zone is None or (_refuses_pair(row) and _pair_key(row) in open_pairs):
            continue
        key = (row.desired_count, row.region, row.instance_type, row.zone)
        if key not in best or _preference(row) < _preference(best[key]):
            best[key] = row
    return [best[key] for key in sorted(best)]


def _preference(row: ScoreRow) -> tuple[int, str, str]:
    reasons = {STALE: 3, RESTRICTED: 5}
    rank = _RANK[row.score] if row.score is not None else reasons.get(row.score_text, 4)
    return rank, row.subscription, row.call_id


def count_rows(rows: Sequence[ScoreRow], kept: Sequence[ScoreRow]) -> Counter[str]:
    """What the report says of them: ``rows`` as answered, ``kept`` after ``unique_rows``."""
    counts = Counter(
        rows_restricted=sum(row.score_text == RESTRICTED for row in kept),
        rows_stale=sum(row.score_text == STALE for row in kept),
        rows_without_quota=sum(row.score_text == INSUFFICIENT_QUOTA for row in kept),
        rows_unknown_word=sum(row.score is None and row.score_text not in _KNOWN_REASONS for row in kept),
        rows_zone_unknown=sum(row.zone is None for row in rows),
    )
    # What no reader can place: a word that is no score, a zone that is nobody's.
    counts["invalid_rows"] = counts["rows_unknown_word"] + counts["rows_zone_unknown"]
    counts["rows_duplicate"] = len(rows) - counts["rows_zone_unknown"] - len(kept)
    return counts


def restrictions(rows: Iterable[ScoreRow]) -> dict[Pair, set[str]]:
    """Pairs with a restricted zone -> digests of the subscriptions that said so.

    A zone for which any subscription has another answer does not count, nor does the refusal of a whole pair
    for which any has one.
    """
    return _refused(rows, RESTRICTED)


def without_quota(rows: Iterable[ScoreRow]) -> dict[Pair, set[str]]:
    """Pairs for which a subscription has no vCPU quota, and nobody another answer -> digests of those."""
    return _refused(rows, INSUFFICIENT_QUOTA)


def _refused(rows: Iterable[ScoreRow], word: str) -> dict[Pair, set[str]]:
    rows = list(rows)
    open_places = _open_places(rows, word)
    found: defaultdict[Pair, set[str]] = defaultdict(set)
    for row in rows:
        if row.score_text == word and _place(row) not in open_places:
            found[row.region, row.instance_type].add(row.subscription)
    return dict(found)


def restricted_for(rows: Iterable[ScoreRow]) -> dict[str, list[Pair]]:
    """Digest of a subscription -> pairs restricted for it, in a zone or as a whole, and answered for another."""
    rows = list(rows)
    open_places = _open_places(rows)
    answered = {(row.subscription, _pair_key(row)) for row in rows if row.score_text != RESTRICTED}
    found: defaultdict[str, set[Pair]] = defaultdict(set)
    for row in rows:
        if row.score_text == RESTRICTED and _place(row) in open_places:
            if _refuses_pair(row) and (row.subscription, _pair_key(row)) in answered:
                continue  # refused for the region, answered for its zones
            found[row.subscription].add((row.region, row.instance_type))
    return {digest: sorted(pairs) for digest, pairs in sorted(found.items())}


def offered(rows: Iterable[ScoreRow]) -> set[Pair]:
    """Pairs with any answer other than restricted (size as ``join_key``)."""
    return {(row.region, join_key(row.instance_type)) for row in rows if row.score_text != RESTRICTED}


type _Place = tuple[str, str, str | None]


def _open_places(rows: Iterable[ScoreRow], word: str = RESTRICTED) -> set[_Place]:
    """Zones with an answer other than that word, and with each its whole pair."""
    found: set[_Place] = set()
    for row in rows:
        if row.score_text != word:
            found |= {(row.region, row.instance_type, zone) for zone in (row.zone, REGIONAL_ZONE)}
    return found


def _place(row: ScoreRow) -> _Place:
    return row.region, row.instance_type, row.zone


def _pair_key(row: ScoreRow) -> tuple[int, str, str]:
    return row.desired_count, row.region, row.instance_type


def _refuses_pair(row: ScoreRow) -> bool:
    """Whether no zone was named: Azure then speaks of the size in the region."""
    return (row.score_text, row.zone) == (RESTRICTED, REGIONAL_ZONE)
