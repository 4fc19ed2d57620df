"""A call that Azure refuses in unknown words: which parts are sent, in which order, within which budget."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from spotlake.models import ScoreCall
from spotlake.scores.accounts import AnsweredCall
from spotlake.usecases.collect.delivery import Delivery
from spotlake.usecases.collect.refused_parts import RefusedParts


def call(regions: str = "xy", sizes: str = "abcde") -> ScoreCall:
    return ScoreCall(
        call_id="c1", location="eastus", regions=tuple(regions), instance_types=tuple(sizes), desired_count=5
    )


class Azure:
    """Refuses a call that holds a bad name; notes the parts."""

    def __init__(self, bad: str = "", failing: str = "", everything: str = "") -> None:
        self.bad, self.failing, self.everything = {*bad}, {*failing}, everything
        self.sent: list[str] = []

    def deliver(self, part: ScoreCall) -> Delivery:
        regions, sizes = "".join(part.regions), "".join(part.instance_types)
        assert (part.call_id, part.location, part.desired_count) == ("c1", "eastus", 5)
        self.sent.append(f"{regions}/{sizes}")
        if self.failing & {*sizes}:
            return Delivery(reason="unavailable")
        if self.everything or self.bad & {*regions, *sizes}:
            return Delivery(reason=self.everything or "invalid_request")
        return Delivery(answer=AnsweredCall(call_id=f"{regions}/{sizes}", rows=()))


def split(azure: Azure, one: ScoreCall | None = None, budget: int = 24) -> tuple[list[str], str, str, int]:
    """Answered parts, refused regions and sizes, and the budget that is left."""
    parts = RefusedParts(azure.deliver, budget)
    answers, regions, sizes = parts.split(one or call())
    return [answer.call_id for answer in answers], "".join(regions), "".join(sizes), parts.budget


def test_a_refused_size_is_found_and_the_others_are_answered() -> None:
    azure = Azure("b")
    assert split(azure) == (["xy/de", "xy/c", "xy/a"], "", "b", 18)
    assert azure.sent == ["xy/abc", "xy/de", "xy/ab", "xy/c", "xy/a", "xy/b"]


def test_two_refused_sizes_are_both_found() -> None:
    azure = Azure("ae")
    assert split(azure) == (["xy/c", "xy/d", "xy/b"], "", "ea", 16)
    assert azure.sent == ["xy/abc", "xy/de", "xy/ab", "xy/c", "xy/d", "xy/e", "xy/a", "xy/b"]


def test_where_every_size_is_refused_the_regions_are_split() -> None:
    azure = Azure("y")
    answered, regions, sizes, left = split(azure, call("xyz", "ab"))
    assert (answered, regions, sizes) == (["z/ab", "x/ab"], "y", "")
    assert azure.sent == ["xyz/a", "xyz/b", "xy/ab", "z/ab", "x/ab", "y/ab"]
    assert left == 18


def test_where_everything_is_refused_no_name_is_to_blame() -> None:
    assert split(Azure(everything="invalid_request"), call("xy", "ab")) == ([], "", "", 20)
    assert split(Azure(everything="invalid_request"), call("x", "a")) == ([], "", "", 24)


def test_one_size_is_not_split_and_its_regions_are() -> None:
    azure = Azure("y")
    assert split(azure, call("xy", "a")) == (["x/a"], "y", "", 22)
    assert azure.sent == ["x/a", "y/a"]


def test_one_region_of_refused_sizes_is_not_to_blame() -> None:
    assert split(Azure("x"), call("x", "ab")) == ([], "", "", 22)


def test_a_part_that_fails_otherwise_is_neither_and_the_next_is_tried() -> None:
    azure = Azure("e", failing="a")
    answered, regions, sizes, _ = split(azure)
    assert (answered, regions, sizes) == (["xy/d"], "", "e")
    assert azure.sent == ["xy/abc", "xy/de", "xy/d", "xy/e"]


@pytest.mark.parametrize(
    ("budget", "sent", "refused"),
    [(0, [], ""), (1, ["xy/abc"], ""), (5, ["xy/abc", "xy/de", "xy/ab", "xy/c", "xy/a"], ""),
     (6, ["xy/abc", "xy/de", "xy/ab", "xy/c", "xy/a", "xy/b"], "b")],
)  # fmt: skip
def test_no_more_is_sent_than_the_budget_allows(budget: int, sent: list[str], refused: str) -> None:
    azure = Azure("b")
    _, _, sizes, left = split(azure, budget=budget)
    assert (azure.sent, sizes, left) == (sent, refused, max(0, budget - len(sent)))


def test_each_split_begins_without_the_answers_of_the_one_before() -> None:
    azure = Azure("b")
    parts = RefusedParts(azure.deliver, 24)
    first, second = parts.split(call()), parts.split(call())
    assert first == second


def test_halves_of_an_even_call_are_equal() -> None:
    deliver: Callable[[ScoreCall], Delivery] = (azure := Azure("a")).deliver
    RefusedParts(deliver, 2).split(call("x", "abcd"))
    assert azure.sent == ["x/ab", "x/cd"]


def test_each_split_has_the_answers_of_its_own_call_and_all_share_the_budget() -> None:
    parts = RefusedParts(Azure(bad="e").deliver, 24)
    first, _, _ = parts.split(call())
    left = parts.budget
    second, _, _ = parts.split(call(sizes="ef"))
    assert [one.call_id for one in second] == ["xy/f"]
    assert (len(first) > 1, left - parts.budget) == (True, 2)
