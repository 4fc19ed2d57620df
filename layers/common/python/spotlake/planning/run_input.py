"""The state machine's input, checked once before anything else reads it (pure)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from spotlake.errors import InvalidInputError
from spotlake.models import DESIRED_COUNTS, SLOT_MINUTES, Mode, floor_to_slot
from spotlake.names import is_collected_region

MODES = ("auto", *(mode.value for mode in Mode))
FIELDS = ("timestamp", "mode", "regions", "instance_types", "desired_count", "resume", "past")
TIMESTAMP_FORMS = "2025-12-15 10:00, 2025-12-15T10:00:00Z or the like with an offset (UTC when there is none)"
_MOST_LISTED = 500  # regions or globs: Plan matches each with every size
_MOST_CHARACTERS = 200
_FIRST_YEAR = 2022
_LARGEST_OFFSET = timedelta(hours=14)
_PRESENT = timedelta(hours=1)  # what Azure says now may still be filed under a slot as old as this
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}[ T]([01]\d|2[0-3]):\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?")
_SIZE_GLOB = re.compile(r"[A-Za-z0-9_*?\[\]!-]+")


@dataclass(frozen=True, kw_only=True)
class RunInput:
    """The checked input of a run.

    Attributes:
        slot_at: The slot that the input names; None for the present slot.
        floored: Whether the given timestamp lay inside a slot and was moved to the slot's beginning.
        mode: "auto", "incremental" or "full".
        regions: ARM codes; empty: all.
        instance_types: Globs of ARM sizes; empty: all.
        desired_counts: Counts to ask for; empty: the rotation chooses.
        resume: Ask only for what the slot's earlier attempts have no answer for.
    """

    slot_at: datetime | None
    floored: bool
    mode: str
    regions: tuple[str, ...]
    instance_types: tuple[str, ...]
    desired_counts: tuple[int, ...]
    resume: bool


def parse_input(raw: Any, *, now_at: datetime | None) -> RunInput:
    """Check the input of an execution.

    Args:
        raw: ``{"timestamp", "mode", "regions", "instance_types", "desired_count", "resume", "past"}``, all optional.
            ``past`` accepts a slot that ended more than an hour ago, although Azure answers for the present alone.
        now_at: The present, to refuse slots of the future and of the past. None where the run's clock follows the
            timestamp.

    Raises:
        InvalidInputError: Names the field, the value and what is allowed.
    """
    if not isinstance(raw, Mapping):
        raise InvalidInputError("input", raw, "a JSON object, {} for a run of the present slot")
    for name in raw:
        if name not in FIELDS:
            raise InvalidInputError(str(name), raw[name], f"only the fields {', '.join(FIELDS)}")
    given = raw.get("timestamp")
    past = _flag(raw, "past")
    moment = None if given is None else parse_timestamp(given, now_at=now_at)
    slot_at = None if moment is None else floor_to_slot(moment)
    if slot_at is not None and now_at is not None and not past and slot_at < floor_to_slot(now_at) - _PRESENT:
        allowed = (
            "a slot of the last hour, for Azure answers for the present alone "
            "(past: true, at the command line --past, takes an older slot all the same)"
        )
        raise InvalidInputError("timestamp", given, allowed)
    mode = raw.get("mode", "auto")
    if mode not in MODES:
        raise InvalidInputError("mode", mode, f"one of {', '.join(MODES)}")
    return RunInput(
        slot_at=slot_at,
        floored=slot_at != moment,
        mode=mode,
        regions=_regions(raw.get("regions", [])),
        instance_types=_instance_types(raw.get("instance_types", [])),
        desired_counts=_desired_counts(raw.get("desired_count"), mode),
        resume=_flag(raw, "resume"),
    )


def parse_timestamp(given: object, *, now_at: datetime | None) -> datetime:
    """Parse a timestamp into a moment in UTC. The moment is not yet moved to its slot.

    >>> parse_timestamp("2025-12-15 19:04+09:00", now_at=None).isoformat()
    '2025-12-15T10:04:00+00:00'
    """
    if not isinstance(given, str) or not _TIMESTAMP.fullmatch(given):
        raise InvalidInputError("timestamp", given, TIMESTAMP_FORMS)
    try:
        moment = datetime.fromisoformat(given)
    except ValueError as error:
        raise InvalidInputError("timestamp", given, f"a moment that exists ({error}), as {TIMESTAMP_FORMS}") from None
    offset = moment.utcoffset()
    if offset is not None and abs(offset) > _LARGEST_OFFSET:
        raise InvalidInputError("timestamp", given, "an offset of at most 14 hours")
    moment = moment.replace(tzinfo=UTC) if offset is None else moment.astimezone(UTC)
    if moment.year < _FIRST_YEAR:
        raise InvalidInputError("timestamp", given, f"a year from {_FIRST_YEAR} on")
    if now_at is not None and floor_to_slot(moment) > floor_to_slot(now_at) + timedelta(minutes=SLOT_MINUTES):
        raise InvalidInputError("timestamp", given, "a slot that has come, or the next one")
    return moment


def require_known_regions(regions: Collection[str], known: Collection[str]) -> None:
    """Refuse a region that is not known; the error names the most similar regions."""
    for region in regions:
        if region not in known:
            near = difflib.get_close_matches(region, known, cutoff=0.5) or sorted(known)[:5]
            raise InvalidInputError(
                "regions", region, f"ARM codes of the {len(known)} known regions, such as {', '.join(near)}"
            )


def require_known_sizes(globs: Collection[str], sizes: Iterable[str]) -> None:
    """Refuse globs that match no size: the run would collect nothing and still succeed."""
    if globs and not any(matches(size, globs) for size in sizes):
        text = ", ".join(globs)
        raise InvalidInputError("instance_types", text, "globs that fit a size of the catalogue, such as Standard_D*")


def matches(instance_type: str, globs: Collection[str]) -> bool:
    """Whether the globs select a size: any glob matches (without regard to case), or there is no glob.

    >>> matches("Standard_D2s_v5", ["standard_d*"]), matches("Standard_E2s_v5", ["Standard_D*"])
    (True, False)
    """
    lowered = instance_type.lower()
    return not globs or any(fnmatchcase(lowered, glob.lower()) for glob in globs)


def _flag(raw: Mapping[str, Any], name: str) -> bool:
    given = raw.get(name, False)
    if not isinstance(given, bool):
        raise InvalidInputError(name, given, "true or false")
    return given


def _regions(given: object) -> tuple[str, ...]:
    allowed = "a list of ARM codes of public regions, such as koreacentral"
    regions = _strings("regions", given, allowed)
    for region in regions:
        if not is_collected_region(region):
            raise InvalidInputError("regions", region, allowed)
    return tuple(dict.fromkeys(regions))


def _instance_types(given: object) -> tuple[str, ...]:
    allowed = "a list of ARM sizes or globs, such as Standard_D*s_v5"
    globs = _strings("instance_types", given, allowed)
    for glob in globs:
        if not _SIZE_GLOB.fullmatch(glob):
            raise InvalidInputError("instance_types", glob, allowed)
    return tuple(dict.fromkeys(globs))


def _strings(field: str, given: object, allowed: str) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise InvalidInputError(field, given, allowed)
    if len(given) > _MOST_LISTED:
        raise InvalidInputError(field, f"{len(given)} values", f"at most {_MOST_LISTED}, or none for all")
    for one in given:
        if len(one) > _MOST_CHARACTERS:
            raise InvalidInputError(field, one, f"{allowed}, of at most {_MOST_CHARACTERS} characters")
    return given


def _desired_counts(given: object, mode: str) -> tuple[int, ...]:
    if given is None:
        return ()
    known = ", ".join(map(str, DESIRED_COUNTS))
    counts = given if isinstance(given, list) else [given]
    for count in counts:
        # bool is an int in Python: true would pass for 1.
        if isinstance(count, bool) or not isinstance(count, int) or count not in DESIRED_COUNTS:
            raise InvalidInputError("desired_count", count, f"one of {known}")
    if not counts:
        raise InvalidInputError("desired_count", given, f"one of {known}")
    if len(counts) > 1 and mode != Mode.FULL:
        raise InvalidInputError("desired_count", given, "one count, or several with mode full")
    return tuple(dict.fromkeys(counts))
