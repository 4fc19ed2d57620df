"""The scope of an attempt: the filters of the input, or else those of the settings (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypedDict

from spotlake.planning.catalogue import Catalogue, pairs_of
from spotlake.planning.lessons import InvalidNames
from spotlake.planning.run_input import RunInput, matches
from spotlake.settings import Settings


class ScopeJson(TypedDict):
    """``Scope`` as an attempt's record holds it."""

    regions: Sequence[str]
    instance_types: Sequence[str]
    desired_counts: Sequence[int]
    resume: bool
    filtered: bool


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Regions, sizes and counts that an attempt covers.

    Attributes:
        regions: ARM codes; empty: all.
        instance_types: Globs of ARM sizes; empty: all.
        desired_counts: Counts that the input names; empty: the rotation chooses.
        resume: Ask only for what the slot's earlier attempts have no answer for.
        filtered: Whether the input named regions or sizes. Such an attempt covers a part and is no whole run.
    """

    regions: tuple[str, ...] = ()
    instance_types: tuple[str, ...] = ()
    desired_counts: tuple[int, ...] = ()
    resume: bool = False
    filtered: bool = False

    @classmethod
    def of(cls, given: RunInput, settings: Settings) -> Self:
        """Make the scope from the checked input."""
        return cls(
            regions=given.regions or settings.regions,
            instance_types=given.instance_types or settings.instance_types,
            desired_counts=given.desired_counts,
            resume=given.resume,
            filtered=bool(given.regions or given.instance_types),
        )

    @classmethod
    def from_dict(cls, content: ScopeJson) -> Self:
        """Read the scope from an attempt's record."""
        return cls(
            regions=tuple(content["regions"]),
            instance_types=tuple(content["instance_types"]),
            desired_counts=tuple(content["desired_counts"]),
            resume=content["resume"],
            filtered=content["filtered"],
        )

    def to_dict(self) -> ScopeJson:
        """Return the form that an attempt's record holds."""
        return {
            "regions": self.regions,
            "instance_types": self.instance_types,
            "desired_counts": self.desired_counts,
            "resume": self.resume,
            "filtered": self.filtered,
        }


def pairs_to_score(catalogue: Catalogue, scope: Scope, refused: InvalidNames, *, retry: bool) -> dict[str, list[str]]:
    """Region -> sizes of the catalogue within the scope. Names that Azure refused wait for a run that retries them."""
    found = {}
    for region, sizes in pairs_of(catalogue, scope.regions or None).items():
        if region in refused.regions and not retry:
            continue
        kept = [
            size
            for size in sizes
            if matches(size, scope.instance_types) and (retry or size not in refused.instance_types)
        ]
        if kept:
            found[region] = kept
    return found
