"""The chain of merged states word for word, past forms of it, and which states may be deleted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from spotlake.errors import ConflictError, DamagedStateError
from spotlake.state.merged_states import Cut, Head, MergedRun, MergedStates, Refolding
from spotlake.stores.objects import MemoryObjects
from tests.support.errors import says

CHAIN, STATES = "state/azure/merged_chain.json", "state/azure/merged/"


def entry(number: int) -> MergedRun:
    return MergedRun(f"20251215T10{number}0Z", f"k{number}", f"d{number}", (number, number + 1), 5)


def entry_json(number: int) -> dict[str, Any]:
    return {
        "run_id": f"20251215T10{number}0Z", "key": f"k{number}", "digest": f"d{number}",
        "attempts": [number, number + 1], "desired_count": 5,
    }  # fmt: skip


HEAD = Head(
    version=7, runs=(entry(1), entry(2)), table_version=6, table_key="k1", begun=("k8",), rewrite=True,
    cut=Cut("k1", 3, 4), due=("20251215T1020Z",),
    refolding=(Refolding("20251215T0900Z", "k0", 5, (entry(3),), ("k2",)),),
)  # fmt: skip
HEAD_JSON = {
    "schema": 3, "version": 7, "runs": [entry_json(1), entry_json(2)], "table_version": 6, "table_key": "k1",
    "begun": ["k8"], "rewrite": True, "cut": {"key": "k1", "begin": 3, "next": 4}, "due": ["20251215T1020Z"],
    "refolding": [
        {
            "run_id": "20251215T0900Z", "base_key": "k0", "version": 5, "entries": [entry_json(3)],
            "replaced": ["k2"],
        }
    ],
}  # fmt: skip


def chain(content: Any) -> MergedStates:
    return MergedStates(MemoryObjects("archive", {CHAIN: orjson.dumps(content)}))


def test_the_chain_is_written_and_read_as_it_stands() -> None:
    objects = MemoryObjects("archive", {})
    states = MergedStates(objects)
    assert states.head() == Head()
    written = states.replace_head(HEAD)
    assert orjson.loads(objects.objects[CHAIN]) == HEAD_JSON
    assert states.head() == written == replace(HEAD, etag=written.etag)
    short = states.replace_head(replace(written, refolding=(), cut=None))
    assert "refolding" not in orjson.loads(objects.objects[CHAIN])
    assert states.head() == short
    for stale in (written, Head()):
        with pytest.raises(ConflictError):
            states.replace_head(stale)


def test_a_chain_of_the_past_is_read() -> None:
    second = {name: value for name, value in HEAD_JSON.items() if name not in ("rewrite", "refolding")}
    found = chain({**second, "schema": 2}).head()
    assert replace(found, etag=None) == replace(HEAD, rewrite=False, refolding=())
    first = {"run_id": "20251215T1010Z", "key": "k1", "digest": "d1"}
    found = chain({**second, "schema": 1, "runs": [first], "due": None, "cut": None}).head()
    assert found.runs == (MergedRun("20251215T1010Z", "k1", "d1", (0,), 1),)
    assert (found.due, found.cut, found.rewrite) == ((), None, False)


def test_a_chain_that_is_damaged_or_lost_names_the_way_out() -> None:
    out = "`spotlake rebuild` makes it again from the raw shards"
    objects = MemoryObjects("archive", {CHAIN: b'{"schema": 3}'})
    with says(DamagedStateError, f"{CHAIN}: damaged (KeyError: 'version'); {out}"):
        MergedStates(objects).head()
    head, is_whole = MergedStates(objects).head_to_replace()
    stored = objects.get(CHAIN)
    assert stored is not None
    assert (head, is_whole) == (Head(etag=stored.etag), False)
    lost = MemoryObjects("archive", {"runs/azure/2025/12/15/10-00.json": b"{}"})
    with says(DamagedStateError, f"{CHAIN} is missing, though runs have been merged; {out}"):
        MergedStates(lost).head()
    assert MergedStates(lost).head_to_replace() == (Head(), False)
    whole = chain(HEAD_JSON)
    assert whole.head_to_replace() == (whole.head(), True)


def test_states_that_the_chain_does_not_need_are_deleted_but_those_of_later_versions() -> None:
    kept = [f"{STATES}{name}" for name in ("a-5-x.npz", "b-7-x.npz", "c-6-x.npz", "d-9-x.npz", "e-3-x.npz")]
    head = Head(
        version=7, runs=(replace(entry(1), key=kept[0]),), table_key=kept[1], begun=(kept[2],),
        refolding=(Refolding("r", "", 1, (replace(entry(2), key=kept[4]),), ("gone",)),),
    )  # fmt: skip
    needless = [f"{STATES}{name}" for name in ("n-7-x.npz", "o-1-x.npz")]
    later = f"{STATES}p-8-x.npz"
    objects = MemoryObjects("archive", dict.fromkeys([*kept, *needless, later], b""))
    MergedStates(objects).prune(head)
    assert set(objects.objects) == {*kept, later}
    states = MergedStates(objects)
    assert states.are_stored([replace(entry(1), key=kept[0]), replace(entry(1), key=later)])
    assert not states.are_stored([replace(entry(1), key=kept[0]), replace(entry(1), key=needless[0])])


def test_a_state_that_is_gone_is_a_conflict_unless_the_chain_still_names_it() -> None:
    states = chain(HEAD_JSON)
    with says(ConflictError, "k5 is gone: others have merged meanwhile"):
        states.load("k5")
    out = "`spotlake rebuild` makes it again from the raw shards"
    with says(DamagedStateError, f"k2 is missing, though the chain names it; {out}"):
        states.load("k2")
    assert not states.is_readable("k2")


def test_begun_states_and_late_slots_are_bounded() -> None:
    head = Head()
    for key in ("a", "b", "b", "c"):
        head = head.with_begun(key)
    assert (head.begun, head.rewrite) == (("a", "b", "c"), False)
    assert head.with_begun("d") == Head(begun=(), rewrite=True)
    assert head.with_begun("d").with_begun("e") == Head(begun=(), rewrite=True)

    def progress(run_id: str, base_key: str = "k1") -> Refolding:
        return Refolding(run_id, base_key, 1, (), ())

    for run_id in ("p", "q", "p", "r", "s"):
        head = head.with_refolding(progress(run_id))
    assert [one.run_id for one in head.refolding] == ["p", "r", "s"]
    head = replace(head, refolding=(progress("p"), progress("q", "k2"), progress("r", ""), progress("s", "gone")))
    runs = (entry(1), entry(2))
    assert [one.run_id for one in head.refolding_after("p", runs)] == ["q", "r"]
    assert [one.run_id for one in head.refolding_after("x", (entry(1),) * 144)] == ["p"]
    assert (head.run("x"), replace(head, runs=runs).run(entry(2).run_id)) == (None, entry(2))


def test_the_chain_has_the_slots_of_a_day() -> None:
    """Until it has them all, a late slot may be the archive's first: then nothing stands before it."""
    from_nothing = Refolding("20251215T0900Z", "", 5, (entry(3),), ())
    head = Head(refolding=(from_nothing,))
    a_day = tuple(MergedRun(f"{number:03}", f"k{number}", "d", (1,), 1) for number in range(24 * 6))
    assert head.refolding_after("another", a_day[1:]) == (from_nothing,)
    assert head.refolding_after("another", a_day) == ()
