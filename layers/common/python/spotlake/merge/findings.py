"""Findings: what of a run's data needs somebody's eyes (pure). docs/deploying.md says what to do about each.

A finding is reported once, when it begins, so that one alarm for all of them hides none behind another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from spotlake.events import MergeResult
from spotlake.models import SLOT_MINUTES, from_iso, to_iso
from spotlake.settings import Settings

# Findings that count once every run has seen them for so long. A first run saw it half an hour, or two hours, ago.
LASTING: Final = MappingProxyType(
    {
        "overtaken_items": timedelta(minutes=20),
        "items_left": timedelta(minutes=20),
        "no_quota": timedelta(minutes=110),
    }
)
# The price memory reports each of these once, so each report is a new one.
_ALWAYS_NEW: Final = ("unknown_kinds", "price_disagreements")
NAMES: Final = (
    "coverage", "rows", "score_age", "overtaken_items", "items_left", "invalid_items", "refused_shards", "no_quota",
    "unknown_kinds", "price_disagreements", "unconfirmed", "price_witness",
)  # fmt: skip

type Looks = Mapping[str, bool | None]  # name of a finding -> whether it is there; None: nobody could look


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Slot in which a run first saw it (ISO), and slot of its report; "" while it may still pass.

    ``waits``: it counts, but the slot before reported another one, so it is reported in the next slot.
    """

    since: str
    told: str = ""
    waits: bool = False


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What the runs up to a slot (ISO; "": none) have seen and still see, by name."""

    at: str = ""
    seen: Mapping[str, Finding] = field(default_factory=dict)

    def present(self) -> tuple[str, ...]:
        """Names of the findings that count."""
        return tuple(name for name in NAMES if name in self.seen and self.seen[name].told)

    def new(self) -> tuple[str, ...]:
        """Names of those that the newest slot reports."""
        return tuple(name for name in self.present() if self.seen[name].told == self.at)


def looked_at(result: MergeResult, settings: Settings) -> Looks:
    """Compare a run's numbers with the limits of the settings."""
    rows, age = result["rows_difference_percent"], result["oldest_score_age_minutes"]
    unconfirmed, witness = result["unconfirmed_percent"], result.get("witness_disagreement_percent")
    quota_left = result.get("quota_left")
    return {
        "coverage": not result["coverage_sufficient"],
        "rows": _reaches(rows, settings.rows_alarm_percent),
        "score_age": _reaches(age, settings.score_age_alarm_hours * 60),
        "overtaken_items": result["overtaken_items"] > 0,
        "items_left": result["items_left"] > 0,
        "invalid_items": result.get("invalid_items", 0) > 0,
        "refused_shards": result.get("refused_shards", 0) > 0,
        "no_quota": None if quota_left is None else quota_left < 1,
        "unknown_kinds": result.get("new_unknown_kinds", 0) > 0,
        "price_disagreements": result.get("new_price_disagreements", 0) > 0,
        "unconfirmed": _reaches(unconfirmed, settings.unconfirmed_alarm_percent),
        "price_witness": _reaches(witness, settings.witness_alarm_percent),
    }


def fold_findings(before: Findings, slot_at: datetime, looks: Looks) -> Findings:
    """What is seen after a run. What nobody could look at stays as it was.

    No two slots in a row report: an alarm that is on already tells nobody of the second. What waits for the next slot
    is reported even if it has passed.

    Args:
        before: The findings up to an earlier slot.
        slot_at: The run's slot. An older slot than that of ``before`` says nothing of now: ask ``of_one_run``.
        looks: The answers of the run, by name of the finding.
    """
    slot = to_iso(slot_at)
    is_alarm_on = bool(before.new()) and timedelta() < slot_at - from_iso(before.at) <= timedelta(minutes=SLOT_MINUTES)
    seen: dict[str, Finding] = {}
    for name in NAMES:
        known, is_there = before.seen.get(name), looks.get(name)
        waited = known is not None and known.waits
        if is_there is None and not waited:
            seen |= {name: known} if known else {}
        elif is_there or waited:
            since, told, waits = (known.since, known.told, False) if known else (slot, "", False)
            if name in _ALWAYS_NEW or not told:
                counts = waited or slot_at - from_iso(since) >= LASTING.get(name, timedelta())
                told, waits = slot if counts and not is_alarm_on else "", counts and is_alarm_on
            seen[name] = Finding(since=since, told=told, waits=waits)
    return Findings(at=slot, seen=seen)


def of_one_run(before: Findings, slot_at: datetime, looks: Looks) -> Findings:
    """What a run sees that says nothing of other runs: one of a part, or of an older slot. It is not kept."""
    alone = fold_findings(Findings(), slot_at, looks)
    return Findings(at=alone.at, seen={name: one for name, one in alone.seen.items() if name not in before.seen})


def _reaches(value: float | None, limit: float) -> bool | None:
    return None if value is None else value >= limit
