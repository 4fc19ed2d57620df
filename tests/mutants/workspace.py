"""The copy of the house in which mutants live: build/mutants, with the library in src/."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

_LIBRARY = Path("layers/common/python/spotlake")


def prepare(workspace: Path) -> None:
    """Copy every file that git knows, as it stands, into build/mutants.

    What an earlier call made of files that have not changed stays, so that a second call begins at once.
    """
    root = workspace.parents[1]
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, check=True)
    names = [Path(name) for name in listed.stdout.decode().split("\0") if name]
    wanted = {_place(name): root / name for name in names if (root / name).is_file()}
    changed: list[Path] = []
    for place, source in wanted.items():
        target = workspace / place
        if target.exists() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        changed.append(place)
    if Path("pyproject.toml") in changed:
        shutil.rmtree(workspace / "mutants", ignore_errors=True)  # another configuration makes other mutants
    _forget_others(workspace, wanted)
    _forget_reach(workspace / "mutants/mutmut-stats.json", changed)


def _place(name: Path) -> Path:
    return Path("src/spotlake") / name.relative_to(_LIBRARY) if name.is_relative_to(_LIBRARY) else name


def _forget_others(workspace: Path, wanted: dict[Path, Path]) -> None:
    for folder in (workspace, workspace / "mutants"):
        for place in (*folder.glob("src/**/*.py"), *folder.glob("tests/**/*.py")):
            if place.relative_to(folder) not in wanted:
                place.unlink()


def _forget_reach(statistics: Path, changed: list[Path]) -> None:
    """Let mutmut look again which functions a test reaches, if the test, what it leans on, or the library changed."""
    if not changed or not statistics.exists():
        return
    changed = [place for place in changed if place.suffix == ".py" and place.parts[:2] != ("tests", "mutants")]
    if any(not place.name.startswith("test_") for place in changed):
        statistics.unlink()
        return
    known = json.loads(statistics.read_bytes())
    durations = known["duration_by_test"]
    known["duration_by_test"] = {
        name: took for name, took in durations.items() if Path(name.split("::")[0]) not in changed
    }
    statistics.write_text(json.dumps(known), encoding="utf-8")
