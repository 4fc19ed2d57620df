"""What a sender of calls does after each kind of answer: where it goes next, what it learns, what it returns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from spotlake.azure.http import HttpClient
from spotlake.azure.placement import Answer, Outcome, Question
from spotlake.clock import Deadline, ManualClock
from spotlake.errors import AzureRefusedError, AzureUnavailableError, SignInError
from spotlake.models import Mode, Run, ScoreCall
from spotlake.scores.score import Score
from spotlake.scores.zones import ZoneMap, subscription_digest
from spotlake.usecases.collect import call_sender
from spotlake.usecases.collect.call_sender import CallSender
from spotlake.usecases.collect.delivery import LocationHealth

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
A, B = "Standard_A1", "Standard_B1"
RUN = Run(run_id="20261123T1000Z", attempt=1, mode=Mode.INCREMENTAL, desired_counts=(1,), started_at=AT, owner="me")
CALL = ScoreCall(call_id="c1", location="eastus", regions=("eastus", "westus"), instance_types=(A, B), desired_count=5)
DIGEST = subscription_digest("sub-a")


def score(region: str = "eastus", size: str = A, zone: str = "1") -> Score:
    return Score(
        region=region, instance_type=size, logical_zone=zone, score=3, score_text="High", is_quota_available=True,
        placement_preference=None,
    )  # fmt: skip


SCORED = Answer(outcome=Outcome.SCORED, scores=(score(),), dropped=2, unanswered=(("westus", A), ("westus", B)))
FAILED = AzureUnavailableError("placement scores", "HTTP 500", status=500)
REFUSED = AzureRefusedError("placement scores", "HTTP 400", status=400, code="Bad")


def bad(outcome: Outcome, error: Any = REFUSED, **more: Any) -> Answer:
    return Answer(outcome=outcome, error=error, **more)


@dataclass
class Rights:
    """Hands out the first allowed subscription."""

    subscriptions: tuple[str, ...] = ("sub-a", "sub-b")
    taken: list[dict[str, Any]] = field(default_factory=list)
    rested: list[tuple[str, str, float]] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    error: Exception | None = None

    @property
    def usable_subscriptions(self) -> list[str]:
        return [name for name in self.subscriptions if name not in self.gone]

    def take(self, location: str, *, avoid: Collection[str] = (), **how: Any) -> str | None:
        if self.error:
            raise self.error
        self.taken.append({"location": location, "avoid": set(avoid), **how})
        return next((name for name in self.usable_subscriptions if name not in avoid), None)

    def rest(self, location: str, subscription: str, *, seconds: float = 0.0) -> None:
        self.rested.append((location, subscription, seconds))

    def refuse(self, subscription: str) -> None:
        self.gone.add(subscription)


class Tokens:
    def __init__(self) -> None:
        self.renewed: list[Mapping[str, str]] = []

    def headers(self) -> dict[str, str]:
        return {}

    def renew(self, refused: Mapping[str, str]) -> None:
        self.renewed.append(refused)


class Desk:
    """A sender whose questions are answered by script; the last answer repeats."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Any, **changes: Any) -> None:
        self.answers = list(answers)
        self.questions: list[Question] = []
        self.rights, self.tokens = Rights(), Tokens()
        self.waited: list[float] = []
        self.retries: list[bool] = []
        self.clock = 0.0
        monkeypatch.setattr(call_sender, "ask", self.ask)
        client: Any = object.__new__(HttpClient)
        values: dict[str, Any] = {
            "run": RUN, "client": client, "management_url": "https://azure", "tokens": self.tokens,
            "rights": self.rights, "clock": ManualClock(AT), "deadline": Deadline(lambda: 100.0),
            "zones": ZoneMap({DIGEST: {"eastus": {"1": "az1"}}}, reference=DIGEST),
            "fallback_locations": ("japaneast", "westus"), "source": "live", "sleep": self.waited.append,
            "monotonic": self.monotonic,
        }  # fmt: skip
        self.sender = CallSender(**{**values, **changes})

    def monotonic(self) -> float:
        self.clock += 2.0
        return self.clock

    def ask(self, client: Any, url: str, tokens: Any, question: Question, *, may_retry: Callable[[], bool]) -> Answer:
        assert (client, url, tokens) == (self.sender.client, "https://azure", self.tokens)
        self.questions.append(question)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer == "retry":
            self.retries.append(may_retry())
            return SCORED
        if isinstance(answer, Exception):
            raise answer
        found: Answer = answer(question) if callable(answer) else answer
        return found

    def places(self) -> list[str]:
        return [one.location for one in self.questions]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Desk]:
    return lambda *answers, **changes: Desk(monkeypatch, *answers, **changes)


type Make = Callable[..., Desk]


