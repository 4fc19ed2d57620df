"""No document can be damaged in a way that nobody expects: each place of each is made odd, or taken out.

What holds the archive says which document is damaged; what is only remembered starts empty, and says so.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from spotlake import keys
from spotlake.errors import DamagedStateError, StoreError
from spotlake.state.attempts import known_end, known_record, known_work, read_record, read_work
from spotlake.state.history_files import read_index
from spotlake.state.kinds import Memory
from spotlake.state.merged_states import MergedStates
from spotlake.state.price_histories import read_price_history
from spotlake.stores.objects import MemoryObjects
from tests.support.damages import damages
from tests.unit.state import test_attempts as attempts
from tests.unit.state import test_chain as chain
from tests.unit.state import test_checkpoints as checkpoints
from tests.unit.state import test_documents as documents
from tests.unit.state import test_price_histories as histories


def bucket(key: str, *lines: Any) -> MemoryObjects:
    body = b"\n".join(map(orjson.dumps, lines))
    return MemoryObjects("archive", {key: gzip.compress(body, 1) if key.endswith(".gz") else body})


KNOWN: list[tuple[Memory[Any], str, Any]] = [
    *((kind, name, {"schema": schema, **told}) for kind, name, schema, told, _ in documents.DOCUMENTS),
    *((kind, name, told) for kind, name, told, _ in documents.OLDER),
]


@pytest.mark.parametrize(
    ("kind", "name", "told"), KNOWN, ids=[f"{one[1]} {number}" for number, one in enumerate(KNOWN)]
)
def test_what_is_remembered_starts_empty_and_says_so(kind: Memory[Any], name: str, told: Any) -> None:
    key = f"state/azure/{name}"
    for place, damaged in damages(told):
        notes: list[str] = []
        found = kind.read(bucket(key, damaged), notes.append)
        assert not notes or (found == kind.empty() and len(notes) == 1), place
        assert all(key in one and one.endswith("; started empty") for one in notes)


ATTEMPT = attempts.written()
RECORD, WORK, END = (attempts.content(ATTEMPT, word) for word in ("record", "/work.", "end"))
CALL_KEY = checkpoints.call_key()
CALL = {"schema": 1, "call_id": "c0001", "rows": [checkpoints.ROW_JSON], "invalid": ["Standard_X"]}
HISTORY_KEY = histories.written()[1]
INDEX = {
    "schema": 1, "made_at": "2025-12-15T10:05:00Z", "first_slot_at": "2025-12-14T00:00:00Z",
    "last_slot_at": "2025-12-15T10:00:00Z", "days": [["2025-12-14", "2025-12-15"]], "latest": "d1",
    "compacted_until": "2025-12-15", "compacted": {"2025-12-14": "t1"}, "regions": ["eastus"],
}  # fmt: skip
FIRST_CHAIN = {
    **{name: one for name, one in chain.HEAD_JSON.items() if name != "rewrite"},
    "schema": 1, "runs": [{"run_id": "20251215T1010Z", "key": "k1", "digest": "d1"}],
}  # fmt: skip
type Read = Callable[[MemoryObjects], object]
# The document, its key and lines, and how it is read.
TRUTHS: list[tuple[str, str, list[Any], Read]] = [
    ("record", attempts.RECORD_KEY, [RECORD], lambda objects: read_record(objects, attempts.AT, 7)),
    ("work", attempts.WORK_KEY, [WORK], lambda objects: read_work(objects, attempts.AT, 7)),
    ("record of the first form", attempts.FIRST_KEY, [attempts.FIRST_JSON],
     lambda objects: read_record(objects, attempts.AT, 0)),
    ("work of the first form", attempts.FIRST_KEY, [attempts.FIRST_JSON],
     lambda objects: read_work(objects, attempts.AT, 0)),
    ("chain", chain.CHAIN, [chain.HEAD_JSON], lambda objects: MergedStates(objects).head()),
    ("chain of the first form", chain.CHAIN, [FIRST_CHAIN], lambda objects: MergedStates(objects).head()),
    ("index of the history", keys.HISTORY_INDEX, [INDEX],
     lambda objects: read_index(objects.objects[keys.HISTORY_INDEX])),
    ("answered call", CALL_KEY, [CALL], checkpoints.checkpoint),
    ("price history", HISTORY_KEY, [{"schema": 1, "rows": 1}, {"skuName": "a"}],
     lambda objects: read_price_history(objects, histories.AT, "eastus", 2)),
]  # fmt: skip


def damage(read: Read, objects: MemoryObjects) -> StoreError | None:
    try:
        read(objects)
    except StoreError as error:
        return error
    return None


@pytest.mark.parametrize(("key", "lines", "read"), [one[1:] for one in TRUTHS], ids=[one[0] for one in TRUTHS])
def test_what_holds_the_archive_names_the_damaged_document(key: str, lines: list[Any], read: Read) -> None:
    assert damage(read, bucket(key, *lines)) is None
    found = [error for _, damaged in damages(lines) if (error := damage(read, bucket(key, *damaged)))]
    assert len(found) > len(lines)
    assert all(key in str(error) for error in found)
    # Whose damage a merge passes over has to be told from a store that fails.
    assert key in (CALL_KEY, HISTORY_KEY) or {type(error) for error in found} == {DamagedStateError}


@pytest.mark.parametrize(
    ("key", "told", "read", "lost"),
    [
        (attempts.RECORD_KEY, RECORD, known_record, attempts.FORGOTTEN),
        (attempts.WORK_KEY, WORK, known_work, None),
        (attempts.END_KEY, END, known_end, None),
    ],
    ids=["record", "work", "end"],
)
def test_a_merge_goes_on_without_a_damaged_document_of_an_attempt(key: str, told: Any, read: Any, lost: Any) -> None:
    found = [read(bucket(key, damaged), attempts.AT, 7) for _, damaged in damages(told)]
    assert found.count(lost) > len(told)  # each field can be missing
