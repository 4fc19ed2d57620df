from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from spotlake.models import ScoreCall
from spotlake.scores.rows import restricted_for, restrictions, unique_rows
from spotlake.scores.score import RESTRICTED
from spotlake.scores.second_calls import SecondCall, second_calls
from spotlake.shard_rows import ScoreRow
from tests.unit.scores import rows


def row(region: str, size: str, *, zone: str = "1", subscription: str = "a", text: str = RESTRICTED) -> ScoreRow:
    return rows.row(text, region=region, instance_type=size, zone=zone, logical_zone=zone, subscription=subscription)


def calls_for(rows: list[ScoreRow], digests: tuple[str, ...] = ("a", "b"), most: int = 99) -> list[SecondCall]:
    return second_calls(rows, remembered=set(), digests=digests, location="eastus", most=most)


PAIRS = st.sets(st.tuples(st.sampled_from([f"r{n}" for n in range(12)]), st.sampled_from("ABCDEFGHIJ")), max_size=60)


@given(pairs=PAIRS)
def test_every_pair_is_covered_and_no_call_is_too_large(pairs: set[tuple[str, str]]) -> None:
    found = calls_for([row(region, size) for region, size in sorted(pairs)])
    covered = {(region, size) for one in found for region in one.call.regions for size in one.call.instance_types}
    assert pairs <= covered
    assert all(len(one.call.regions) <= 8 and len(one.call.instance_types) <= 5 for one in found)
    assert all(one.avoid == {"a"} for one in found)
    assert len({one.call.call_id for one in found}) == len(found)


def test_scattered_pairs_share_a_call() -> None:
    (only,) = calls_for([row(f"r{n}", size) for n, size in enumerate("ABCDE")])
    assert (len(only.call.regions), len(only.call.instance_types)) == (5, 5)


def test_a_pair_open_in_one_zone_is_asked_for_the_others() -> None:
    assert len(calls_for([row("r1", "A"), row("r1", "A", zone="2", text="High")])) == 1


def test_a_zone_that_another_subscription_opened_is_settled() -> None:
    assert calls_for([row("r1", "A"), row("r1", "A", subscription="b", text="Low")]) == []


def test_a_pair_that_two_refused_is_settled() -> None:
    assert calls_for([row("r1", "A"), row("r1", "A", subscription="b")]) == []


def test_one_call_serves_pairs_of_several_subscriptions_when_a_third_can_be_asked() -> None:
    rows = [row("r1", "A"), row("r1", "B", subscription="b")]
    assert [one.avoid for one in calls_for(rows, ("a", "b", "c"))] == [{"a", "b"}]
    assert sorted(sorted(one.avoid) for one in calls_for(rows)) == [["a"], ["b"]]


def test_the_fullest_calls_come_first_when_few_are_allowed() -> None:
    rows = [row(f"r{n}", size) for n in range(8) for size in "ABCDE"] + [row("x", "Z")]
    (only,) = calls_for(rows, most=1)
    assert len(only.call.regions) * len(only.call.instance_types) == 40


def test_a_refusal_of_the_whole_pair_is_settled_by_any_zone_that_another_was_told() -> None:
    rows = [row("r1", "A", zone="Single"), row("r1", "A", zone="2", subscription="b", text="Low")]
    assert restrictions(rows) == {}
    assert calls_for(rows) == []
    assert restricted_for(rows) == {"a": [("r1", "A")]}
    assert unique_rows(rows) == rows[1:]


def test_a_refusal_of_the_whole_pair_beside_zones_of_the_same_answer_is_none() -> None:
    rows = [row("r1", "A", zone="Single"), row("r1", "A", zone="2", text="Low")]
    assert (restrictions(rows), restricted_for(rows), unique_rows(rows)) == ({}, {}, rows[1:])


def test_a_refusal_of_the_whole_pair_that_nobody_contradicts_stays() -> None:
    rows = [row("r1", "A", zone="Single"), row("r1", "A", zone="Single", subscription="b")]
    assert restrictions(rows) == {("r1", "A"): {"a", "b"}}
    assert unique_rows(rows) == rows[:1]


WORDS = st.sampled_from(["High", "Medium", "Low", RESTRICTED, "DataNotFoundOrStale", "Strange"])


@given(words=st.lists(st.tuples(WORDS, st.sampled_from("ab")), min_size=1, max_size=6), data=st.data())
def test_of_several_answers_the_same_is_kept_in_any_order(words: list[tuple[str, str]], data: st.DataObject) -> None:
    rows = [row("r", "A", text=word, subscription=name) for word, name in words]
    shuffled = data.draw(st.permutations(rows))
    assert unique_rows(rows) == unique_rows(shuffled)
    known = [one.score for one in rows if one.score is not None]
    assert unique_rows(rows)[0].score == (min(known) if known else None)


def asked(rows: list[ScoreRow], *digests: str, **options: Any) -> list[tuple[str, str, int, str]]:
    """Regions, sizes, count and avoided subscriptions of each call."""
    usual: dict[str, Any] = {"remembered": set(), "location": "eastus", "most": 99}
    return [
        (
            " ".join(one.call.regions), " ".join(one.call.instance_types), one.call.desired_count,
            " ".join(sorted(one.avoid)),
        )
        for one in second_calls(rows, digests=digests or ("a", "b"), **(usual | options))
    ]  # fmt: skip


def at_count(count: int, region: str, size: str, **fields: Any) -> ScoreRow:
    return replace(row(region, size, **fields), desired_count=count)


