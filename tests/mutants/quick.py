"""Which tests are quick: a plugin of pytest, loaded with ``-p``.

Each mutant is tried in a fork of its own. So no quick test starts a process, or takes more than a few seconds.
"""

from __future__ import annotations

import sys

import pytest

# Fixtures that start the emulated AWS, the simulated Azure, or a browser.
STARTING = {"emulator_url", "dynamodb", "site", "azure", "azure_process", "emulator", "browser"}
# Tests of more than four seconds (two cores, 2026-11-26): each has quicker ones beside it.
SLOW = (
    "archive/test_a_day.py::",
    "archive/test_a_year.py::test_after_a_bad_season",
    "archive/test_damaged_state.py::",
    "history/test_exact.py::test_every_snapshot",
    "history/test_gaps.py::test_gaps_are_those_of_all",
    "merge/test_attempts.py::test_any_attempts_of_any_slots",
    "merge/test_bad_shards.py::test_whatever_stands",
    "merge/test_compatibility.py::test_every_file_of_every_run",
    "merge/test_kills.py::",
    "merge/test_real_store.py::",
    "merge/test_refold.py::",
    "planning/test_cover.py::test_a_family",
    "planning/test_cover.py::test_a_ragged",
    "planning/test_cover.py::test_the_real_catalogue",
    "planning/test_cover.py::test_thirteen_regions",
    "rebuild/test_rebuild.py::",
)


def pytest_sessionstart() -> None:
    """Forget what the library has cached: a fork inherits answers that no mutant has given."""
    for name, module in list(sys.modules.items()):
        if name.startswith("spotlake."):
            for value in list(vars(module).values()):
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave slow tests out."""
    slow = list(filter(_is_slow, items))
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


def _is_slow(item: pytest.Item) -> bool:
    starts = item.get_closest_marker("emulator") or STARTING & set(getattr(item, "fixturenames", ()))
    return bool(starts) or any(name in item.nodeid for name in SLOW)
