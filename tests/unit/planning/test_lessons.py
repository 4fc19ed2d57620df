from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from spotlake.models import Dataset, Mode, Run
from spotlake.planning.lessons import SMALLEST_WEIGHT, InvalidNames, Learnt, LocationScore, fold
from spotlake.reports import CollectorReport, CollectorStatus, Findings, LocationAnswers
from spotlake.state.lessons import learn_from, read_invalid_names, read_learnt
from spotlake.state.score_knowledge import read_score_knowledge
from spotlake.stores.objects import MemoryObjects

SLOT_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def run_at(minutes: int = 0, mode: Mode = Mode.INCREMENTAL) -> Run:
    slot_at = SLOT_AT + timedelta(minutes=minutes)
    return Run(
        run_id=slot_at.strftime("%Y%m%dT%H%MZ"), mode=mode, desired_counts=(1,), started_at=SLOT_AT, owner="", attempt=1
    )


def report(status: CollectorStatus = "complete", **found: Any) -> CollectorReport:
    return CollectorReport(dataset=Dataset.SPS, region="koreacentral", status=status, rows=1, found=Findings(**found))


def health(sent: int, failed: int = 0, slow: int = 0) -> LocationAnswers:
    return LocationAnswers(sent=sent, failed=failed, slow=slow, median_seconds=1.0)


def test_names_of_all_collectors_come_together() -> None:
    learnt = fold(
        Learnt(), run_at(), [report(invalid_regions=("asia",)), report(invalid_instance_types=("Standard_X",))]
    )
    assert learnt.invalid == InvalidNames(
        regions={"asia": "20261123T1000Z"}, instance_types={"Standard_X": "20261123T1000Z"}
    )


def test_a_name_is_forgotten_when_a_row_with_it_came_back_however_the_others_went() -> None:
    known = Learnt(invalid=InvalidNames(regions={"asia": "20261122T0000Z", "korea": "20261122T0000Z"}))
    full = run_at(mode=Mode.FULL)
    answered = report("partial", answered_regions=("asia",))
    assert set(fold(known, full, [answered, report("failed")]).invalid.regions) == {"korea"}
    assert set(fold(known, full, [report()]).invalid.regions) == {"asia", "korea"}
    both = [answered, report(invalid_regions=("asia",))]  # one collector got through, another did not
    assert fold(known, full, both).invalid.regions["asia"] == full.run_id


def test_an_older_run_does_not_forget_what_a_newer_run_found() -> None:
    newer = fold(Learnt(), run_at(10), [report(invalid_regions=("asia",))])
    assert fold(newer, run_at(0, Mode.FULL), [report(answered_regions=("asia",))]).invalid == newer.invalid


def test_restricted_pairs_come_go_and_lapse() -> None:
    known = fold(Learnt(), run_at(), [report(restricted_pairs=(("eastus", "Standard_X"),))])
    assert known.restricted == {("eastus", "Standard_X"): "20261123T1000Z"}
    opened = report(unrestricted_pairs=(("eastus", "standard_x"),))
    assert fold(known, run_at(10), [opened]).restricted == {}
    assert fold(known, run_at(-10), [opened]).restricted == known.restricted
    week = 7 * 24 * 60
    assert fold(known, run_at(week - 10), []).restricted == known.restricted
    assert fold(known, run_at(week), []).restricted == {}


def test_restrictions_of_one_subscription_only_lapse() -> None:
    found = report(restricted_for={"abcd1234": (("eastus", "Standard_X"),)})
    known = fold(Learnt(), run_at(), [found])
    assert known.restricted_for == {"abcd1234": {("eastus", "Standard_X"): "20261123T1000Z"}}
    assert fold(known, run_at(10), [report()]).restricted_for == known.restricted_for
    assert fold(known, run_at(7 * 24 * 60), []).restricted_for == {}


