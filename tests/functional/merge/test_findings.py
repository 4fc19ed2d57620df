"""What of the data needs eyes: each limit, and when it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from spotlake.events import MergeResult
from spotlake.merge.findings import LASTING, NAMES, Findings, Looks, fold_findings, looked_at, of_one_run
from spotlake.settings import Settings
from spotlake.state.findings import FINDINGS
from spotlake.stores.objects import MemoryObjects

FIRST = datetime(2026, 11, 23, 10, tzinfo=UTC)
WELL: dict[str, Any] = {
    "coverage_sufficient": True, "rows_difference_percent": 0.0, "oldest_score_age_minutes": 60,
    "overtaken_items": 0, "items_left": 0, "invalid_items": 0, "refused_shards": 0, "quota_left": 100,
    "new_unknown_kinds": 0, "new_price_disagreements": 0, "unconfirmed_percent": 0.0,
    "witness_disagreement_percent": 0.0,
}  # fmt: skip
SETTINGS = Settings(
    rows_alarm_percent=30, score_age_alarm_hours=72, unconfirmed_alarm_percent=10, witness_alarm_percent=20
)


def result(**changed: Any) -> MergeResult:
    return cast("MergeResult", {**WELL, **changed})


def after(*looks: Looks, first: datetime = FIRST) -> list[Findings]:
    """Findings after each of several runs, one a slot."""
    found, all_of_them = Findings(), []
    for number, look in enumerate(looks):
        found = fold_findings(found, first + timedelta(minutes=10 * number), look)
        all_of_them.append(found)
    return all_of_them


@pytest.mark.parametrize(
    ("name", "field", "fine", "found"),
    [
        ("coverage", "coverage_sufficient", True, False),
        ("rows", "rows_difference_percent", 29.99, 30.0),
        ("score_age", "oldest_score_age_minutes", 72 * 60 - 1, 72 * 60),
        ("overtaken_items", "overtaken_items", 0, 1),
        ("items_left", "items_left", 0, 1),
        ("invalid_items", "invalid_items", 0, 1),
        ("refused_shards", "refused_shards", 0, 1),
        ("no_quota", "quota_left", 1, 0),
        ("unknown_kinds", "new_unknown_kinds", 0, 1),
        ("price_disagreements", "new_price_disagreements", 0, 1),
        ("unconfirmed", "unconfirmed_percent", 9.99, 10.0),
        ("price_witness", "witness_disagreement_percent", 19.99, 20.0),
    ],
)
def test_each_number_is_a_finding_from_its_limit_on(name: str, field: str, fine: object, found: object) -> None:
    assert looked_at(result(**{field: fine}), SETTINGS) == dict.fromkeys(NAMES, False)
    assert looked_at(result(**{field: found}), SETTINGS) == {**dict.fromkeys(NAMES, False), name: True}


def test_a_second_finding_is_told_beside_one_that_lasts() -> None:
    rows = {"rows": True}
    runs = after(
        rows,
        rows,
        {**rows, "invalid_items": True},
        {**rows, "invalid_items": True},
        {"rows": False, "invalid_items": False},
    )
    assert [one.new() for one in runs] == [("rows",), (), ("invalid_items",), (), ()]
    assert [len(one.present()) for one in runs] == [1, 1, 2, 2, 0]


def test_what_was_gone_is_told_again_and_what_nobody_could_look_at_stays() -> None:
    seen, gone, unknown = {"rows": True}, {"rows": False}, {"rows": None}
    assert [one.new() for one in after(seen, gone, seen)] == [("rows",), (), ("rows",)]
    assert [one.new() for one in after(seen, unknown, seen)] == [("rows",), (), ()]
    assert [one.present() for one in after(seen, unknown)] == [("rows",), ("rows",)]


def test_the_price_memory_reports_once_so_each_of_its_reports_is_new() -> None:
    kinds = {"unknown_kinds": True}
    assert [one.new() for one in after(kinds, {}, kinds)] == [("unknown_kinds",), (), ("unknown_kinds",)]


def test_no_two_slots_in_a_row_report_because_the_alarm_would_stay_on() -> None:
    rows, both, passed = {"rows": True}, {"rows": True, "refused_shards": True}, {"rows": True, "refused_shards": False}
    runs = after(rows, both, passed, passed)
    assert [one.new() for one in runs] == [("rows",), (), ("refused_shards",), ()]
    assert [one.present() for one in runs][-1] == ("rows",)
    kinds = {"unknown_kinds": True}
    assert [one.new() for one in after(kinds, kinds, {"unknown_kinds": False})] == [
        ("unknown_kinds",), (), ("unknown_kinds",)
    ]  # fmt: skip


def test_a_slot_merged_again_and_a_slot_after_a_pause_report_at_once() -> None:
    (known,) = after({"rows": True})
    more = {"rows": True, "coverage": True}
    assert fold_findings(known, FIRST, more).new() == ("coverage", "rows")
    assert fold_findings(known, FIRST + timedelta(minutes=20), more).new() == ("coverage",)


@pytest.mark.parametrize(("name", "runs"), [("overtaken_items", 3), ("items_left", 3), ("no_quota", 12)])
def test_what_may_pass_is_told_when_every_run_of_its_time_saw_it(name: str, runs: int) -> None:
    assert name in LASTING
    told = [one.new() for one in after(*[{name: True}] * (runs + 1))]
    assert told == [()] * (runs - 1) + [(name,), ()]
    interrupted = [{name: True}] * (runs - 1) + [{name: False}] + [{name: True}] * (runs - 1)
    assert [one.present() for one in after(*interrupted)] == [()] * len(interrupted)


def test_a_run_of_a_part_tells_what_it_sees_and_changes_nothing() -> None:
    (known,) = after({"rows": True})
    part = of_one_run(known, FIRST, {"rows": True, "coverage": True, "items_left": True})
    assert part.new() == ("coverage",)  # items_left may pass


def test_they_are_kept_in_the_bucket() -> None:
    objects = MemoryObjects()
    found = FINDINGS.change(objects, lambda one: fold_findings(one, FIRST, {"rows": True, "items_left": True}))
    assert FINDINGS.read(objects) == found != Findings()
