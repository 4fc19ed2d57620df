"""What a run teaches, and what it leaves: every part of the lessons by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spotlake.models import Dataset, Mode, Run
from spotlake.planning.lessons import InvalidNames, Learnt, LocationScore, Restrictions, fold
from spotlake.planning.score_knowledge import ScoreKnowledge, not_refused
from spotlake.reports import CollectorReport, Findings, LocationAnswers
from spotlake.scores.zones import subscription_digest
from tests.unit.planning.test_lessons import health

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
OLD, NOW, NEW = "20261123T0950Z", "20261123T1000Z", "20261123T1010Z"


def run(minutes: int = 0) -> Run:
    slot_at = AT + timedelta(minutes=minutes)
    return Run(
        run_id=slot_at.strftime("%Y%m%dT%H%MZ"), mode=Mode.INCREMENTAL, desired_counts=(1,), started_at=AT, owner="",
        attempt=1,
    )  # fmt: skip


def report(**found: Any) -> CollectorReport:
    return CollectorReport(dataset=Dataset.SPS, region="eastus", status="partial", rows=0, found=Findings(**found))


def folded(learnt: Learnt, *reports: CollectorReport, minutes: int = 0) -> Learnt:
    return fold(learnt, run(minutes), reports)


def test_a_run_without_findings_leaves_everything_as_it_was() -> None:
    known = Learnt(
        invalid=InvalidNames(regions={"asia": OLD}, instance_types={"X": OLD}),
        restricted={("eastus", "A"): OLD},
        restricted_for={"abcd": {("eastus", "B"): OLD}},
        health={"eastus": LocationScore(weight=0.5, run_id=OLD)},
    )
    assert folded(known) == folded(known, report()) == known


@pytest.mark.parametrize("name", ["regions", "instance_types"])
def test_a_refused_name_has_its_last_run_and_ends_with_a_later_answer(name: str) -> None:
    known = Learnt(invalid=InvalidNames(**{name: {"old": OLD, "new": NEW, "other": OLD, "same": NOW}}))
    refused, answered = f"invalid_{name}", f"answered_{name}"

    def left(*reports: CollectorReport) -> dict[str, str]:
        invalid = folded(known, *reports).invalid
        assert getattr(invalid, "regions" if name == "instance_types" else "instance_types") == {}
        found: dict[str, str] = getattr(invalid, name)
        assert list(found) == sorted(found)
        return found

    one, two = report(**{refused: ("fresh", "new")}), report(**{refused: ("old",)})
    assert left(one, two) == {"fresh": NOW, "new": NEW, "old": NOW, "other": OLD, "same": NOW}
    got, more = report(**{answered: ("old", "new", "same", "unknown")}), report(**{answered: ("other",)})
    assert left(got) == {"new": NEW, "other": OLD}
    assert left(got, more) == {"new": NEW}
    assert left(got, two) == {"new": NEW, "old": NOW, "other": OLD}  # one was refused, another got through


def test_restricted_pairs_have_their_last_run_and_end_with_a_later_answer() -> None:
    known = Learnt(restricted={("r2", "Size_A"): OLD, ("r1", "Size_A"): OLD, ("r1", "Size_B"): NEW, ("r0", "C"): NOW})
    found = report(restricted_pairs=(("r2", "Size_A"), ("r3", "Size_C"), ("r1", "Size_B")))
    assert list(folded(known, found).restricted.items()) == [
        (("r0", "C"), NOW), (("r1", "Size_A"), OLD), (("r1", "Size_B"), NEW), (("r2", "Size_A"), NOW),
        (("r3", "Size_C"), NOW),
    ]  # fmt: skip
    opened = report(unrestricted_pairs=(("r1", "size_a"), ("r1", "size_b"), ("r9", "size_a"), ("r0", "c")))
    assert folded(known, opened).restricted == {("r2", "Size_A"): OLD, ("r1", "Size_B"): NEW}
    assert folded(known, opened, found).restricted == {
        ("r2", "Size_A"): NOW, ("r1", "Size_B"): NEW, ("r3", "Size_C"): NOW,
    }  # fmt: skip
    both = report(restricted_pairs=(("r1", "Size_A"),), unrestricted_pairs=(("r1", "size_a"),))
    assert folded(known, both).restricted[("r1", "Size_A")] == NOW


def test_a_restriction_is_asked_again_after_seven_days() -> None:
    week = "20261116T1000Z"
    later = "20261116T1010Z"
    pairs = {("r1", "A"): week, ("r1", "B"): later}
    found = folded(Learnt(restricted=pairs, restricted_for={"a": pairs, "b": {("r1", "A"): week}}))
    assert found.restricted == {("r1", "B"): later}
    assert found.restricted_for == {"a": {("r1", "B"): later}}


def test_restrictions_of_a_subscription_add_up() -> None:
    known = Learnt(restricted_for={"b": {("r2", "A"): OLD, ("r1", "B"): NEW}, "a": {("r1", "A"): OLD}})
    one = report(restricted_for={"b": (("r2", "A"), ("r1", "B")), "c": (("r3", "A"),)})
    two = report(restricted_for={"b": (("r0", "A"),), "d": ()})
    found = folded(known, one, two)
    assert found.restricted_for == {
        "a": {("r1", "A"): OLD},
        "b": {("r0", "A"): NOW, ("r1", "B"): NEW, ("r2", "A"): NOW},
        "c": {("r3", "A"): NOW},
    }
    assert list(found.restricted_for) == ["a", "b", "c"]
    assert list(found.restricted_for["b"]) == [("r0", "A"), ("r1", "B"), ("r2", "A")]
    assert known.restricted_for["b"] == {("r2", "A"): OLD, ("r1", "B"): NEW}  # as it was given


@pytest.mark.parametrize(
    ("samples", "weight"),
    [
        ([health(10)], 1.0),
        ([health(10, failed=10)], 0.5),
        ([health(10, slow=4)], 0.9),  # 0.8 of the answers, beside a health of 1
        ([health(10, failed=2, slow=4)], 0.8),
        ([health(10, failed=10, slow=10)], 0.5),  # not below nothing
        ([health(4, failed=1), health(4, failed=3)], 0.75),
        ([health(0)], 1.0),
        ([health(0, failed=3)], 1.0),  # nothing was sent
        ([health(1, failed=1)], 0.5),
        ([health(3, failed=1)], 0.8333),  # four digits
    ],
)
def test_health_is_half_the_last_run_and_half_what_was_before(samples: list[LocationAnswers], weight: float) -> None:
    found = folded(Learnt(), *(report(locations={"eastus": one}) for one in samples))
    assert found.health == {"eastus": LocationScore(weight=weight, run_id=NOW)}


@pytest.mark.parametrize(
    ("before", "failed", "after"),
    [
        # An hour of rest halves what was lost: of 0.8 at 9:00 there is 0.9 at 10:00.
        (LocationScore(weight=0.8, run_id="20261123T0900Z"), 0, LocationScore(weight=0.95, run_id=NOW)),
        (LocationScore(weight=0.8, run_id="20261123T0900Z"), 10, LocationScore(weight=0.45, run_id=NOW)),
        (LocationScore(weight=0.0, run_id=NOW), 0, LocationScore(weight=0.0, run_id=NOW)),  # the same run again
        (LocationScore(weight=0.0, run_id=NEW), 0, LocationScore(weight=0.0, run_id=NEW)),  # an older run
    ],
)
def test_health_recovers_with_rest_and_no_run_counts_twice(
    before: LocationScore, failed: int, after: LocationScore
) -> None:
    known = Learnt(health={"westus": before, "asia": LocationScore(weight=0.3, run_id=OLD)})
    sample = {"westus": health(10, failed=failed), "eastus": health(10)}
    found = folded(known, report(locations=sample))
    assert list(found.health.items()) == [
        ("asia", LocationScore(weight=0.3, run_id=OLD)),
        ("eastus", LocationScore(weight=1.0, run_id=NOW)),
        ("westus", after),
    ]


@pytest.mark.parametrize(
    ("weight", "hours", "share"),
    [
        (0.0, 0, 0.05), (0.0, 1, 0.5), (0.0, 2, 0.75), (0.6, 1, 0.8), (0.6, 0, 0.6), (0.6, -5, 0.6), (1.0, 0, 1.0),
        (0.05, 0, 0.05), (0.04, 0, 0.05),
    ],
)  # fmt: skip
def test_what_a_location_lost_halves_with_every_hour(weight: float, hours: float, share: float) -> None:
    learnt = Learnt(health={"eastus": LocationScore(weight=weight, run_id=NOW)})
    found = learnt.weights(["westus", "eastus"], AT + timedelta(hours=hours))
    assert found == pytest.approx({"westus": 1.0, "eastus": share})


def test_plan_tells_collectors_the_restrictions_of_their_regions_alone() -> None:
    learnt = Learnt(
        restricted={("r2", "Size_B"): OLD, ("r1", "Size_B"): OLD, ("r1", "Size_A"): OLD},
        restricted_for={"abcd": {("r1", "Size_C"): OLD}, "efgh": {("r2", "Size_C"): OLD}},
    )
    before = ScoreKnowledge(zones={"abcd": {}}, reference="abcd", refused=("efgh",), restricted={"r9": ["x"]})
    known = before.with_restrictions(learnt)
    assert known == ScoreKnowledge(
        zones={"abcd": {}},
        reference="abcd",
        refused=("efgh",),
        restricted={"r1": ["size_a", "size_b"], "r2": ["size_b"]},
        restricted_for={"abcd": {"r1": ["size_c"]}, "efgh": {"r2": ["size_c"]}},
    )
    assert known.restrictions(["r1", "r3"]) == Restrictions(
        everywhere=frozenset({("r1", "size_a"), ("r1", "size_b")}),
        by_subscription={"abcd": frozenset({("r1", "size_c")}), "efgh": frozenset()},
    )
    assert ScoreKnowledge().restrictions(["r1"]) == Restrictions()


def test_refused_subscriptions_are_left_out_unless_all_are_refused() -> None:
    refused = [subscription_digest("b"), "another"]
    assert not_refused(("a", "b", "c"), refused) == ("a", "c")
    assert not_refused(["b"], refused) == ("b",)
    assert not_refused(("a", "c"), []) == ("a", "c")
