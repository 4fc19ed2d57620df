"""The share of mutants that quick tests notice, by module, against the floor of each."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

UNTRIED = "suspicious"  # mutmut's word for an exit code that it does not know
NOTICED = ("killed", "timeout", "segfault")  # of mutmut's words
FLOOR_PERCENT = 85
PURE_FLOOR_PERCENT = 95
# Arithmetic and rules alone: no store, no connection, no clock.
PURE = ("names", "keys", "planning.*", "scores.*", "sizes.*", "azure.price_rules", "azure.price_names", "azure.signed")
_COLUMNS = ("module", "tried", "noticed", "survived", "no test reaches", "equivalent", "%", "floor")
_EQUIVALENT = Path(__file__).with_name("equivalent.toml")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one mutant: ``status`` is mutmut's word."""

    module: str
    mutant: str
    status: str
    change: str

    @property
    def survived(self) -> bool:
        """Whether no quick test noticed it, or none reaches it."""
        return self.status not in NOTICED

    @property
    def told(self) -> str:
        """The change itself, as a diff with three lines around it."""
        return f"# {self.mutant}: {self.status}\n{self.change}\n\n"


@dataclass(frozen=True, slots=True)
class Equivalent:
    """A change that alters nothing which anybody could see, and why."""

    module: str
    was: str
    becomes: str
    why: str

    def is_made_by(self, verdict: Verdict) -> bool:
        """Whether this mutant is that change."""
        lines = [line for line in verdict.change.splitlines() if line[:3] not in ("---", "+++")]
        was, becomes = ([line[1:].strip() for line in lines if line[:1] == sign] for sign in "-+")
        return verdict.module == self.module and was == [self.was] and becomes == [self.becomes]


def equivalents() -> list[Equivalent]:
    """Every listed change of equivalent.toml."""
    return [Equivalent(**entry) for entry in tomllib.loads(_EQUIVALENT.read_text(encoding="utf-8")).get("change", [])]


def nothing_called(wanted: Sequence[str], modules: Collection[str]) -> str:
    """What is wrong with these names of modules, and which there are; nothing if each names one.

    >>> nothing_called(["nothing.*"], ["keys", "merge.fold", "merge.rows"])
    "'nothing.*' names no module that is tried; there are keys, merge.*"
    >>> nothing_called(["merge.*", "keys"], ["keys", "merge.fold"])
    ''
    """
    for name in wanted:
        if not any(fnmatchcase(module, name) for module in modules):
            room, dot, _ = name.partition(".")
            near = [module for module in sorted(modules) if dot and module.startswith(f"{room}.")]
            parted = (module.partition(".") for module in modules)
            known = near or sorted({first + dot + "*" * len(dot) for first, dot, _ in parted})
            return f"{name!r} names no module that is tried; there are {', '.join(known)}"
    return ""


def floor_percent(module: str) -> int:
    """The share that must be noticed in a module."""
    return PURE_FLOOR_PERCENT if any(fnmatchcase(module, name) for name in PURE) else FLOOR_PERCENT


def table(verdicts: Sequence[Verdict]) -> str:
    """Every module with its mutants, those noticed, and those listed as equivalent; the whole at the end."""
    lines = [f"| {' | '.join(_COLUMNS)} |", "|---|" + "---:|" * (len(_COLUMNS) - 1)]
    counted = _counted(verdicts)
    for module, counts in sorted(counted.items()):
        lines.append(_row(module, counts, str(floor_percent(module))))
    lines.append(_row("all", sum(counted.values(), Counter()), ""))
    return "\n".join(lines)


def below_their_floors(verdicts: Sequence[Verdict]) -> list[str]:
    """A sentence for each module in which too few were noticed, or a mutant could not be tried."""
    untried = [
        f"{one.mutant} could not be tried: its tests were not found" for one in verdicts if one.status == UNTRIED
    ]
    return untried + [
        f"{module}: {_percent(counts):.0f} % noticed, {floor_percent(module)} % asked"
        for module, counts in sorted(_counted(verdicts).items())
        if _percent(counts) < floor_percent(module)
    ]


def _counted(verdicts: Sequence[Verdict]) -> dict[str, Counter[str]]:
    listed = equivalents()
    counted: dict[str, Counter[str]] = {}
    for verdict in verdicts:
        kind = "noticed"
        if verdict.survived:
            same = any(entry.is_made_by(verdict) for entry in listed)
            kind = "equivalent" if same else "no tests" if verdict.status == "no tests" else "survived"
        counted.setdefault(verdict.module, Counter())[kind] += 1
    return counted


def _percent(counts: Counter[str]) -> float:
    judged = counts.total() - counts["equivalent"]
    return 100.0 * counts["noticed"] / judged if judged else 100.0


def _row(module: str, counts: Counter[str], floor: str) -> str:
    cells = (counts.total(), counts["noticed"], counts["survived"], counts["no tests"], counts["equivalent"])
    return f"| {module} | " + " | ".join(map(str, cells)) + f" | {_percent(counts):.0f} | {floor} |"
