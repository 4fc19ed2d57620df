"""What a sender of calls does within its limits: time, quota, sends by location, and names refused in unknown words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from spotlake.azure.placement import Answer, Outcome, Question
from spotlake.clock import Deadline
from spotlake.errors import DeadlineError, SignInError, SignInUnavailableError, StoreError
from tests.unit.usecases.test_call_sender import CALL, FAILED, REFUSED, SCORED, A, B, Make, bad, desk, score

__all__ = ["desk"]


@pytest.mark.parametrize(("left", "is_sent"), [(6.0, False), (6.1, True)])
def test_nobody_waits_for_a_throttle_beyond_the_deadline(desk: Make, left: float, *, is_sent: bool) -> None:
    throttled = bad(Outcome.THROTTLED, wait_seconds=5.0)
    one = desk(throttled, SCORED, deadline=Deadline(lambda: left))
    delivery = one.sender.deliver(CALL)
    assert (delivery.answer is not None, one.waited) == (is_sent, [5.0] if is_sent else [])
    if not is_sent:
        said = "waiting for placement scores: 6.0 s left, needs 6.0 s"
        assert (delivery.reason, type(delivery.error), str(delivery.error)) == ("deadline", DeadlineError, said)
        assert one.sender.fatal is None


@pytest.mark.parametrize(("left", "is_sent"), [(1.0, False), (1.01, True)])
def test_no_call_begins_in_the_last_second(desk: Make, left: float, *, is_sent: bool) -> None:
    one = desk(SCORED, deadline=Deadline(lambda: left))
    delivery = one.sender.deliver(CALL)
    assert (len(one.questions), delivery.reason) == ((1, "") if is_sent else (0, "deadline"))
    if not is_sent:
        assert str(delivery.error) == "placement scores: 1.0 s left, needs 1.0 s"


def test_without_quota_a_call_is_not_sent_and_other_locations_are_tried(desk: Make) -> None:
    one = desk(SCORED)
    one.rights.subscriptions = ()
    delivery = one.sender.deliver(CALL)
    assert (delivery.answer, delivery.reason, delivery.error, delivery.elsewhere) == (None, "no_quota", None, True)
    assert sorted(taken["location"] for taken in one.rights.taken) == ["eastus", "japaneast", "westus"]


def test_a_call_is_sent_at_most_twenty_times_through_a_location(desk: Make) -> None:
    one = desk(bad(Outcome.QUOTA_EXHAUSTED), fallback_locations=())
    delivery = one.sender.deliver(CALL)
    assert len(one.questions) == 20
    assert (delivery.answer, delivery.reason, delivery.error) == (None, "refused", REFUSED)


def test_a_store_that_fails_stops_all(desk: Make) -> None:
    one = desk(SCORED)
    one.rights.error = StoreError("control: down")
    delivery = one.sender.deliver(CALL)
    assert (delivery.reason, delivery.error, one.sender.fatal) == ("stopped", one.rights.error, one.rights.error)
    assert delivery.answer is None


@pytest.mark.parametrize("error", [SignInError("no"), SignInUnavailableError("sign-in", "HTTP 503")], ids=["no", "503"])
def test_without_a_token_no_other_call_is_begun_and_what_was_answered_stays(desk: Make, error: Exception) -> None:
    one = desk(SCORED, error)
    assert one.sender.deliver(CALL).answer is not None
    for _ in range(2):
        delivery = one.sender.deliver(CALL)
        assert (delivery.answer, delivery.reason, delivery.error) == (None, "stopped", error)
    assert (one.sender.fatal, one.places()) == (error, ["eastus", "eastus"])


def test_a_sender_that_was_stopped_sends_nothing(desk: Make) -> None:
    one = desk(SCORED)
    one.sender.stop(FAILED)
    delivery = one.sender.deliver(CALL)
    assert (delivery.answer, delivery.reason, delivery.error, delivery.elsewhere) == (None, "stopped", FAILED, False)
    assert (one.questions, one.rights.taken) == ([], [])


def test_shunned_and_unplaced_subscriptions_are_told_to_the_rights(desk: Make) -> None:
    shunned = {"sub-a": {("westus", "standard_b1")}, "sub-b": {("westus", "standard_z9")}, "sub-d": {("x", "y")}}
    one = desk(SCORED, shunned=shunned, unplaced=["sub-c"])
    one.sender.deliver(CALL)
    assert [taken["shun"] for taken in one.rights.taken] == [{"sub-a", "sub-c"}]


def test_a_retry_of_the_client_takes_a_right_of_the_same_route(desk: Make) -> None:
    one = desk("retry")
    one.sender.deliver(CALL)
    assert one.retries == [True]
    assert one.rights.taken[1] == {"location": "eastus", "avoid": set(), "only": "sub-a"}
    dry = desk("retry")
    take = dry.rights.take
    dry.rights.take = lambda *given, **how: None if "only" in how else take(*given, **how)  # type: ignore[method-assign]
    dry.sender.deliver(CALL)
    assert dry.retries == [False]


# -- requests that are refused in unknown words ------------------------------------------------------


def unknown_words(*names: str) -> Callable[[Question], Answer]:
    """Refuses any question that holds one of these names, in unknown words."""

    def answer(question: Question) -> Answer:
        if {*names} & {*question.regions, *question.instance_types}:
            return bad(Outcome.INVALID_REQUEST)
        scores = tuple(score(region, size) for region in question.regions for size in question.instance_types)
        return Answer(outcome=Outcome.SCORED, scores=scores)

    return answer


def test_a_name_that_is_refused_in_unknown_words_is_found_and_the_rest_is_answered(desk: Make) -> None:
    one = desk(unknown_words(B))
    answer = one.sender.deliver(CALL).answer
    assert answer is not None
    assert (answer.call_id, answer.invalid) == ("c1", ("standard_b1",))
    assert [(row.region, row.instance_type) for row in answer.rows] == [("eastus", A), ("westus", A)]
    assert one.sender.invalid_instance_types == {"standard_b1"}
    assert (one.sender.counts["calls_split"], one.sender.counts["calls_for_parts"]) == (1, 2)
    assert one.sender.split_budget == 22
    regions = desk(unknown_words("westus"))
    found = regions.sender.deliver(CALL).answer
    assert found is not None
    assert found.invalid == ("westus",)
    assert regions.sender.invalid_regions == {"westus"}
    assert regions.sender.split_budget == 20


def test_a_request_that_is_refused_whatever_it_holds_is_refused(desk: Make) -> None:
    one = desk(unknown_words(A, B))
    delivery = one.sender.deliver(CALL, avoid={"sub-c"})
    assert (delivery.answer, delivery.reason, delivery.error, delivery.elsewhere) == (
        None, "invalid_request", REFUSED, False
    )  # fmt: skip
    assert set(one.places()) == {"eastus"}
    assert {frozenset(taken["avoid"]) for taken in one.rights.taken} == {frozenset({"sub-c"})}
    assert one.sender.split_budget == 20
    assert (one.sender.invalid_regions, one.sender.invalid_instance_types) == (set(), set())
