"""Which pairs a collector asked, and what became of each: all parts word for word."""

from __future__ import annotations

from typing import Any

import pytest

from spotlake.models import ScoreCall
from spotlake.reports import PairAccount
from spotlake.scores.accounts import Accountant, AnsweredCall, SlotAccount
from spotlake.shard_rows import ScoreRow
from tests.unit.scores import rows

RESTRICTED, STALE, NO_QUOTA = "RestrictedSkuNotAvailable", "DataNotFoundOrStale", "InsufficientQuota"


def row(region: str, size: str, word: str = "High", *, zone: str | None = "1") -> ScoreRow:
    return rows.row(word, region=region, instance_type=size, zone=zone)


def call(regions: str = "r1", sizes: str = "A", count: int = 1) -> ScoreCall:
    return ScoreCall(
        call_id="c0",
        location="eastus",
        regions=tuple(regions.split()),
        instance_types=tuple(sizes.split()),
        desired_count=count,
    )


def answer(*rows: ScoreRow, invalid: tuple[str, ...] = ()) -> AnsweredCall:
    return AnsweredCall(call_id="c0", rows=rows, invalid=invalid)


def account(region: str = "r1", count: int = 1, scored: int = 0, **parts: Any) -> PairAccount:
    return PairAccount(region=region, desired_count=count, scored=scored, **parts)


def test_each_pair_of_a_call_stands_in_one_part_by_its_best_answer() -> None:
    books = Accountant()
    rows = [
        row("r1", "A"),
        row("r1", "B", RESTRICTED),
        row("r1", "C", STALE),
        row("r1", "D", NO_QUOTA),
        row("r1", "E", "Excellent"),
        row("r1", "F", zone=None),
        row("r1", "H", RESTRICTED),
        row("r1", "H", "Low", zone="2"),
        row("r1", "I", "Low", zone="2"),
        row("r1", "I", RESTRICTED),
        row("r2", "A", RESTRICTED),
    ]
    books.answered(call("r1", "A B C D E F G H I J"), answer(*rows))
    assert books.accounts() == (
        account(
            scored=3,  # A, H and I
            without_score={
                "no_vcpu_quota": ("D",),
                "restricted": ("B",),
                "stale": ("C",),
                "unknown_word": ("E",),
                "unknown_zone": ("F",),
            },
            unanswered={"not_in_answer": ("G", "J")},
        ),
    )
    (only,) = books.accounts()
    assert list(only.without_score) == ["no_vcpu_quota", "restricted", "stale", "unknown_word", "unknown_zone"]


def test_of_two_answers_without_a_score_the_later_one_is_the_reason() -> None:
    books = Accountant()
    books.answered(call(), answer(row("r1", "A", RESTRICTED), row("r1", "A", STALE, zone="2")))
    assert books.accounts() == (account(without_score={"stale": ("A",)}),)
    books.answered(call(), answer(row("r1", "A", NO_QUOTA)))
    assert books.accounts() == (account(without_score={"no_vcpu_quota": ("A",)}),)


@pytest.mark.parametrize("words", [("High", RESTRICTED), (RESTRICTED, "High")])
def test_a_score_of_any_call_stays_the_answer(words: tuple[str, str]) -> None:
    books = Accountant()
    for word in words:
        books.answered(call(), answer(row("r1", "A", word)))
    assert books.accounts() == (account(scored=1),)


def test_sizes_are_found_in_any_casing_and_keep_that_of_the_call() -> None:
    books = Accountant()
    books.answered(
        call("r1", "Standard_A Standard_B"), answer(row("r1", " standard_a"), row("r1", "STANDARD_B", STALE))
    )
    assert books.accounts() == (account(scored=1, without_score={"stale": ("Standard_B",)}),)


def test_names_that_azure_refused_are_answered_unless_a_row_says_more() -> None:
    books = Accountant()
    refused = ("r2", "standard_b")
    books.answered(call("r1 r2", "Standard_A Standard_B"), answer(row("r1", "Standard_A"), invalid=refused))
    assert books.accounts() == (
        account(scored=1, without_score={"invalid_name": ("Standard_B",)}),
        account("r2", without_score={"invalid_name": ("Standard_A", "Standard_B")}),
    )
    books.answered(call("r2", "Standard_A"), answer(row("r2", "Standard_A", STALE)))
    books.answered(call("r1", "Standard_A"), answer(invalid=("r1",)))  # does not undo a score
    books.answered(call("r2", "Standard_A"), answer(invalid=("standard_a",)))
    assert books.accounts() == (
        account(scored=1, without_score={"invalid_name": ("Standard_B",)}),
        account("r2", without_score={"invalid_name": ("Standard_B",), "stale": ("Standard_A",)}),
    )


def test_a_call_without_an_answer_leaves_its_pairs_open_until_another_answers_them() -> None:
    books = Accountant()
    books.unanswered(call("r1 r2", "Standard_A Standard_B"), "deadline", ["r2", "standard_b"])
    books.unanswered(call("r1", "Standard_A Standard_C"), "no_quota", [])
    expected = (
        account(without_score={"invalid_name": ("Standard_B",)}, unanswered={"no_quota": ("Standard_A", "Standard_C")}),
        account("r2", without_score={"invalid_name": ("Standard_A", "Standard_B")}),
    )
    assert books.accounts() == expected
    books.answered(call("r1", "Standard_A"), answer(row("r1", "Standard_A", "Low")))
    (first, _) = books.accounts()
    assert first == account(
        scored=1, without_score={"invalid_name": ("Standard_B",)}, unanswered={"no_quota": ("Standard_C",)}
    )
    books.unanswered(call("r1", "Standard_A"), "deadline", ["r1"])
    assert books.accounts()[0] == first  # what was answered stays so


