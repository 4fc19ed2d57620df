"""Rows of placement scores: made from answers, deduplicated, searched for restrictions (pure)."""

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

# Of two answers for one zone, a score beats no score, the lower score beats the higher, and a passing reason beats a
# lasting one. T2 and T3 use the lower score. The order of arrival does not matter.
_RANK = {3: 2, 2: 1, 1: 0}
_REASON_RANK, _OTHER_REASON = {STALE: 3, RESTRICTED: 5}, 4
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
    """Make the rows of one answer.

    Args:
        scores: The scores in the answer.
        run: The run that sent the call.
        call: The call.
        location: The routing location.
        digest: Digest of the subscription that was asked.
        zones: Maps logical zones to the numbers of the reference subscription.
        source: "live" or "simulated".
        observed_at: When the answer came.
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
    """Keep one row per (desired count, region, size, zone), sorted. Rows without a zone are dropped.

    A refusal of a whole pair is also dropped if another subscription got answers for the pair's zones, in whichever
    order the two were asked.
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
    rank = _RANK[row.score] if row.score is not None else _REASON_RANK.get(row.score_text, _OTHER_REASON)
    return rank, row.subscription, row.call_id


def count_rows(rows: Sequence[ScoreRow], kept: Sequence[ScoreRow]) -> Counter[str]:
    """Counts for the report: ``rows`` as answered, ``kept`` after ``unique_rows``."""
    counts = Counter(
        rows_restricted=sum(row.score_text == RESTRICTED for row in kept),
        rows_stale=sum(row.score_text == STALE for row in kept),
        rows_without_quota=sum(row.score_text == INSUFFICIENT_QUOTA for row in kept),
        rows_unknown_word=sum(row.score is None and row.score_text not in _KNOWN_REASONS for row in kept),
        rows_zone_unknown=sum(row.zone is None for row in rows),
    )
    # Counts of rows that no reader can use: an unknown word for the score, or an unknown zone.
    counts["invalid_rows"] = counts["rows_unknown_word"] + counts["rows_zone_unknown"]
    counts["rows_duplicate"] = len(rows) - counts["rows_zone_unknown"] - len(kept)
    return counts


def restrictions(rows: Iterable[ScoreRow]) -> dict[Pair, set[str]]:
    """Pairs with a restricted zone -> digests of the subscriptions that answered so.

    A zone does not count as restricted if any subscription has another answer for the zone. The same holds for the
    refusal of a whole pair.
    """
    return _refused(rows, RESTRICTED)


def without_quota(rows: Iterable[ScoreRow]) -> dict[Pair, set[str]]:
    """Pairs for which no subscription has an answer, and some have no vCPU quota -> digests of the latter."""
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
    """Digest of a subscription -> pairs that are restricted for this subscription and answered for another one."""
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
    """Zones with an answer other than this word, together with the whole pair of each zone."""
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
    """Whether the row names no zone: the answer is then about the size in the whole region."""
    return (row.score_text, row.zone) == (RESTRICTED, REGIONAL_ZONE)
