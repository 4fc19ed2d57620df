"""What an attempt was asked to cover: the input's filters, or else the settings' ones (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypedDict

from spotlake.planning.run_input import RunInput
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
    """What an attempt covers.

    Attributes:
        regions: ARM codes; empty: all.
        instance_types: Globs of ARM sizes; empty: all.
        desired_counts: Counts asked for by the input; empty: as the rotation says.
        resume: Ask only for what the slot's earlier attempts have no answer for.
        filtered: Whether the input named regions or sizes: the attempt is a part, and stands for no whole run.
    """

    regions: tuple[str, ...] = ()
    instance_types: tuple[str, ...] = ()
    desired_counts: tuple[int, ...] = ()
    resume: bool = False
    filtered: bool = False

    @classmethod
    def of(cls, given: RunInput, settings: Settings) -> Self:
        """From the checked input."""
        return cls(
            regions=given.regions or settings.regions,
            instance_types=given.instance_types or settings.instance_types,
            desired_counts=given.desired_counts,
            resume=given.resume,
            filtered=bool(given.regions or given.instance_types),
        )

    @classmethod
    def from_dict(cls, content: ScopeJson) -> Self:
        """From an attempt's record."""
        return cls(
            regions=tuple(content["regions"]),
            instance_types=tuple(content["instance_types"]),
            desired_counts=tuple(content["desired_counts"]),
            resume=content["resume"],
            filtered=content["filtered"],
        )

    def to_dict(self) -> ScopeJson:
        """For an attempt's record."""
        return {
            "regions": self.regions,
            "instance_types": self.instance_types,
            "desired_counts": self.desired_counts,
            "resume": self.resume,
            "filtered": self.filtered,
        }
