"""The type that each object of the state is stored with: browsers and tools go by it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from spotlake.history.blocks import Block
from spotlake.history.changes import SlotChanges
from spotlake.history.fields import CHANGES, FRAME, TIME_NOTES
from spotlake.history.index import Index
from spotlake.merge.state import MergedState
from spotlake.models import Mode, Run
from spotlake.planning.attempt import AttemptRecord, Work
from spotlake.planning.scope import Scope
from spotlake.state.attempts import write_end, write_record, write_work
from spotlake.state.history_files import HistoryFiles, Kept
from spotlake.state.merged_states import Head, MergedStates
from spotlake.state.price_histories import write_price_history
from spotlake.stores.objects import MemoryObjects

AT = datetime(2025, 12, 15, 10, 0, tzinfo=UTC)
RUN = Run(run_id="20251215T1000Z", attempt=1, mode=Mode.FULL, desired_counts=(1,), started_at=AT, owner="me")


class Typed(MemoryObjects):
    """Keeps the type of what is put."""

    def __init__(self) -> None:
        super().__init__("archive", {})
        self.types: dict[str, str] = {}

    def put(self, key: str, body: bytes, *, content_type: str = "none given", **options: Any) -> str:
        self.types[key] = content_type
        return super().put(key, body, **options)


def test_documents_of_an_attempt_and_states_are_gzip_and_the_chain_is_json() -> None:
    objects = Typed()
    write_record(objects, AttemptRecord(run=RUN, scope=Scope()))
    write_work(objects, Work(run=RUN, items={}))
    write_end(objects, RUN, [])
    write_price_history(objects, RUN, "eastus", [], source="simulated", collected_at=AT)
    states = MergedStates(objects)
    body = states.store(MergedState(), "state/azure/merged/x")
    assert body == objects.objects["state/azure/merged/x"] == MergedState().encode()
    assert (len(objects.types), set(objects.types.values())) == (5, {"application/gzip"})
    states.replace_head(Head())
    assert objects.types["state/azure/merged_chain.json"] == "application/json"


def test_files_of_the_history_are_parquet_and_its_index_is_json() -> None:
    objects = Typed()
    files, day = HistoryFiles(objects), date(2025, 12, 15)
    changes = SlotChanges(Block.empty(CHANGES), Block.empty(TIME_NOTES))
    files.write_day(files.day(day), changes, {"20251215T1000Z": Kept("a", "b")}, {})
    files.write_run(AT, changes)
    files.write_state(day, Block.empty(FRAME), times=True)
    files.replace_day_of_region(day, "eastus", changes.rows, [])
    assert (len(objects.types), set(objects.types.values())) == (5, {"application/vnd.apache.parquet"})
    files.write_index(Index(), None)
    assert objects.types["history/azure/index.json"] == "application/json"