def test_a_second_call_is_made_of_its_pairs() -> None:
    (only,) = calls_for([row("r2", "Size_B"), row("r1", "Size_A")])
    crc = zlib.crc32(b"a,r1,r2,Size_A,Size_B")
    assert only == SecondCall(
        ScoreCall(
            call_id=f"again-1-{crc:08x}", location="eastus", regions=("r1", "r2"),
            instance_types=("Size_A", "Size_B"), desired_count=1,
        ),
        frozenset({"a"}),
    )  # fmt: skip


def test_an_id_has_eight_digits_and_names_whom_to_avoid() -> None:
    rows = [row("r1", "A"), row("r1", "B", subscription="b")]
    (only,) = calls_for(rows, ("a", "b", "c"))
    assert only.call.call_id == f"again-1-{zlib.crc32(b'a,b,r1,A,B'):08x}"
    small = next(n for n in range(10_000) if zlib.crc32(f"a,r{n},A".encode()) < 1 << 24)
    (padded,) = calls_for([row(f"r{small}", "A")])
    assert len(padded.call.call_id) == len("again-1-") + 8


def test_each_count_has_its_own_calls() -> None:
    rows = [
        at_count(5, "r1", "A"),
        at_count(1, "r2", "A"),
        at_count(1, "r1", "A", text="High"),
        at_count(50, "r1", "B"),
    ]
    assert asked(rows) == [("r2", "A", 1, "a"), ("r1", "A", 5, "a"), ("r1", "B", 50, "a")]


def test_pairs_without_quota_are_asked_elsewhere_too() -> None:
    quota = "InsufficientQuota"
    assert asked([row("r1", "A", text=quota), row("r1", "B")]) == [("r1", "A B", 1, "a")]
    assert asked([row("r1", "A", text=quota), row("r1", "A", text=quota, subscription="b")]) == []
    assert asked([row("r1", "A", text="DataNotFoundOrStale"), row("r1", "B", text="Strange")]) == []


def test_remembered_pairs_are_not_asked_again() -> None:
    rows = [row("r1", "Size_A"), row("r1", "Size_B"), row("r2", "Size_A")]
    assert asked(rows, remembered={("r1", "size_a"), ("r2", "Size_A")}) == [("r1 r2", "Size_A Size_B", 1, "a")]
    assert asked(rows, remembered={("r1", "size_a"), ("r2", "size_a")}) == [("r1", "Size_B", 1, "a")]


def test_pairs_are_grouped_by_whom_they_avoid_where_nobody_is_left_for_all() -> None:
    rows = [row("r1", "A"), row("r2", "A", subscription="b"), row("r3", "A")]
    assert sorted(asked(rows, "a", "b")) == [("r1 r3", "A", 1, "a"), ("r2", "A", 1, "b")]
    assert asked(rows, "a", "b", "c") == [("r1 r2 r3", "A", 1, "a b")]
    assert asked(rows, "a") == [("r2", "A", 1, "b")]  # the other subscription is not used any more
    assert asked(rows[:1], "a") == []
    assert asked([], "a", "b", "c") == []


def test_a_call_is_filled_with_the_sizes_that_have_most_in_it() -> None:
    # A has two regions, so it goes first; B adds one of them and one more, C and D nothing but their own.
    pairs = "r1A r2A r2B r3B r4C r5D r6E r7F"
    rows = [row(pair[:-1], pair[-1]) for pair in pairs.split()]
    assert asked(rows) == [("r1 r2 r3 r4 r5 r6", "A B C D E", 1, "a"), ("r7", "F", 1, "a")]


def test_a_call_has_eight_regions_at_most_the_first_of_them() -> None:
    rows = [row(f"r{n}", "B") for n in range(9)] + [row("r0", "A"), row("x", "C")]
    # B has eight places; A has one inside; C has no room. What is left of B goes with C.
    assert asked(rows) == [("r0 r1 r2 r3 r4 r5 r6 r7", "A B", 1, "a"), ("r8 x", "B C", 1, "a")]
    late = [row("r0", "A"), *(row(f"r{n}", "B") for n in range(1, 9))]
    assert asked(late) == [("r1 r2 r3 r4 r5 r6 r7 r8", "B", 1, "a"), ("r0", "A", 1, "a")]  # B has more
    full = [row(f"r{n}", "B") for n in range(8)] + [row("r7", "C"), row("r8", "C"), row("r9", "C")]
    assert asked(full) == [("r0 r1 r2 r3 r4 r5 r6 r7", "B C", 1, "a"), ("r8 r9", "C", 1, "a")]


def test_fuller_calls_come_first_whatever_their_count() -> None:
    rows = [at_count(1, "r1", "A"), at_count(5, "r1", "A"), at_count(5, "r2", "A"), at_count(10, "r1", "B")]
    assert asked(rows) == [("r1 r2", "A", 5, "a"), ("r1", "A", 1, "a"), ("r1", "B", 10, "a")]
    assert asked(rows, most=2) == [("r1 r2", "A", 5, "a"), ("r1", "A", 1, "a")]
    assert asked(rows, most=0) == []
    wide = [at_count(1, f"r{n}", "A") for n in range(3)] + [
        at_count(5, f"r{n}", size) for n in range(2) for size in "AB"
    ]
    assert [count for *_, count, _ in asked(wide)] == [5, 1]  # 2 x 2 pairs before 3 x 1
