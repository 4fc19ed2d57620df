"""Which changes are tried: some of each module, drawn by a seed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase


def drawn(names: Mapping[str, Sequence[str]], *, modules: Sequence[str], most: int, seeds: Sequence[int]) -> set[str]:
    """At most ``most`` names of each module (0: all) for each seed; of these modules alone, if any is named.

    >>> drawn({"keys": ["a", "b"], "merge.rows": ["c"]}, modules=["merge.*"], most=0, seeds=[1])
    {'c'}
    """
    chosen: set[str] = set()
    for module, listed in names.items():
        if modules and not any(fnmatchcase(module, wanted) for wanted in modules):
            continue
        for seed in seeds:
            order = random.Random(f"{seed} {module}").sample(listed, len(listed))  # noqa: S311 - not for secrecy
            chosen.update(order[: most or None])
    return chosen
