"""Divides the regions of an attempt into groups of about the same work (pure).

The state machine collects each group in a workflow of its own (statemachine/README.md).
"""

from __future__ import annotations

from collections.abc import Mapping


def group_regions(calls: Mapping[str, int], most: int) -> list[list[str]]:
    """Divide regions into groups with about the same number of calls.

    The region with the most calls goes first, always into the group with the least work so far. So the largest group
    has at most one region more work than the smallest one. Each region counts as one call more, because it is listed
    too. Within a group the regions with the most calls come first, so that no long one begins last.

    Args:
        calls: Region -> number of planned calls.
        most: Largest number of groups, at least 1.

    Returns:
        Groups of regions, none empty; with fewer regions than ``most``, one group a region. Without any region: one
        empty group, so that the state machine always has a group to go through.

    >>> group_regions({"eastus": 5, "westus": 3, "koreacentral": 2}, most=2)
    [['eastus'], ['westus', 'koreacentral']]
    """
    groups: list[list[str]] = [[] for _ in range(max(1, min(most, len(calls))))]
    for region in sorted(calls, key=lambda one: (-calls[one], one)):
        least = min(groups, key=lambda group: sum(calls[one] + 1 for one in group))
        least.append(region)
    return groups
