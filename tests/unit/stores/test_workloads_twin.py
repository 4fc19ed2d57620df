"""The workload table's twin in memory has the rules of the table; the table's counts are safe for its threads."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from spotlake.clock import Deadline
from spotlake.models import ItemChange
from spotlake.stores.workloads import DynamoDbWorkloads, MemoryWorkloads, Upserted

HOUR = Deadline(lambda: 3600.0)
KEY = {"InstanceType": "Standard_D1", "Workload": "eastus#1"}


def change(version: int, *, is_new: bool = False, only: tuple[str, ...] | None = None, **attributes: Any) -> ItemChange:
    always: dict[str, Any] = {
        "UpdatedAt": f"2025-12-15T10:0{version}:00Z",
        "RunId": f"run-{version}",
        "Version": version,
    }
    return ItemChange({**KEY, **always, **attributes}, is_new=is_new, only=only)


def test_an_item_is_what_its_changes_left() -> None:
    table = MemoryWorkloads()
    first = change(1, is_new=True, SpotPrice=0.1, IF=3.0, T2=2)
    assert table.upsert([first], deadline=HOUR) == Upserted(written=1, write_units=1.0, done=1)
    # Of the named attributes one is set and one has gone; what is not named stays as it was.
    later = change(2, only=("SpotPrice", "IF"), SpotPrice=0.2, T2=7)
    assert table.upsert([later], deadline=HOUR) == Upserted(written=1, write_units=1.0, done=1)
    assert table.items == {
        ("Standard_D1", "eastus#1"): {
            **KEY, "UpdatedAt": "2025-12-15T10:02:00Z", "RunId": "run-2", "Version": 2, "SpotPrice": 0.2, "T2": 2
        }
    }  # fmt: skip
    whole = change(3, SpotPrice=0.3)
    table.upsert([whole], deadline=HOUR)
    assert table.items == {("Standard_D1", "eastus#1"): dict(whole.item)}


@pytest.mark.parametrize(
    ("version", "is_new", "wins"), [(5, False, False), (5, True, False), (4, False, False), (6, True, True)]
)
def test_only_a_newer_version_is_written_and_those_after_it_are_too(version: int, is_new: bool, wins: bool) -> None:
    table = MemoryWorkloads()
    table.upsert([change(5, is_new=True, T2=1)], deadline=HOUR)
    other = ItemChange({**change(1).item, "Workload": "westus#1"}, is_new=False, only=())
    only = ("T3",) if is_new else None  # of an item that is new all is written, whatever has changed
    found = table.upsert([change(version, is_new=is_new, only=only, T3=1), other], deadline=HOUR)
    assert found == Upserted(written=1 + wins, overtaken=1 - wins, write_units=1.0 + wins, done=2)
    stored = table.items["Standard_D1", "eastus#1"]
    assert ("T3" in stored, "T2" in stored, stored["Version"]) == (wins, not wins, max(version, 5))
    assert table.items["Standard_D1", "westus#1"]["Version"] == 1


def test_every_item_that_a_newer_version_overtook_is_counted() -> None:
    table = MemoryWorkloads()
    changes = [ItemChange({**change(5).item, "Workload": f"eastus#{n}"}, is_new=True, only=None) for n in range(3)]
    assert table.upsert(changes, deadline=HOUR) == Upserted(written=3, write_units=3.0, done=3)
    assert table.upsert(changes, deadline=HOUR) == Upserted(overtaken=3, write_units=0.0, done=3)


def test_time_that_runs_out_leaves_the_rest() -> None:
    left = iter([1.0, 0.5, 0.0])
    changes = [ItemChange({**change(1).item, "Workload": f"eastus#{n}"}, is_new=True, only=None) for n in range(5)]
    found = MemoryWorkloads().upsert(changes, deadline=Deadline(lambda: next(left)))
    assert found == Upserted(written=2, write_units=2.0, done=2, left=3)


class Fake:
    """Answers each statement with a code, and counts its requests."""

    def __init__(self, *codes: str) -> None:
        self.codes, self.requests = codes, 0

    def batch_execute_statement(self, *, Statements: list[Any], **_: Any) -> Any:  # noqa: N803 - AWS's name
        self.requests += 1
        codes = self.codes * len(Statements)
        return {"Responses": [{"Error": {"Code": code}} if code else {} for code in codes[: len(Statements)]]}


def test_after_the_time_ran_out_no_further_group_is_begun() -> None:
    answers = iter([3600.0, 0.5])
    fake: Any = Fake("")
    table = DynamoDbWorkloads(fake, "azure-test", threads=1)
    found = table.upsert([change(1, is_new=True)] * 1000, deadline=Deadline(lambda: next(answers, 3600.0)))
    assert (found.done, found.left) == (25, 975)
    assert fake.requests <= 8  # of the first group


def test_the_threads_count_under_the_lock_alone() -> None:
    class Watched(DynamoDbWorkloads):
        def __setattr__(self, name: str, value: Any) -> None:
            in_thread = threading.current_thread() is not threading.main_thread()
            assert not in_thread or self._lock.locked(), name
            super().__setattr__(name, value)

    fake: Any = Fake("", "ValidationError")
    found = Watched(fake, "azure-test").upsert([change(1, is_new=True)] * 100, deadline=HOUR)
    assert (found.written, found.invalid) == (52, 48)
