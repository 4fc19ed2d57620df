"""Fault rules: which requests get a wrong answer, which one, and how often."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from starlette.responses import Response

_ids = itertools.count(1)


@dataclass
class Fault:
    """One rule. The first rule that matches a request applies.

    Attributes:
        api: "token", "locations", "sps", "graph" or "retail"; "" = any.
        location: Routing location (sps) or region of the filter or query (retail, graph); "" = any.
        region: One of the desired regions (sps); "" = any.
        subscription: In the URL; "" = any.
        after: Number of matching requests to answer truthfully first.
        times: Number of requests that the rule then applies to; 0: all.
        status: Answer with this status and ``body``, ``content_type`` and ``headers``; 0 = the true answer.
        latency_seconds: Seconds to wait before answering.
        drop: Whether to close the connection without an answer.
        truncate: Whether to send only the first half of the true answer, with a matching length.
        part: Number of rows of the true answer to send (sps).
        empty: Whether to answer 200 without rows, scores or items.
    """

    api: str = ""
    location: str = ""
    region: str = ""
    subscription: str = ""
    after: int = 0
    times: int = 0
    status: int = 0
    body: str = ""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    latency_seconds: float = 0.0
    drop: bool = False
    truncate: bool = False
    part: int = 0
    empty: bool = False
    fault_id: int = field(default_factory=lambda: next(_ids))
    seen: int = 0
    used: int = 0

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read a rule from the control API. A ValueError names an unknown field."""
        known = {one.name for one in fields(cls)} - {"fault_id", "seen", "used"}
        for name in data:
            if name not in known:
                raise ValueError(f"{name}: no such field; give {', '.join(sorted(known))}")
        return cls(**data)

    def to_dict(self) -> dict[str, Any]:
        """Return the form of the control API, with the counts of matches and uses."""
        return asdict(self)

    def fits(self, api: str, location: str, subscription: str, regions: Sequence[str]) -> bool:
        """Whether this rule applies to the request. Counts the request."""
        asked = ((self.api, api), (self.location, location), (self.subscription, subscription))
        if any(rule and rule != actual for rule, actual in asked) or (self.region and self.region not in regions):
            return False
        self.seen += 1
        if self.seen <= self.after or (self.times and self.used >= self.times):
            return False
        self.used += 1
        return True


class Faults:
    """The rules in force, in order."""

    def __init__(self) -> None:
        """None."""
        self.rules: list[Fault] = []

    def find(
        self, api: str, *, location: str = "", subscription: str = "", regions: Sequence[str] = ()
    ) -> Fault | None:
        """The first rule that applies to the request."""
        return next((rule for rule in self.rules if rule.fits(api, location, subscription, regions)), None)


class DroppedConnectionError(Exception):
    """Close the connection without an answer."""


async def before_answer(fault: Fault | None) -> Response | None:
    """The answer of a fault; None: answer truthfully."""
    if fault is None:
        return None
    if fault.latency_seconds:
        await asyncio.sleep(fault.latency_seconds)
    if fault.drop:
        raise DroppedConnectionError
    if fault.status:
        return Response(fault.body, fault.status, fault.headers, fault.content_type)
    return None


def after_answer(fault: Fault | None, response: Response) -> Response:
    """The true answer, cut in half if the fault says so."""
    if fault is None or not fault.truncate:
        return response
    half = bytes(response.body)[: len(response.body) // 2]
    return Response(half, response.status_code, media_type=response.media_type)