def test_a_scored_answer_becomes_rows_and_counts(desk: Make) -> None:
    one = desk(SCORED)
    delivery = one.sender.deliver(CALL)
    answer = delivery.answer
    assert answer is not None
    assert (answer.call_id, answer.invalid) == ("c1", ())
    (row,) = answer.rows
    assert (row.run_id, row.source, row.observed_at) == ("20261123T1000Z", "live", "2026-11-23T10:00:00Z")
    assert (row.region, row.instance_type, row.desired_count, row.zone, row.score) == ("eastus", A, 5, "1", 3)
    assert (row.location, row.subscription, row.call_id) == ("eastus", DIGEST, "c1")
    assert one.questions == [
        Question(
            subscription="sub-a", location="eastus", regions=["eastus", "westus"], instance_types=[A, B],
            desired_count=5, api_version="2025-06-05",
        )
    ]  # fmt: skip
    assert one.sender.counts == Counter(answers_scored=1, rows_dropped=2, pairs_unanswered=2)
    assert one.sender.health == {"eastus": LocationHealth(sent=1, seconds=[2.0])}
    assert one.rights.taken == [{"location": "eastus", "avoid": set(), "shun": set(), "again": False}]


@pytest.mark.parametrize(
    ("outcome", "reason", "failed"),
    [(Outcome.UNAVAILABLE, "unavailable", 1), (Outcome.UNREADABLE, "unreadable", 1)],
)
def test_what_fails_at_its_own_location_is_sent_elsewhere(
    desk: Make, outcome: Outcome, reason: str, failed: int
) -> None:
    one = desk(bad(outcome, FAILED), SCORED)
    assert one.sender.deliver(CALL).answer is not None
    assert one.places()[0] == "eastus"
    assert one.sender.health["eastus"] == LocationHealth(sent=1, failed=failed)
    lost = desk(bad(outcome, FAILED))
    delivery = lost.sender.deliver(CALL)
    assert (delivery.answer, delivery.reason, delivery.error) == (None, reason, FAILED)
    assert sorted(lost.places()) == ["eastus", "japaneast", "westus"]
    assert lost.sender.counts == Counter({f"answers_{outcome.value}": 3})


def test_a_call_goes_to_four_locations_at_most_and_those_of_each_call_differ(desk: Make) -> None:
    others = tuple(f"region{number}" for number in range(12))
    begun = set()
    for number in range(40):
        one = desk(bad(Outcome.UNAVAILABLE, FAILED), fallback_locations=("eastus", *others))
        call = ScoreCall(**{**CALL.to_dict(), "call_id": f"c{number}"})  # type: ignore[arg-type]
        one.sender.deliver(call)
        first, *rest = one.places()
        assert (first, len(rest)) == ("eastus", 3)
        begin = others.index(rest[0])
        assert rest == [*others[begin:], *others[:begin]][:3]
        begun.add(begin)
    assert begun == set(range(8))  # among the eight healthiest


def test_a_location_that_failed_most_calls_comes_last(desk: Make) -> None:
    health = {"eastus": LocationHealth(sent=4, failed=4)}
    one = desk(SCORED, health=health, fallback_locations=("westus",))
    one.sender.deliver(CALL)
    assert one.places() == ["westus"]


def test_a_location_that_routes_nothing_is_left_for_all_calls(desk: Make) -> None:
    one = desk(bad(Outcome.LOCATION_UNSUPPORTED), SCORED)
    assert one.sender.deliver(CALL).answer is not None
    assert one.sender.deliver(CALL).answer is not None
    assert one.places()[0] == "eastus"
    assert "eastus" not in one.places()[1:]
    assert (one.sender.unsupported, one.sender.health["eastus"].failed) == ({"eastus"}, 1)
    nowhere = desk(bad(Outcome.LOCATION_UNSUPPORTED))
    delivery = nowhere.sender.deliver(CALL)
    assert (delivery.answer, delivery.reason, delivery.error) == (None, "unsupported_location", REFUSED)
    again = nowhere.sender.deliver(CALL)
    assert (again.answer, again.reason, again.error) == (None, "unsupported_location", None)


@pytest.mark.parametrize(
    ("outcome", "names", "regions", "sizes", "invalid"),
    [
        (Outcome.INVALID_REGION, ("westus",), ["eastus"], [A, B], ("westus",)),
        (Outcome.INVALID_INSTANCE_TYPE, (B,), ["eastus", "westus"], [A], ("standard_b1",)),
    ],
)
def test_refused_names_are_left_out_here_and_later(
    desk: Make, outcome: Outcome, names: tuple[str, ...], regions: list[str], sizes: list[str], invalid: tuple[str, ...]
) -> None:
    one = desk(bad(outcome, names=names), SCORED)
    answer = one.sender.deliver(CALL).answer
    assert answer is not None
    assert answer.invalid == invalid
    assert (one.questions[1].regions, one.questions[1].instance_types) == (regions, sizes)
    assert one.places() == ["eastus", "eastus"]
    assert [taken["again"] for taken in one.rights.taken] == [False, True]
    one.sender.deliver(CALL)
    assert (one.questions[2].regions, one.questions[2].instance_types) == (regions, sizes)
    assert one.sender.invalid_names == frozenset(invalid)