def test_health_follows_what_happens() -> None:
    learnt = fold(Learnt(), run_at(), [report(locations={"eastus": health(10, failed=10)})])
    assert learnt.health["eastus"] == LocationScore(weight=0.5, run_id="20261123T1000Z")
    for number in range(1, 12):
        learnt = fold(learnt, run_at(10 * number), [report(locations={"eastus": health(10, failed=10)})])
    now_at = run_at(110).slot_at
    assert learnt.weights(["eastus"], now_at)["eastus"] < 0.15
    for number in range(12, 18):
        learnt = fold(learnt, run_at(10 * number), [report(locations={"eastus": health(1)})])
    assert learnt.weights(["eastus"], run_at(170).slot_at)["eastus"] > 0.9


def test_a_location_that_is_not_asked_gets_well_with_time_and_never_to_nothing() -> None:
    learnt = Learnt(health={"eastus": LocationScore(weight=0.0, run_id="20261123T1000Z")})
    weights = [learnt.weights(["eastus"], SLOT_AT + timedelta(hours=hours))["eastus"] for hours in (0, 1, 2, 3)]
    assert weights == [SMALLEST_WEIGHT, 0.5, 0.75, 0.875]
    assert learnt.weights(["westus"], SLOT_AT) == {"westus": 1.0}


def test_slow_answers_count_half() -> None:
    learnt = fold(Learnt(), run_at(), [report(locations={"eastus": health(10, slow=10)})])
    assert learnt.health["eastus"].weight == 0.75


def test_one_location_used_by_two_collectors_is_one_sample() -> None:
    reports = [report(locations={"eastus": health(30)}), report(locations={"eastus": health(10, failed=10)})]
    assert fold(Learnt(), run_at(), reports).health["eastus"].weight == 0.875


def test_reports_of_other_data_sets_are_skipped() -> None:
    other = replace(report(invalid_regions=("asia",)), dataset=Dataset.PRICE)
    assert fold(Learnt(), run_at(), [other]) == Learnt()


def test_folding_twice_changes_nothing_and_writes_nothing() -> None:
    objects = MemoryObjects()
    reports = [
        report(
            invalid_regions=("asia",),
            restricted_pairs=(("eastus", "Standard_X"),),
            restricted_for={"abcd1234": (("westus", "Standard_Y"),)},
            locations={"eastus": health(4, failed=1)},
        )
    ]
    learn_from(objects, run_at(), reports)
    stored = dict(objects.objects)
    assert len(stored) == 3
    assert read_learnt(objects) == fold(Learnt(), run_at(), reports)
    learn_from(objects, run_at(), reports)
    assert objects.objects == stored
    assert read_invalid_names(objects).regions == {"asia": "20261123T1000Z"}
    restrictions = read_score_knowledge(objects, SLOT_AT).restrictions(("eastus", "westus"))
    assert restrictions.everywhere == {("eastus", "standard_x")}
    assert restrictions.by_subscription == {"abcd1234": {("westus", "standard_y")}}


def test_a_collector_reads_the_restrictions_of_the_regions_that_it_asks_and_no_others() -> None:
    objects = MemoryObjects()
    pairs = tuple((f"region{number}", "Standard_X") for number in range(57))
    learn_from(objects, run_at(), [report(restricted_pairs=pairs, restricted_for={"abcd1234": pairs})])
    known = read_score_knowledge(objects, SLOT_AT).restrictions({"region7"})
    assert known.everywhere == known.by_subscription["abcd1234"] == {("region7", "standard_x")}


def test_nothing_learnt_writes_nothing() -> None:
    objects = MemoryObjects()
    learn_from(objects, run_at(), [report()])
    assert objects.objects == {}


def test_damaged_state_is_started_empty() -> None:
    objects = MemoryObjects(objects={"state/azure/invalid_names.json.gz": b"\x1f\x8bnonsense"})
    learn_from(objects, run_at(), [report(invalid_regions=("asia",))])
    assert list(read_invalid_names(objects).regions) == ["asia"]
