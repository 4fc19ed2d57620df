from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spotlake.scores.rows import restricted_for, restrictions, unique_rows
from spotlake.scores.score import RESTRICTED
from spotlake.scores.second_calls import SecondCall, second_calls
from spotlake.shard_rows import ScoreRow


def row(region: str, size: str, *, zone: str = "1", subscription: str = "a", text: str = RESTRICTED) -> ScoreRow:
    return ScoreRow(
        run_id="20261123T1000Z",
        source="simulated",
        observed_at="2026-11-23T10:00:00Z",
        region=region,
        instance_type=size,
        desired_count=1,
        zone=zone,
        logical_zone=zone,
        physical_zone=None,
        score={"High": 3, "Medium": 2, "Low": 1}.get(text),
        score_text=text,
        is_quota_available=True,
        location="eastus",
        subscription=subscription,
        call_id="c0",
    )


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