def test_a_refused_name_does_not_undo_an_answer_without_a_score() -> None:
    books = Accountant()
    books.answered(call(), answer(row("r1", "A", STALE)))
    books.unanswered(call(), "deadline", ["r1"])
    assert books.accounts() == (account(without_score={"stale": ("A",)}),)


def test_accounts_stand_by_region_and_count() -> None:
    books = Accountant()
    for region, count in (("r2", 1), ("r1", 50), ("r1", 5)):
        books.answered(call(region, "A", count), answer(row(region, "A")))
    books.unanswered(call("r0", "A", 5), "deadline", [])
    assert books.accounts() == (
        account("r0", 5, unanswered={"deadline": ("A",)}),
        account("r1", 5, scored=1),
        account("r1", 50, scored=1),
        account("r2", 1, scored=1),
    )


def test_only_owed_sizes_of_a_region_count() -> None:
    books = Accountant(owed={"r1": ["A"], "r2": []})
    rows = [row(region, size) for region in ("r1", "r2", "r3") for size in "AB"]
    books.answered(call("r1 r2 r3", "A B"), answer(*rows))
    books.unanswered(call("r2 r3", "A B"), "deadline", [])
    assert books.accounts() == (account(scored=1),)


def test_a_second_call_betters_what_is_known_and_adds_no_pair() -> None:
    books = Accountant()
    books.answered(
        call("r1", "A B C D"), answer(row("r1", "A", RESTRICTED), row("r1", "B", RESTRICTED), row("r1", "C"))
    )
    second = [row("r1", "a"), row("r1", "C", RESTRICTED), row("r1", "D"), row("r1", "E"), row("r2", "A")]
    books.improved(call("r1 r2", "A B C D E"), second)
    assert books.accounts() == (
        account(scored=2, without_score={"restricted": ("B",)}, unanswered={"not_in_answer": ("D",)}),
    )
    books.improved(call("r1", "B"), [row("r1", "B", STALE)])
    assert books.accounts()[0].without_score == {"stale": ("B",)}


KEY, OTHER = ("r1", 1), ("r2", 5)


def test_a_slot_counts_what_was_asked_what_rows_score_and_what_collectors_said() -> None:
    accounts = [
        account(without_score={"restricted": ("B", "X")}, unanswered={"deadline": ("C", "D", "A")}),
        account(without_score={"stale": ("B",)}, unanswered={"no_quota": ("C", "E")}),
        account("r2", 5, unanswered={"throttled": ("A",)}),
        account("r9", 1, without_score={"stale": ("A",)}),
    ]
    asked = {KEY: {"A", "B", "C", "D", "E", "F"}, OTHER: {"A", "B"}}
    slot = SlotAccount.fold(asked, {KEY: {"A", "Y"}}, accounts)
    # Of two answers the last one is the reason; of two failures the first one.
    assert slot == SlotAccount(
        scored={KEY: 1, OTHER: 0},
        without_score={KEY: {"B": "stale"}, OTHER: {}},
        unanswered={
            KEY: {"C": "deadline", "D": "deadline", "E": "no_quota", "F": "no_report"},
            OTHER: {"A": "throttled", "B": "no_report"},
        },
    )
    assert slot.accounts() == (
        account(
            scored=1,
            without_score={"stale": ("B",)},
            unanswered={"deadline": ("C", "D"), "no_quota": ("E",), "no_report": ("F",)},
        ),
        account("r2", 5, unanswered={"no_report": ("B",), "throttled": ("A",)}),
    )


def test_a_pair_that_one_attempt_failed_and_another_answered_is_answered() -> None:
    accounts = [account(unanswered={"deadline": ("A",)}), account(without_score={"restricted": ("A",)})]
    slot = SlotAccount.fold({KEY: {"A"}}, {}, accounts)
    assert slot == SlotAccount(scored={KEY: 0}, without_score={KEY: {"A": "restricted"}}, unanswered={KEY: {}})


def test_accounts_of_a_slot_stand_by_region_and_count() -> None:
    keys = [("r2", 1), ("r1", 50), ("r1", 5)]
    slot = SlotAccount.fold({key: {"A"} for key in keys}, {key: {"A"} for key in keys}, [])
    assert slot.accounts() == (account("r1", 5, scored=1), account("r1", 50, scored=1), account("r2", 1, scored=1))


@pytest.mark.parametrize(
    ("regions", "sizes", "count", "is_answered"),
    [
        ("r1", "A", 1, True),
        ("r1", "A B", 1, False),
        ("r1", "B", 5, True),  # another count
        ("r2", "B", 1, True),  # another region
        ("r2 r1", "B", 1, False),
        ("r2", "C", 1, False),
        ("r3", "A", 1, True),
    ],
)
def test_a_call_is_answered_when_no_pair_of_it_waits(regions: str, sizes: str, count: int, is_answered: bool) -> None:
    slot = SlotAccount(unanswered={("r1", 1): {"B": "deadline"}, ("r2", 1): {"C": "no_report"}})
    assert slot.is_answered(call(regions, sizes, count)) is is_answered
