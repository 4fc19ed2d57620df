"""Reads refusals of the placement-score API, whatever their wording (pure).

Wordings seen: "The value 'korea' provided for the input parameter 'desiredLocations' is not valid", the same with
'SpotPlacementRecommenderInput.desiredSizes' (public code, 2025 and 2026). The prefix has changed before. Lists of
values and positions ("desiredLocations[0]") are guesses. So this module searches a refusal for the names that were
sent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_REFUSES = re.compile(r"\b(?:not (?:a )?(?:valid|supported|found|recognized|available)|invalid|unsupported)\b", re.I)
_OPENS, _CLOSES = r"['\"\u2018\u201c,]", r"['\"\u2019\u201d,]"
_FIELD_TEXT = r"desired(?P<which>Location|Region|Size|Sku)s"
_FIELD = re.compile(_FIELD_TEXT, re.I)
_PLACE = re.compile(rf"{_FIELD_TEXT}(?:\[(?P<place>\d+)\]|[/.](?P<point>\d+))", re.I)
_VERSIONS = re.compile(r"supported api-versions are '([^']*)'", re.I)
_VCPU_QUOTA = re.compile(r"quota|\bcores?\b.*\blimit", re.I)
_LONGEST_TEXT = 4000


@dataclass(frozen=True)
class RefusedNames:
    """Names that Azure refused, spelt as they were sent."""

    regions: tuple[str, ...] = ()
    instance_types: tuple[str, ...] = ()


def refused_names(text: str, regions: Sequence[str], instance_types: Sequence[str]) -> RefusedNames:
    """The sent names that a refusal mentions; empty when the refusal mentions none.

    Args:
        text: Message and body of the 4xx answer.
        regions: Regions, as sent.
        instance_types: Sizes, as sent.

    >>> refused_names("The values 'a, b' of 'desiredLocations' are not valid.", ["a", "c", "b"], ["d"]).regions
    ('a', 'b')
    """
    text = text[:_LONGEST_TEXT]
    if not _REFUSES.search(text):
        return RefusedNames()
    placed = [(found["which"].lower(), int(found["place"] or found["point"])) for found in _PLACE.finditer(text)]
    if placed:
        return RefusedNames(
            _at([place for which, place in placed if which in ("location", "region")], regions),
            _at([place for which, place in placed if which in ("size", "sku")], instance_types),
        )
    fields = {found["which"].lower() for found in _FIELD.finditer(text)}
    of_regions, of_sizes = not fields or fields & {"location", "region"}, not fields or fields & {"size", "sku"}
    named = RefusedNames(
        tuple(name for name in regions if of_regions and _quotes(text, name)),
        tuple(name for name in instance_types if of_sizes and _quotes(text, name)),
    )
    if not fields and (len(named.regions), len(named.instance_types)) == (len(regions), len(instance_types)):
        return RefusedNames()  # this part repeats the question and names no fault
    return named


def _quotes(text: str, name: str) -> bool:
    return bool(re.search(rf"{_OPENS}\s*{re.escape(name.strip())}\s*{_CLOSES}", text, re.I))


def supported_versions(text: str) -> tuple[str, ...]:
    """API versions that a refusal lists; empty when the refusal lists none.

    >>> supported_versions("The supported api-versions are '2025-06-05, 2026-05-05-preview'. The supported ...")
    ('2025-06-05', '2026-05-05-preview')
    """
    found = _VERSIONS.search(text[:_LONGEST_TEXT])
    return tuple(name.strip() for name in found[1].split(",") if name.strip()) if found else ()


def speaks_of_vcpu_quota(text: str) -> bool:
    """Whether a conflict (409) is about the vCPU quota of the subscription, not about its registration."""
    return bool(_VCPU_QUOTA.search(text[:_LONGEST_TEXT]))


def _at(places: Sequence[int], names: Sequence[str]) -> tuple[str, ...]:
    return tuple(names[place] for place in dict.fromkeys(places) if place < len(names))