def test_a_call_of_refused_names_alone_is_answered_without_asking(desk: Make) -> None:
    for known in (
        {"invalid_regions": {"eastus", "westus"}},
        {"invalid_instance_types": {"standard_a1", "standard_b1"}},
    ):
        one = desk(SCORED, **known)
        answer = one.sender.deliver(CALL).answer
        assert answer is not None
        assert (answer.rows, answer.invalid) == ((), tuple(sorted(next(iter(known.values())))))
        assert one.questions == []


def test_a_version_that_is_no_longer_served_is_replaced(desk: Make) -> None:
    one = desk(bad(Outcome.VERSION_UNSUPPORTED, names=("2026-09-05-preview",)), SCORED)
    one.sender.deliver(CALL)
    one.sender.deliver(CALL)
    assert [question.api_version for question in one.questions] == [
        "2025-06-05", "2026-09-05-preview", "2026-09-05-preview"
    ]  # fmt: skip


def test_a_subscription_without_vcpus_is_avoided_for_the_call(desk: Make) -> None:
    one = desk(bad(Outcome.VCPU_QUOTA), SCORED)
    one.sender.deliver(CALL, avoid={"sub-c"})
    one.sender.deliver(CALL)
    assert [question.subscription for question in one.questions] == ["sub-a", "sub-b", "sub-a"]
    assert [taken["avoid"] for taken in one.rights.taken] == [{"sub-c"}, {"sub-c", "sub-a"}, set()]
    nobody = desk(bad(Outcome.VCPU_QUOTA))
    delivery = nobody.sender.deliver(CALL)
    assert (delivery.reason, delivery.error) == ("no_quota", REFUSED)


def test_an_exhausted_route_rests_and_five_of_them_shut_the_location(desk: Make) -> None:
    names = tuple(f"sub-{number}" for number in range(6))
    one = desk(bad(Outcome.QUOTA_EXHAUSTED, wait_seconds=7.0), fallback_locations=())
    one.rights.subscriptions = names

    def take(location: str, **_: Any) -> str:
        return names[len(one.questions)]

    one.rights.take = take  # type: ignore[method-assign]
    delivery = one.sender.deliver(CALL)
    assert (delivery.answer, delivery.reason, delivery.error) == (None, "no_quota", REFUSED)
    assert one.rights.rested == [("eastus", name, 7.0) for name in names[:5]]
    assert one.sender.health["eastus"].refused == set(names[:5])


def test_a_score_opens_a_location_again(desk: Make) -> None:
    health = {"eastus": LocationHealth(refused={"a", "b", "c", "d"})}
    one = desk(SCORED, health=health)
    one.sender.deliver(CALL)
    assert one.sender.health["eastus"].refused == set()


def test_a_refused_subscription_is_noted_with_its_code_and_the_last_one_ends_all(desk: Make) -> None:
    coded, bare = AzureRefusedError("p", "no", status=403, code="Denied"), AzureRefusedError("p", "no", status=403)
    one = desk(bad(Outcome.SUBSCRIPTION_REFUSED, coded), bad(Outcome.SUBSCRIPTION_REFUSED, bare))
    delivery = one.sender.deliver(CALL)
    assert one.sender.refused_subscriptions == {DIGEST: "Denied", subscription_digest("sub-b"): "refused"}
    assert one.sender.fatal is bare
    assert (delivery.answer, delivery.reason, delivery.error, delivery.elsewhere) == (None, "stopped", bare, False)
    assert one.places() == ["eastus", "eastus"]
    first = desk(bad(Outcome.SUBSCRIPTION_REFUSED, coded), SCORED)
    assert first.sender.deliver(CALL).answer is not None
    assert first.sender.fatal is None


def test_a_refused_token_is_renewed_once_for_a_call(desk: Make) -> None:
    headers = {"Authorization": "Bearer x"}
    one = desk(bad(Outcome.TOKEN_REFUSED, headers=headers), SCORED)
    assert one.sender.deliver(CALL).answer is not None
    assert one.tokens.renewed == [headers]
    twice = desk(bad(Outcome.TOKEN_REFUSED))
    delivery = twice.sender.deliver(CALL)
    assert twice.tokens.renewed == [{}]
    said = "Azure refuses a token that was just issued: placement scores: HTTP 400"
    assert (delivery.reason, type(delivery.error), str(delivery.error)) == ("stopped", SignInError, said)
    assert twice.sender.fatal is delivery.error


@pytest.mark.parametrize(
    ("asked", "waited", "rested"),
    [
        (0.0, [1.0, 1.0, 1.0], [1.0]),
        (5.0, [5.0, 5.0, 5.0], [5.0]),
        (30.0, [30.0, 30.0, 30.0], [30.0]),
        (30.1, [], [30.1]),
    ],
)
def test_a_throttle_is_waited_for_three_times_and_then_rests(
    desk: Make, asked: float, waited: list[float], rested: list[float]
) -> None:
    throttles = [bad(Outcome.THROTTLED, wait_seconds=asked)] * (len(waited) + 1)
    one = desk(*throttles, SCORED)
    assert one.sender.deliver(CALL).answer is not None
    assert one.waited == waited
    assert one.rights.rested == [("eastus", "sub-a", seconds) for seconds in rested]
