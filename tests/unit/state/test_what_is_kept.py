"""What documents of earlier runs keep, drop and say when they cannot be read or written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spotlake import keys
from spotlake.errors import StoreError
from spotlake.models import Dataset, Mode, Run
from spotlake.reports import CollectorReport, Findings, PairAccount
from spotlake.state.figures import NOT_COUNTED, encode_figures, read_figures
from spotlake.state.full_runs import FULL_RUNS, FullRuns, note_full_run, read_full_runs
from spotlake.state.health import HEALTH, note_reported
from spotlake.state.last_good import note_last_good, read_last_good
from spotlake.state.lessons import INVALID
from spotlake.state.refused_subscriptions import REFUSED_SUBSCRIPTIONS, note_refused, refused_lately
from spotlake.stores.objects import MemoryObjects

AT = datetime(2026, 11, 23, 10, 10, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Failing(MemoryObjects):
    """Reads or writes fail."""

    def __init__(self, verb: str) -> None:
        super().__init__("archive", {})
        self.verb = verb

    def get(self, key: str) -> Any:
        if self.verb == "get":
            raise StoreError("cannot read it")
        return super().get(key)

    def put(self, key: str, body: Any, **options: Any) -> Any:
        raise StoreError("cannot write it")


def test_advice_that_cannot_be_read_or_kept_is_told_and_done_without() -> None:
    notes: list[str] = []
    assert INVALID.read(Failing("get"), notes.append) == INVALID.empty()
    wanted = INVALID.empty().__class__(regions={"r": "20261123T1010Z"})
    assert INVALID.change(Failing("get"), lambda _: wanted, notes.append) == wanted
    assert INVALID.change(Failing("put"), lambda _: wanted, notes.append) == wanted
    INVALID.write(Failing("put"), wanted, notes.append)
    told = ["cannot read it; done without", "cannot read it; not kept"]
    assert notes == [*told, "cannot write it; not kept", "cannot write it; not kept"]
    damaged = MemoryObjects("archive", {"state/azure/health.json": b'{"schema": 3}'})
    HEALTH.read(damaged, notes.append)
    assert notes[-1] == "state/azure/health.json: damaged (KeyError: 'kinds'); started empty"


@pytest.mark.parametrize(
    ("begun", "done", "is_due"),
    [
        (None, None, True),
        (None, timedelta(), False),
        (-HOUR, -timedelta(hours=10, minutes=10), False),  # done at midnight of the same day
        (-HOUR, -timedelta(hours=10, minutes=20), True),  # done the day before
        (-timedelta(minutes=10), -DAY, False),  # begun in this hour, at its first slot
        (-timedelta(minutes=20), -DAY, True),
        (timedelta(minutes=10), None, False),  # begun later
    ],
)
def test_a_full_run_is_due_once_a_day_and_tried_once_an_hour(
    begun: timedelta | None, done: timedelta | None, is_due: bool
) -> None:
    past = FullRuns(begun_at=None if begun is None else AT + begun, done_at=None if done is None else AT + done)
    assert past.is_due(AT) is is_due


def test_an_hour_is_compared_with_its_seconds_dropped() -> None:
    begun_at = AT.replace(minute=0, second=0, microsecond=1)
    assert not FullRuns(begun_at=begun_at).is_due(begun_at + timedelta(minutes=50))
    assert FullRuns(begun_at=begun_at).is_due(begun_at + HOUR)
    assert FullRuns(begun_at=AT.replace(minute=59, second=59)).is_due(AT + HOUR)


def test_full_runs_are_noted_and_an_older_slot_changes_nothing() -> None:
    objects = MemoryObjects("archive", {})
    note_full_run(objects, AT, done=False)
    assert read_full_runs(objects) == FullRuns(begun_at=AT)
    note_full_run(objects, AT - HOUR, done=True)
    assert read_full_runs(objects) == FullRuns(begun_at=AT, done_at=AT - HOUR)
    note_full_run(objects, AT + HOUR, done=True)
    note_full_run(objects, AT, done=True)
    assert read_full_runs(objects) == FullRuns(begun_at=AT + HOUR, done_at=AT + HOUR)


def test_a_full_run_that_was_done_before_its_beginning_was_noted_is_kept() -> None:
    objects = MemoryObjects("archive", {})
    for past in (FullRuns(done_at=AT), FullRuns(begun_at=AT), FullRuns()):
        FULL_RUNS.change(objects, lambda _, past=past: past)  # type: ignore[misc]
        assert read_full_runs(objects) == past


def test_the_twenty_newest_failures_of_a_kind_are_kept_and_a_recovery_clears_them() -> None:
    objects = MemoryObjects("archive", {})
    for number in range(22):
        note_reported(objects, "full", f"failure {99 - number}", AT + number * HOUR)
    note_reported(objects, "incremental", "other", AT)
    kept = HEALTH.read(objects)
    assert set(kept["full"]) == {f"failure {99 - number}" for number in range(2, 22)}
    assert kept["full"]["failure 78"] == "2026-11-24T07:10:00Z"
    note_reported(objects, "full", None, AT)
    assert HEALTH.read(objects) == {"full": {}, "incremental": {"other": "2026-11-23T10:10:00Z"}}


def listing(dataset: Dataset, region: str, rows: int, status: Any = "complete", **counts: int) -> CollectorReport:
    return CollectorReport(dataset=dataset, region=region, status=status, rows=rows, counts=counts)


def account(region: str, *, asked: int = 1, missing: int = 0) -> PairAccount:
    unanswered = {"timeout": tuple(f"Standard_{number}" for number in range(missing))} if missing else {}
    return PairAccount(region=region, desired_count=1, scored=asked - missing, without_score={}, unanswered=unanswered)


def test_what_was_last_whole_is_noted_by_region_and_data_set() -> None:
    objects = MemoryObjects("archive", {})
    reports = [
        listing(Dataset.PRICE, "a", 5, listed_rows=7, ondemand_asked=1),
        listing(Dataset.PRICE, "b", 6, ondemand_asked=0),
        listing(Dataset.EVICTION, "a", 3),
        listing(Dataset.EVICTION, "b", 2, "failed"),
        listing(Dataset.SPS, "a", 9),
    ]
    accounts = [
        account("a"), account("a", asked=2), account("b"), account("b", asked=3, missing=1), account("c", asked=0),
        account("d", asked=3, missing=1), account("d"),
    ]  # fmt: skip
    note_last_good(objects, AT, reports, accounts)
    slot = "2026-11-23T10:10:00Z"
    kept = read_last_good(objects)
    assert kept.rows == {"a": {"spot_price": 7, "spot_if": 3}, "b": {"spot_price": 6}}
    assert kept.collected_at == {
        "a": {"sps": slot, "spot_price": slot, "spot_if": slot}, "b": {"spot_price": slot},
    }  # fmt: skip
    assert kept.ondemand_at == {"a": slot}
    late = [listing(Dataset.PRICE, "a", 1, ondemand_asked=1), listing(Dataset.EVICTION, "b", 4)]
    note_last_good(objects, AT - HOUR, late, [account("a"), account("d")])
    earlier = "2026-11-23T09:10:00Z"
    kept = read_last_good(objects)
    assert kept.rows == {"a": {"spot_price": 7, "spot_if": 3}, "b": {"spot_price": 6, "spot_if": 4}}
    assert kept.collected_at["a"] == {"sps": slot, "spot_price": slot, "spot_if": slot}
    assert kept.collected_at["b"] == {"spot_price": slot, "spot_if": earlier}
    assert kept.collected_at["d"] == {"sps": earlier}
    assert kept.ondemand_at == {"a": slot}
    note_last_good(objects, AT, [listing(Dataset.PRICE, "a", 8)], [])  # the slot again
    assert read_last_good(objects).rows["a"]["spot_price"] == 8


@pytest.mark.parametrize(("hours", "is_due"), [(5, False), (6, True), (7, True)])
def test_ondemand_prices_and_listings_have_their_turns(hours: int, is_due: bool) -> None:
    objects = MemoryObjects("archive", {})
    note_last_good(objects, AT, [listing(Dataset.PRICE, "a", 5, ondemand_asked=1)], [])
    kept = read_last_good(objects)
    assert kept.ondemand_is_due("a", AT + hours * HOUR, 6) is is_due
    assert kept.ondemand_is_due("b", AT, 6)


@pytest.mark.parametrize(
    ("minutes", "every", "is_due"),
    [
        (0, 30, False), (10, 30, False), (20, 30, True), (-20, 30, True), (10, 10, True), (10, 11, True),
        (10, 20, True), (-10, 60, True), (40, 60, False), (50, 60, True),
        (60, 70, False), (70, 70, True),  # since 1970 began: date +%s of 10:10 is 427,483 times 70 minutes
    ],
)  # fmt: skip
def test_a_listing_is_due_once_a_turn_and_turns_begin_at_fixed_slots(minutes: int, every: int, is_due: bool) -> None:
    objects = MemoryObjects("archive", {})
    note_last_good(objects, AT, [listing(Dataset.PRICE, "a", 5)], [])
    kept = read_last_good(objects)
    assert kept.listing_is_due("a", Dataset.PRICE, AT + timedelta(minutes=minutes), every) is is_due
    assert kept.listing_is_due("a", Dataset.EVICTION, AT, every)
    assert kept.listing_is_due("b", Dataset.PRICE, AT, every)


def test_figures_are_read_as_written_and_a_damage_is_told() -> None:
    key = keys.figures(AT)
    notes: list[str] = []
    objects = MemoryObjects("archive", {key: encode_figures(AT, NOT_COUNTED)})
    assert read_figures(objects, AT, notes.append) == {"before": None, "figures": None}
    assert read_figures(objects, AT + HOUR, notes.append) is None
    assert notes == []
    objects.objects[key] = b"x"
    assert read_figures(objects, AT, notes.append) is None
    (note,) = notes
    assert key in note
    assert note.endswith("; the snapshot is counted")


def test_refused_subscriptions_are_left_out_for_six_hours() -> None:
    def run(moment: datetime) -> Run:
        return Run(
            run_id=f"{moment:%Y%m%dT%H%MZ}",
            attempt=1,
            mode=Mode.FULL,
            desired_counts=(1,),
            started_at=moment,
            owner="me",
        )

    def report(*refused: str) -> CollectorReport:
        found = Findings(refused_subscriptions=dict.fromkeys(refused, "AuthorizationFailed"))
        return CollectorReport(dataset=Dataset.SPS, region="a", status="complete", rows=0, found=found)

    objects = MemoryObjects("archive", {})
    note_refused(objects, run(AT), [report("bb"), report("aa")])
    assert refused_lately(objects, AT + timedelta(hours=5, minutes=59)) == ("aa", "bb")
    assert refused_lately(objects, AT + 6 * HOUR) == ()
    note_refused(objects, run(AT + HOUR), [report("bb")])
    note_refused(objects, run(AT - HOUR), [report("bb", "cc")])  # a late slot makes nothing older
    assert REFUSED_SUBSCRIPTIONS.read(objects) == {
        "aa": "20261123T1010Z", "bb": "20261123T1110Z", "cc": "20261123T0910Z",
    }  # fmt: skip
    note_refused(objects, run(AT + 6 * HOUR), [report("dd")])
    assert REFUSED_SUBSCRIPTIONS.read(objects) == {"bb": "20261123T1110Z", "dd": "20261123T1610Z"}
