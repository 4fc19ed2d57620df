"""Faults that a test gives the scripted Azure: once, or at one routing location."""

from __future__ import annotations

from collections.abc import Callable

import requests

from tests.functional.placement_scores.double import Seen

type Made = Callable[[], requests.Response | Exception]


def once(make: Made, *, times: int = 1) -> Callable[[Seen], requests.Response | Exception | None]:
    """The fault for the first requests, whoever sends them."""
    left = [times]

    def fault(seen: Seen) -> requests.Response | Exception | None:
        left[0] -= 1
        return make() if left[0] >= 0 else None

    return fault


def at(location: str, make: Made) -> Callable[[Seen], requests.Response | Exception | None]:
    return lambda seen: make() if seen.location == location else None
