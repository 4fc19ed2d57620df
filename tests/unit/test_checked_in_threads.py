"""Threads read stored files beside each other: a type is noted by one of them alone, else the process crashes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LIBRARY = Path(__file__).parents[2] / "layers/common/python/spotlake"
# Eight threads meet a type that nobody has met before, a hundred times.
MEETING = """
import dataclasses, sys, threading, types
from spotlake.checked import checked
sys.setswitchinterval(1e-6)
place = sys.modules["place"] = types.ModuleType("place")
for number in range(100):
    fields = [(f"f{one}", "dict[str, int] | None", None) for one in range(20)]
    place.Row = dataclasses.make_dataclass("Row", fields, module="place")
    kind = dataclasses.make_dataclass("File", [("rows", "list[Row]"), ("count", "int")], module="place")
    begin, found = threading.Barrier(8), []
    def read():
        begin.wait()
        found.append(checked({"rows": [{"f1": {"a": 1}}], "count": 1}, kind, key="k").rows[0].f1)
    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert found == [{"a": 1}] * 8, found
print("read")
"""


def test_threads_that_meet_a_type_at_the_same_time_all_read() -> None:
    done = subprocess.run([sys.executable, "-c", MEETING], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "read\n"), done.stderr


def test_one_place_alone_lets_msgspec_convert() -> None:
    asking = {path.name for path in LIBRARY.rglob("*.py") if "msgspec.convert(" in path.read_text(encoding="utf-8")}
    assert asking == {"checked.py"}
